"""`models push`, `models pull`, `restore --from-cloud`: a lost machine comes back and forecasts what it would have."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import DaemonError
from daemon.instance import only_instance
from storage.cloud.layout import Latest
from tests.cloud_emulator import Cloud

PROGRAM = "from daemon.cli import main; main()"
THEN = "2021-11-02T03:20:00Z"
"""Four weeks on: a model that was not there when the machine was lost has been trained by then."""


def call(folder: Path, cloud: Cloud, *arguments: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", PROGRAM, "--config", str(folder / "config.toml"), *arguments]
    found = {"RELIANCE_DAEMON__CLOUD__BUCKET": cloud.name, "STORAGE_EMULATOR_HOST": cloud.proxy}
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=os.environ | found)


def done(folder: Path, cloud: Cloud, *arguments: str) -> str:
    result = call(folder, cloud, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(folder: Path, cloud: Cloud, *arguments: str, code: int = 1) -> str:
    result = call(folder, cloud, *arguments)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def without_state(lost: Path, folder: Path) -> Path:
    """The same bars and configuration on another machine."""
    folder.mkdir()
    shutil.copytree(lost / "bars", folder / "bars")
    shutil.copy(lost / "config.toml", folder)
    return folder


def said(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that was forecast, decided and settled live, to the bit."""
    tables = ("forecasts", "member_forecasts", "signals", "trades", "account", "outcomes", "models")
    with closing(sqlite3.connect(folder / "state" / "signals.db")) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}


@pytest.mark.slow
def test_a_machine_rebuilt_from_the_bucket_goes_on_to_the_bit_as_the_lost_one_would_have(
    cloud: Cloud, copy: Path, tmp_path: Path
) -> None:
    pushed = json.loads(done(copy, cloud, "models", "push", "--json"))
    assert pushed["objects"] > 20
    assert "0 objects, 0.0 MB sent" in done(copy, cloud, "models", "push")
    rebuilt = without_state(copy, tmp_path / "rebuilt")
    told = json.loads(done(rebuilt, cloud, "restore", "--from-cloud", "--json"))
    assert pushed["mirrored"].split()[0] in told.values()
    assert said(rebuilt) == said(copy)
    before, models = len(said(copy)["forecasts"]), len(said(copy)["models"])
    for folder in (copy, rebuilt):
        done(folder, cloud, "run-once", "--now", THEN)
    assert said(rebuilt) == said(copy)
    assert len(said(rebuilt)["forecasts"]) > before
    assert len(said(rebuilt)["models"]) > models
    done(rebuilt, cloud, "verify", "--since", "2021-09-28")


@pytest.mark.slow
def test_what_was_mirrored_is_the_state_and_what_is_in_the_way_is_refused(
    cloud: Cloud, copy: Path, tmp_path: Path
) -> None:
    done(copy, cloud, "models", "push")
    before = cloud.objects()
    assert "is there already, and a restore replaces nothing" in refused(copy, cloud, "restore", "--from-cloud")
    with only_instance(copy / "state"):
        assert "already works on" in refused(copy, cloud, "restore", "--from-cloud", code=75)
    fresh = without_state(copy, tmp_path / "fresh")
    done(fresh, cloud, "run-once", "--now", "2021-10-06T03:20:00Z")
    assert "holds another account" in refused(fresh, cloud, "models", "push")
    assert cloud.objects() == before
    done(fresh, cloud, "models", "push", "--take-over")
    assert Latest.model_validate_json(cloud.read("reliance/models/LATEST")).settled is None


@pytest.mark.slow
def test_pull_mends_what_is_damaged_and_status_tells_of_the_mirror(cloud: Cloud, copy: Path) -> None:
    done(copy, cloud, "models", "push")
    part = next(path for path in sorted((copy / "state" / "models" / "parts").iterdir()) if path.is_dir())
    whole = {path.name: path.read_bytes() for path in part.iterdir()}
    next(iter(part.iterdir())).write_bytes(b"damaged")
    assert "1 piece brought" in done(copy, cloud, "models", "pull")
    assert {path.name: path.read_bytes() for path in part.iterdir()} == whole
    assert "nothing was missing" in done(copy, cloud, "models", "pull")
    told = call(copy, cloud, "status", "--now", "2021-10-06T03:00:00Z").stdout
    assert [line for line in told.splitlines() if line.startswith("Cloud: 2021-10-")]
    found = json.loads(call(copy, cloud, "doctor", "--cloud", "--json").stdout)["findings"]
    assert {(one["check"], one["level"]) for one in found} >= {("cloud", "ok"), ("bucket", "ok")}


@pytest.mark.slow
def test_push_prunes_while_nobody_works_and_pull_brings_back_the_one_version_that_was_lost(
    cloud: Cloud, copy: Path
) -> None:
    done(copy, cloud, "models", "push")
    (september,) = (copy / "state" / "models" / "versions").glob("2021-09-*.json")
    whole = september.read_bytes()
    september.unlink()
    with only_instance(copy / "state"):
        assert "already works on" in refused(copy, cloud, "models", "push", "--prune", code=75)
    pruned = json.loads(done(copy, cloud, "models", "push", "--prune", "--json"))["pruned"]
    assert pruned == {"snapshots": 0, "archives": 0, "size_bytes": 0}  # stored forecasts name it
    told = done(copy, cloud, "models", "pull", "2021-09")
    assert f"versions/{september.name}" in told
    assert september.read_bytes() == whole
    pruned = json.loads(done(copy, cloud, "models", "push", "--prune", "--json"))["pruned"]
    assert (pruned["snapshots"], pruned["archives"]) == (1, 0)
    done(copy, cloud, "verify", "--since", "2021-09-28")


def test_without_a_bucket_one_line_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    for words in (["models", "pull"], ["restore", "--from-cloud"]):
        result = CliRunner().invoke(app, ["--config", str(tmp_path / "config.toml"), *words])
        assert isinstance(result.exception, DaemonError)
        assert str(result.exception).startswith("cloud.bucket is not set; name a bucket")


def test_what_another_account_has_in_the_bucket_is_not_taken_over_and_pruned_at_once(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    words = ["models", "push", "--take-over", "--prune"]
    result = CliRunner().invoke(app, ["--config", str(tmp_path / "config.toml"), *words])
    assert result.exit_code == 2
    assert "--take-over first" in result.output


def test_restore_wants_to_know_from_where(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    result = CliRunner().invoke(app, ["--config", str(tmp_path / "config.toml"), "restore"])
    assert result.exit_code == 2
    assert "db restore FILE" in result.output
