"""Some work done again and again on copies of a folder, killed at every file that it opens, renames or removes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Forked, because starting Python and importing all anew for each kill would take a second each time.
PROGRAM = """
import os, shutil, signal, sys
from datetime import UTC, datetime
from pathlib import Path

template, copies, work = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
exec(sys.argv[4])
NOW = datetime(2021, 10, 5, 12, tzinfo=UTC)

def kill_at(number, folder):
    def count(event, arguments):
        nonlocal number
        touched = event.split(".")[0] in ("open", "os", "shutil", "sqlite3") and any(
            str(folder) in str(argument) for argument in arguments
        )
        number -= touched
        if touched and number < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)

for number in range(500):
    folder = Path(shutil.copytree(template, copies / f"killed-{number}"))
    child = os.fork()
    if child == 0:
        kill_at(number, folder)
        exec(work)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
sys.exit("it never came to its end")
"""


def killed_everywhere(template: Path, copies: Path, work: str, *, imports: str, limit_s: float = 100) -> list[Path]:
    """Copies of the folder `template`, each as a SIGKILL a step later left it; `work` sees it as `folder`.

    In the last one the work came to its end.
    """
    copies.mkdir()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(template), str(copies), work, imports],
        check=True,
        timeout=limit_s,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    folders = sorted(copies.iterdir(), key=lambda folder: int(folder.name.removeprefix("killed-")))
    assert len(folders) > 3, "the work touches hardly a file"
    return folders


def copied_with_log(database: Path, target: Path) -> None:
    """As a kill would leave it: what was committed last is in its log alone. Call it while a writer has it open."""
    for end in ("", "-wal"):
        shutil.copy(f"{database}{end}", f"{target}{end}")
