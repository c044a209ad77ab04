import importlib.metadata
import importlib.util
import platform
import re
import subprocess
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
PACKAGES = ("daemon", "ensemble", "storage")
MACHINES = [
    {"python_version": version, "python_full_version": f"{version}.0", "platform_machine": machine}
    for version in ("3.11", "3.12", "3.13")
    for machine in ("x86_64", "aarch64")
]
"""Linux on the two kinds of processor, as markers see it."""


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def wanted() -> list[Requirement]:
    groups = project()["dependency-groups"]
    return [Requirement(text) for text in (*project()["project"]["dependencies"], *groups["dev"], *groups["build"])]


def locked() -> list[Requirement]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [Requirement(line.removesuffix(" \\")) for line in lines if not line.startswith(" ")]


def applies(requirement: Requirement, machine: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"sys_platform": "linux", **machine})


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: "-".join(list(machine.values())[::2]))
def test_the_lock_pins_one_version_of_all_that_is_wanted_on_every_machine(machine: dict[str, str]) -> None:
    pins = [requirement for requirement in locked() if applies(requirement, machine)]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(pins)
    for requirement in wanted():
        if applies(requirement, machine):
            assert Version(versions[canonicalize_name(requirement.name)]) in requirement.specifier


def test_every_line_of_the_lock_is_a_pin_or_a_hash_so_it_names_no_host_and_no_folder() -> None:
    pin = r"[a-z0-9-]+==[\w.]+( ; [\w\s<>=!.'()]+)?"
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(rf"({pin}|    --hash=sha256:[0-9a-f]{{64}})( \\)?", line), line


def test_every_pin_has_hashes() -> None:
    text = LOCK.read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text)
    assert len(blocks) == len(locked())
    assert all("--hash=sha256:" in block for block in blocks)


def test_what_is_installed_is_what_the_lock_pins() -> None:
    version = ".".join(platform.python_version_tuple()[:2])
    here = {"python_version": version, "python_full_version": f"{version}.0", "platform_machine": platform.machine()}
    pins = {pin.name: str(pin.specifier).removeprefix("==") for pin in locked() if applies(pin, here)}
    assert {name: importlib.metadata.version(name) for name in pins} == pins


@pytest.mark.parametrize(("step", "wanted"), [("check", "--offline"), ("audit-dependencies", "--strict")])
def test_the_lock_is_checked_without_the_network_and_audited_with_it(tmp_path: Path, step: str, wanted: str) -> None:
    for name in ("pyproject.toml", "requirements.lock", ".venv/.ready"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines = [
        line for line in make("--dry-run", step, folder=tmp_path).stdout.splitlines() if "--require-hashes" in line
    ]
    assert [wanted in line for line in lines] == [True]


@pytest.mark.parametrize("name", PACKAGES)
def test_the_three_package_names_are_ours(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")
    owners = importlib.metadata.packages_distributions().get(name, [])
    assert set(owners) <= {"reliance-daemon"}


def test_the_project_can_not_be_uploaded_by_mistake() -> None:
    assert "Private :: Do Not Upload" in project()["project"]["classifiers"]


def test_the_wheel_holds_the_three_packages_with_their_data_and_nothing_else(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    on_disk = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*")}
    assert inside == {name for name in on_disk if (ROOT / name).is_file() and "__pycache__" not in name}
    for folder in ("ensemble/calendars/", "ensemble/trading/charges/"):
        assert any(name.startswith(folder) and name.endswith(".csv") for name in inside)
    assert any(name.startswith("storage/migrations/versions/") for name in inside)


def make(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_old_python_is_refused_in_one_line_that_names_the_remedy(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2"\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).touch()
    done = make(f"PYTHON={old}", "demo", folder=tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == (
        f"Python 3.11 to 3.13 is needed and {old} is Python 3.9.2; try: make PYTHON=python3.11"
    )
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("target", ["demo", "test", "test-slow", "check", "audit-dependencies", "fix", "bench"])
def test_every_target_sets_up_the_environment_first(tmp_path: Path, target: str) -> None:
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).touch()
    commands = make("--dry-run", target, folder=tmp_path).stdout.splitlines()
    places = [number for number, line in enumerate(commands) if line.startswith("touch .venv/.ready")]
    assert len(places) == 1
    assert any(".venv/bin/" in line for line in commands[places[0] + 1 :])


def test_a_set_up_environment_is_used_as_it_is(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "requirements.lock", ".venv/.ready"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert "pip" not in make("--dry-run", "demo", folder=tmp_path).stdout
