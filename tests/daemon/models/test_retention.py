"""Versions go that nothing needs; what a stored forecast names, serves, or can be gone back to stays."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from daemon.cli import app
from daemon.instance import only_instance
from daemon.models.retention import expendable_versions, prune_versions
from daemon.models.standing import Standing
from daemon.services import Services
from daemon.verifying.verify import verify
from storage.engine import reading, transaction
from storage.model_folder import faults, size_bytes
from storage.model_index import ModelEntry, read_models, spoken_models, write_model
from storage.model_store import ModelStore

ServicesAt = Callable[..., AbstractContextManager[Services]]


def spare(services: Services, months: tuple[str, ...]) -> list[str]:
    """Versions that nothing speaks of, each with a part of its own."""
    made = []
    for month in months:
        services.models.put_part(f"part-{month}", {"weights.bin": month.encode() * 10_000})
        manifest = {"month": month, "recipe": "r", "combiner": f"part-{month}", "members": []}
        made.append(services.models.publish(manifest))
        with transaction(services.engine) as conn:
            write_model(conn, ModelEntry(made[-1], month, services.clock.now(), manifest))
    return made


def prune(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "models", "prune", *words])


def ids(folder: Path) -> list[str]:
    return ModelStore(folder / "state" / "models").model_ids()


def test_versions_that_nothing_needs_go_with_their_parts_and_all_else_is_whole(
    copy: Path, services_at: ServicesAt
) -> None:
    before = ids(copy)
    with services_at(copy, "2021-10-05 18:00") as services:
        old, older = spare(services, ("2021-03", "2021-02"))
    assert prune(copy, "--dry-run").exit_code == 0
    assert set(ids(copy)) == {*before, old, older}
    assert prune(copy, "--keep", "0").exit_code == 0
    assert ids(copy) == before
    with services_at(copy, "2021-10-05 18:00") as services:
        assert not services.models.has_part("part-2021-03")
        assert list(faults(services.models)) == []
        with reading(services.engine) as conn:
            assert {entry.model_id for entry in read_models(conn)} == {*before, old, older}  # what they were is known
            first = conn.scalar(text("SELECT min(session) FROM forecasts"))
        assert verify(services, since=services.clock.now().date().fromisoformat(first)).passes(allow_unreplayed=False)


def test_with_a_budget_the_oldest_go_until_it_is_kept(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        newer, older = spare(services, ("2021-03", "2021-02"))
        total = size_bytes(services.models.root)
        with reading(services.engine) as conn:
            spoken = {entry.model_id: entry.manifest for entry in spoken_models(conn)}
            going = expendable_versions(conn, Standing(), spoken, keep=0)
            assert going == [older, newer]
            assert set(expendable_versions(conn, Standing(served=(older,)), spoken, keep=0)) == {newer}
            assert expendable_versions(conn, Standing(), spoken, keep=99) == []
        pruned, left = prune_versions(services.models, going, spoken, budget_bytes=total - 1000, dry_run=False)
        assert pruned.models == (older,)
        assert left == size_bytes(services.models.root) <= total - 1000
        assert newer in services.models.model_ids()


def test_a_budget_that_cannot_be_kept_is_one_line_and_nothing_needed_goes(copy: Path) -> None:
    before = ids(copy)
    said = prune(copy, "--keep", "0", "--budget-mb", "0")
    assert said.exit_code == 1
    assert "--budget-mb was 0; stored forecasts, months or who serves need them." in str(said.exception)
    assert ids(copy) == before


@pytest.mark.parametrize("value", ["nan", "inf", "1e300"])
@pytest.mark.parametrize("words", [("models", "prune", "--budget-mb"), ("cache", "prune", "--older-than")])
def test_a_limit_that_no_folder_reaches_is_refused(words: tuple[str, ...], value: str) -> None:
    result = CliRunner().invoke(app, [*words, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{words[-1]}'" in result.output


def test_nothing_is_taken_from_a_daemon_at_work(copy: Path) -> None:
    with only_instance(copy / "state"):
        said = prune(copy)
    assert said.exception is not None
    assert getattr(said.exception, "exit_code", None) == 75


@pytest.mark.parametrize("keep", [0, 2])
def test_the_newest_versions_stay_when_that_is_asked(keep: int, copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        (newest,) = spare(services, ("2022-01",))
    prune(copy, "--keep", str(keep))
    assert (newest in ids(copy)) == (keep > 0)
