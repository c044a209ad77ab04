"""A configuration comes back as it was kept, and nothing secret is kept."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import text

from daemon.config.configurations import DECIDES, DECIDES_NOTHING, deciding, restored
from daemon.config.settings import Settings, load_settings
from daemon.errors import ConfigError
from daemon.services import Services, recipe_of
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", ["config.toml", "docs/examples/demo.toml"])
def test_a_kept_configuration_makes_the_same_models_and_trades(path: str) -> None:
    then = load_settings(ROOT / path, {})
    again = restored(deciding(then), Settings())
    assert recipe_of(again).digest() == recipe_of(then).digest()
    decided = (then.labels, then.signals, then.costs, then.risk)
    assert (again.labels, again.signals, again.costs, again.risk) == decided
    assert deciding(again) == deciding(then)


def test_the_order_of_the_context_is_kept_for_it_is_the_order_of_the_features() -> None:
    then = Settings.model_validate({"market": {"context": {"XTKS": ["^N225"], "XNYS": ["EPI"]}}})
    assert list(restored(deciding(then), Settings()).market.context) == ["XTKS", "XNYS"]


def test_where_things_lie_is_not_kept_and_stays_as_it_is_now() -> None:
    secret = {"storage": {"url": "postgresql://daemon:hunter2@host/signals"}, "feed": {"delay_min": 90}}
    then = Settings.model_validate(secret | {"workers": {"processes": 7}})
    assert set(json.loads(deciding(then))) == set(DECIDES)
    assert "hunter2" not in deciding(then)
    now = Settings.model_validate({"feed": {"timeout_s": 5.0}, "workers": {"processes": 2}})
    again = restored(deciding(then), now)
    assert (again.feed.delay_min, again.feed.timeout_s, again.workers.processes) == (90, 5.0, 2)


def test_of_every_table_somebody_has_said_whether_it_decides() -> None:
    assert set(DECIDES) | DECIDES_NOTHING == set(Settings.model_fields)
    assert not set(DECIDES) & DECIDES_NOTHING


def test_a_key_that_this_version_does_not_know_is_named() -> None:
    kept = json.loads(deciding(Settings()))
    kept["risk"]["leverage"] = 3
    with pytest.raises(ConfigError, match=r"its configuration has risk\.leverage as this version does not"):
        restored(json.dumps(kept), Settings())


def test_every_run_says_what_it_was_done_by_and_which_bars_it_knew(
    lived: Path, services_at: ServicesAt, sessions: tuple[str, ...]
) -> None:
    with services_at(lived, "2021-10-05 18:00") as services, reading(services.engine) as conn:
        runs = conn.execute(text("SELECT configuration, bars_known_at, started_at, code_version FROM runs")).all()
        kept = conn.execute(text("SELECT digest, settings FROM configurations")).all()
        settings = services.settings
    assert len(runs) == 2 * len(sessions)
    assert all(run.bars_known_at >= run.started_at and run.code_version for run in runs)
    assert {run.configuration for run in runs} == {kept[0].digest}
    assert [one.settings for one in kept] == [deciding(settings)]
