"""What the daemon opens itself to: nothing listens by default, and nothing that it loads can run code."""

import io
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ensemble.members.fitted import unpack_arrays
from tests.storage.kill_points import ROOT

LISTENING = "0A"
# As `reliance-daemon --config ... run`, from this code.
RUN = "import sys; sys.argv = ['reliance-daemon', '--config', sys.argv[1], 'run']; from daemon.cli import main; main()"


def listeners(process: int) -> list[str]:
    """The local addresses at which the process listens, as the kernel lists them."""
    sockets = {path.readlink().name for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENING and f"socket:[{words[9]}]" in sockets:
                found.append(words[1])
    return found


def wait_for(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    end = time.monotonic() + 40
    while word not in (line := process.stderr.readline()):
        assert line, "it ended before it said so"
        assert time.monotonic() < end, f"no line with {word!r}"


@pytest.mark.parametrize("port", [None, 19_733])
def test_a_running_daemon_listens_where_it_is_told_to_and_nowhere_by_default(port: int | None, copy: Path) -> None:
    config = copy / "config.toml"
    if port:
        config.write_text(f"{config.read_text()}\n[metrics]\nport = {port}\n")
    words = [sys.executable, "-c", RUN, str(config)]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            wait_for(daemon, "started")
            assert listeners(daemon.pid) == ([f"0100007F:{port:04X}"] if port else [])  # 127.0.0.1
        finally:
            daemon.kill()


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


def test_a_model_file_that_would_run_code_is_refused() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, weights=np.array([Harmful()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        unpack_arrays(buffer.getvalue())


def test_no_code_of_ours_loads_a_pickle() -> None:
    loaders = (
        "pickle.load",
        "import pickle",
        "joblib",
        "read_pickle",
        "allow_pickle=True",
        "marshal.load",
        "yaml.load",
    )
    for folder in ("daemon", "ensemble", "storage"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not [word for word in loaders if word in path.read_text()], path


def test_the_harmful_one_does_harm_where_pickles_are_loaded() -> None:
    with pytest.raises(SystemExit, match="it ran"):
        pickle.loads(pickle.dumps(Harmful()))
