"""The clean-up takes what nothing refers to, and never what a forecast, a model or a month still needs."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from daemon.cli import app
from daemon.config.settings import load_settings
from daemon.errors import AlreadyRunning, DaemonError
from daemon.instance import only_instance
from daemon.services import recipe_of
from ensemble.forecasts import Forecast
from storage.engine import open_store, transaction
from storage.forecast_store import write_forecasts
from storage.model_index import ModelEntry, write_model
from storage.model_store import ModelStore
from storage.record_store import records_of

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Installation:
    """A folder with a configuration and a model folder, and a way to run commands on it."""

    folder: Path
    store: ModelStore

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(self.folder / "config.toml"), "cache", *words])

    def json(self, *words: str) -> Any:
        result = self.run(*words, "--json")
        assert result.exception is None, result.exception
        return json.loads(result.stdout)

    def put(self, key: str, kind: str = "logit") -> str:
        files = {"member.json": json.dumps({"kind": kind}).encode(), "weights.npz": b"0" * 1000}
        others = {"combiner": {"combiner.json": b"{}"}, "forecasts": {"odds.npz": b"1"}}
        self.store.put_part(key, others.get(kind, files))
        return key

    def publish(self, month: str, *, recipe: str, members: Sequence[str], combiner: str) -> str:
        manifest = {"month": month, "recipe": recipe, "members": [["logit", list(members)]], "combiner": combiner}
        return self.store.publish(manifest)

    def record(self, month: str, *, recipe: str, members: Sequence[str], forecasts: str) -> None:
        record = {"month": month, "recipe": recipe, "members": {"logit": list(members)}, "forecasts": forecasts}
        records_of(self.store).put(f"{month}-{recipe}.json", json.dumps(record).encode())

    def forecast_by(self, model_id: str) -> None:
        """Stores a forecast of that model, and the model in the index."""
        engine = open_store(f"sqlite:///{self.folder / 'state' / 'signals.db'}")
        said = Forecast(date(2021, 10, 1), "AAA.NS", "gap", 0.5, 0.5, "mean", model_id, "digest")
        with transaction(engine) as conn:
            write_model(conn, ModelEntry(model_id, model_id[:7], NOW, self.store.manifest(model_id)))
            write_forecasts(conn, "live", [said], decided_at=NOW, late=False, code_version="1")
        engine.dispose()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Two months by the present settings, one by others, a part that nobody needs, a draft and a damaged part."""
    (tmp_path / "config.toml").write_text("")
    settings = load_settings(tmp_path / "config.toml", {})
    settings.storage.state_dir.mkdir()
    open_store(settings.storage.database_url).dispose()
    made = Installation(tmp_path, ModelStore(settings.storage.models_dir))
    ours = recipe_of(settings).digest()
    for key in ("sep", "oct", "old", "orphan"):
        made.put(key)
    made.put("said", "forecasts")
    for key in ("combined", "combined-before"):
        made.put(key, "combiner")
    made.record("2021-09", recipe=ours, members=["sep"], forecasts="said")
    made.publish("2021-10", recipe=ours, members=["oct"], combiner="combined")
    made.record("2021-10", recipe=ours, members=["oct"], forecasts="not-made-yet")
    made.publish("2021-10", recipe="theirs", members=["old"], combiner="combined-before")
    made.record("2021-10", recipe="theirs", members=["old"], forecasts="not-made-yet")
    for leftover in (".draft-1", ".damaged-2"):
        (made.store.root / "parts" / leftover).mkdir()
    return made


def test_each_part_is_listed_with_what_it_is_for(installation: Installation) -> None:
    shown = installation.json("list")
    parts = {part["key"]: part for part in shown["parts"]}
    assert (parts["sep"]["kind"], parts["sep"]["month"], parts["sep"]["member"]) == ("logit", "2021-09", "logit")
    assert (parts["said"]["kind"], parts["said"]["month"], parts["said"]["models"]) == ("forecasts", "2021-09", [])
    assert parts["combined"]["kind"] == "combiner"
    assert [model_id[:7] for model_id in parts["oct"]["models"]] == ["2021-10"]
    assert parts["oct"]["size_bytes"] > 1000
    assert (parts["orphan"]["month"], parts["orphan"]["months"], parts["orphan"]["models"]) == ("", [], [])
    assert shown["totals"]["parts"] == len(parts) == 7
    assert shown["totals"]["unneeded_bytes"] == parts["orphan"]["size_bytes"]


def test_piped_it_is_plain_columns_and_a_line_of_totals(installation: Installation) -> None:
    lines = installation.run("list").stdout.splitlines()
    assert lines[0].split() == [
        "kind",
        "month",
        "member",
        "last",
        "used",
        "(UTC)",
        "referred",
        "to",
        "by",
        "key",
        "size",
    ]
    assert len(lines) == 1 + 7 + 1
    assert lines[-2].split()[-4:-2] == ["nothing", "orphan"]
    assert lines[-1].startswith("7 parts, 0.0 MB; nothing refers to 1 of them")
    assert set("\n".join(lines)).isdisjoint("│┃─━")


def test_an_empty_cache_can_be_listed_pruned_and_verified(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "state").mkdir()
    open_store(f"sqlite:///{tmp_path / 'state' / 'signals.db'}").dispose()
    fresh = Installation(tmp_path, ModelStore(tmp_path / "state" / "models"))
    assert fresh.run("list").stdout.startswith("0 parts")
    assert fresh.run("prune").stdout.startswith("removed 0 parts")
    assert fresh.run("verify").stdout == "0 parts, all whole\n"


def test_what_nothing_refers_to_goes_and_all_else_stays(installation: Installation) -> None:
    pruned = installation.json("prune")
    assert [part["key"] for part in pruned["parts"]] == ["orphan"]
    assert sorted(pruned["leftovers"]) == [".damaged-2", ".draft-1"]
    assert (pruned["models"], pruned["months"], pruned["kept"]) == ([], [], 6)
    assert installation.store.part_keys() == ["combined", "combined-before", "oct", "old", "said", "sep"]
    assert list((installation.store.root / "parts").glob(".*")) == []
    assert installation.run("prune").stdout == "removed 0 parts: 0.0 MB; kept: 6 parts\n"


def test_a_dry_run_says_the_same_and_removes_nothing(installation: Installation) -> None:
    said = installation.run("prune", "--dry-run").stdout
    assert said.startswith("would remove 1 part, 2 drafts and damaged parts: 0.0 MB; kept: 6 parts")
    assert len(installation.store.part_keys()) == 7
    assert len(list((installation.store.root / "parts").glob(".*"))) == 2


def test_what_was_used_lately_stays_if_asked(installation: Installation) -> None:
    long_ago = (NOW - timedelta(days=40)).timestamp()
    installation.put("older-orphan")
    for key in ("older-orphan", ".draft-1"):
        os.utime(installation.store.part_folder(key), (long_ago, long_ago))
    pruned = installation.json("prune", "--older-than", "30")
    assert [part["key"] for part in pruned["parts"]] == ["older-orphan"]
    assert pruned["leftovers"] == [".draft-1"]
    assert installation.store.has_part("orphan")


def test_reading_a_part_is_using_it(installation: Installation) -> None:
    long_ago = (NOW - timedelta(days=40)).timestamp()
    os.utime(installation.store.part_folder("orphan"), (long_ago, long_ago))
    installation.store.get_part("orphan")
    assert installation.json("prune", "--older-than", "30")["parts"] == []


def test_what_other_settings_made_goes_when_asked_parts_model_and_month(installation: Installation) -> None:
    pruned = installation.json("prune", "--other-settings")
    assert sorted(part["key"] for part in pruned["parts"]) == ["combined-before", "old", "orphan"]
    assert (len(pruned["models"]), pruned["months"]) == (1, ["2021-10-theirs.json"])
    assert installation.store.part_keys() == ["combined", "oct", "said", "sep"]
    assert installation.run("verify").stdout == "4 parts, all whole\n"


def test_a_model_that_a_stored_forecast_names_stays_whoever_made_it(installation: Installation) -> None:
    (theirs,) = (
        one for one in installation.store.model_ids() if installation.store.manifest(one)["recipe"] == "theirs"
    )
    installation.forecast_by(theirs)
    pruned = installation.json("prune", "--other-settings")
    assert [part["key"] for part in pruned["parts"]] == ["orphan"]
    assert pruned["models"] == []
    assert installation.store.manifest(theirs)["members"] == [["logit", ["old"]]]


def test_the_parts_of_a_forecasts_model_stay_though_its_manifest_is_lost(installation: Installation) -> None:
    (theirs,) = (
        one for one in installation.store.model_ids() if installation.store.manifest(one)["recipe"] == "theirs"
    )
    installation.forecast_by(theirs)
    installation.store.manifest_file(theirs).unlink()
    installation.json("prune", "--other-settings")
    assert installation.store.has_part("old")
    assert installation.store.has_part("combined-before")


def test_while_a_daemon_works_nothing_is_removed(installation: Installation) -> None:
    with only_instance(installation.folder / "state"):
        result = installation.run("prune")
        assert isinstance(result.exception, AlreadyRunning)
        assert result.exception.exit_code == 75
        assert installation.run("prune", "--dry-run").exception is None
        assert installation.run("list").exception is None
    assert installation.store.has_part("orphan")


def test_without_a_database_nothing_is_removed(installation: Installation) -> None:
    for path in (installation.folder / "state").glob("signals.db*"):
        path.unlink()
    assert installation.run("prune").exception is not None
    assert installation.store.has_part("orphan")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("parts/oct/weights.npz", "weights.npz does not match its checksum"),
        ("parts/sep/sha256.json", "model part sep in"),
        ("versions/{}.json", "manifest does not match its name"),
        ("records/2021-10-theirs.json", "record 2021-10-theirs.json"),
    ],
)
def test_a_damaged_file_is_found_and_left_where_it_is(damage: str, said: str, installation: Installation) -> None:
    assert installation.run("verify").exception is None
    path = installation.store.root / damage.format(installation.store.model_ids()[0])
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = installation.run("verify")
    assert said in result.stdout
    assert isinstance(result.exception, DaemonError)
    assert result.exception.exit_code == 1
    assert path.is_file()


def test_a_missing_part_of_a_model_is_found(installation: Installation) -> None:
    path = installation.store.part_folder("oct")
    path.rename(path.with_name(".draft-gone"))
    assert "its part oct is missing" in installation.run("verify").stdout


def test_members_that_the_present_settings_would_use_stay_whoever_trained_them(installation: Installation) -> None:
    recipe = recipe_of(load_settings(installation.folder / "config.toml", {}))
    (logit,) = (spec for spec in recipe.ensemble.members if spec.name == "logit")
    (key,) = recipe.member_keys(logit, "bars of 2015")
    installation.put(key)
    record = {"month": "2015-01", "recipe": "another stack", "bars": "bars of 2015", "forecasts": "not-made-yet"}
    path = "2015-01-another-stack.json"
    for bars, stays in (("bars of 2015", True), ("other bars", False)):
        content = record | {"bars": bars, "members": {"logit": [key]}}
        records_of(installation.store).put(path, json.dumps(content).encode())
        installation.json("prune", "--other-settings")
        assert installation.store.has_part(key) is stays
        assert (path in records_of(installation.store).names()) is stays


def test_a_record_of_other_settings_goes_once_ours_name_what_they_would_use(installation: Installation) -> None:
    recipe = recipe_of(load_settings(installation.folder / "config.toml", {}))
    keys = {spec.name: recipe.member_keys(spec, "bars") for spec in recipe.ensemble.members}
    for made_by in ("another-stack", recipe.digest()):
        content = {"month": "2015-01", "recipe": made_by, "bars": "bars", "members": keys, "forecasts": "said"}
        records_of(installation.store).put(f"2015-01-{made_by}.json", json.dumps(content).encode())
    pruned = installation.json("prune", "--other-settings")
    assert sorted(pruned["months"]) == ["2015-01-another-stack.json", "2021-10-theirs.json"]
