"""What work leaves behind is handed back."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOLES = """
import resource
from pathlib import Path
from daemon.service.memory import hand_back, hold_together

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

hold_together()
before = resident_mb()
held = [b"x" * 100_000 for _ in range(1000)]
full = resident_mb()
held = held[-1:]  # the last one keeps the allocator from giving back what lies below it
holes = resident_mb()
hand_back()
print(before, full, holes, resident_mb())
"""


def test_memory_below_something_that_stays_is_handed_back_too() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], cwd=ROOT, capture_output=True, text=True, check=True)
    before, full, holes, after = map(float, done.stdout.split())
    assert full > before + 90
    assert holes > before + 90
    assert after < before + 10
