"""A disk that is really full: a file system in memory of some kilobytes, seen by one process alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.kill_points import ROOT


def on_a_small_disk(place: Path, size_kb: int, program: str, *arguments: object) -> str:
    """What the program says last, run where `place` is a file system of its own; skips where none can be made."""
    words = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size={size_kb}k tmpfs "$0" && shift && exec "$@"']
    ready = [*words, str(place), "", sys.executable]
    try:
        subprocess.run([*ready, "-c", ""], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small file system can be mounted here")
    done = subprocess.run(
        [*ready, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).strip().splitlines()[-1]
