"""A real systemd, booted in a container over an overlay of this machine's root; all of it is gone with the process."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENV = "opt/reliance-daemon/venv"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
MASKED = ("postgresql.service", "systemd-timesyncd.service", "systemd-networkd.service", "cron.service", "ssh.service")
MEMORY_GROUP = Path(f"/sys/fs/cgroup/memory/reliance-daemon-test-{os.getpid()}")
"""Limits memory from outside, where systemd in a container cannot."""
BOOT = """
set -eu
mount -t tmpfs -o mode=755 tmpfs {scratch}
mkdir {scratch}/upper {scratch}/work {scratch}/root
cp -a {seed}/. {scratch}/upper/
mount -t overlay overlay -o lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work {scratch}/root
exec systemd-nspawn --register=no --keep-unit --quiet --console=pipe --private-network --resolv-conf=off \
  --timezone=off --link-journal=no --bind-ro={packages}:/opt/reliance-daemon/packages \
  --bind-ro={repository}:/srv/reliance-daemon -D {scratch}/root -b systemd.unit=basic.target
"""


@dataclass(frozen=True)
class Machine:
    """A booted container."""

    init: int
    """Its PID 1, as this machine counts."""

    def run(self, *words: str, check: bool = True) -> str:
        """What the command prints there; fails with it where it fails, unless not `check`."""
        enter = ["nsenter", "-t", f"{self.init}", *["-m", "-p", "-u", "-i", "-n", "-C", "--"], *words]
        done = subprocess.run(enter, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0 or not check, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, path: str, text: str) -> None:
        """A file there, as root."""
        place = Path(f"/proc/{self.init}/root{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    @contextmanager
    def short_of_memory(self, spare_mb: int) -> Iterator[None]:
        """Inside, all that runs there may take so much more than it does now."""
        if not MEMORY_GROUP.is_dir():
            pytest.skip("no memory control group of the first version here to try it with")
        limit = MEMORY_GROUP / "memory.limit_in_bytes"
        (MEMORY_GROUP / "memory.force_empty").write_text("0")  # what is merely cached
        used = int((MEMORY_GROUP / "memory.usage_in_bytes").read_text())
        limit.write_text(f"{used + spare_mb * 2**20}")
        try:
            yield
        finally:
            limit.write_text("-1")

    def wait_for(self, what: Callable[[], bool], within_s: float = 60) -> float:
        """After how many seconds `what` holds; fails, with the journal, when it does not `within_s`."""
        began = time.monotonic()
        while not what():
            assert time.monotonic() - began < within_s, self.run("journalctl", "-u", "reliance-daemon", "-n", "40")
            time.sleep(0.2)
        return time.monotonic() - began


def why_not() -> str:
    """Why no machine can be booted here; empty where it can."""
    missing = [name for name in ("systemd-nspawn", "nsenter", "unshare") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} missing; apt-get install systemd-container"
    if os.geteuid() != 0:
        return "only root can boot a container"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "this kernel has no overlay file system"
    if _python() is None:
        return f"no {PYTHON} outside the home folders, which the unit cannot see"
    return ""


def _python() -> Path | None:
    places = (Path("/usr/bin") / PYTHON, Path("/usr/local/bin") / PYTHON, Path(sys.base_prefix) / "bin" / PYTHON)
    return next((one for one in places if one.exists() and one.resolve().parts[1] not in ("home", "root")), None)


@contextmanager
def booted(folder: Path, files: dict[str, str]) -> Iterator[Machine]:
    """A machine with these `files`, and the program of this checkout in its place, not yet installed as a service."""
    seed, scratch = folder / "seed", folder / "scratch"
    scratch.mkdir(parents=True)
    _make_environment(seed)
    for name in MASKED:
        (seed / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        (seed / "etc/systemd/system" / name).symlink_to("/dev/null")
    for path, text in files.items():
        (seed / path).parent.mkdir(parents=True, exist_ok=True)
        (seed / path).write_text(text)
    script = BOOT.format(seed=seed, scratch=scratch, packages=_packages(), repository=ROOT)
    with (folder / "console.txt").open("w") as console:
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        nspawn = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            yield _wait_for_boot(nspawn, folder / "console.txt")
        finally:
            nspawn.terminate()  # which it passes on as a request to power off
            try:
                nspawn.wait(timeout=40)
            except subprocess.TimeoutExpired:
                nspawn.kill()
                nspawn.wait()
            if MEMORY_GROUP.is_dir():
                MEMORY_GROUP.rmdir()


def _packages() -> Path:
    """The libraries of the environment that runs this test."""
    return Path(sys.prefix) / "lib" / PYTHON / "site-packages"


def _make_environment(seed: Path) -> None:
    """The program as `install.sh` would put it there, without a network: libraries are borrowed, code is copied."""
    venv, python = seed / VENV, _python()
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(venv)], check=True)
    site = venv / "lib" / PYTHON / "site-packages"
    (site / "borrowed.pth").write_text("/opt/reliance-daemon/packages\n")
    for name in ("daemon", "ensemble", "storage"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([str(python), "-m", "compileall", "-qq", str(site)], check=True)
    script = venv / "bin" / "reliance-daemon"
    script.write_text(f"#!/{VENV}/bin/python\nfrom daemon.cli import main\n\nif __name__ == '__main__':\n    main()\n")
    script.chmod(0o755)


def _limit_from_outside(machine: Machine) -> None:
    """All that PID 1 starts from now on is in the group, and so is all that it takes."""
    if (MEMORY_GROUP.parent / "memory.limit_in_bytes").exists():
        MEMORY_GROUP.mkdir()
        (MEMORY_GROUP / "cgroup.procs").write_text(f"{machine.init}")


def _wait_for_boot(nspawn: "subprocess.Popen[bytes]", console: Path) -> Machine:
    end = time.monotonic() + 60
    while time.monotonic() < end and nspawn.poll() is None:
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
            machine = Machine(int(children[0]))
            if machine.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded"):
                _limit_from_outside(machine)
                return machine
        time.sleep(0.2)
    raise AssertionError(f"the container did not boot: {console.read_text()[-2000:]}")
