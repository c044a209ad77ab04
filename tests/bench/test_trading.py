"""The table of what trading came to asks for settings that exist, and leaves nothing out."""

from pathlib import Path

import pytest

from daemon.config.settings import load_settings
from ensemble.labels import LABELS
from tests.bench.trading import Found, Way, figure, summary_row, ways


@pytest.mark.parametrize("way", list(ways()), ids=lambda way: way.title)
def test_every_way_is_a_configuration(way: Way, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    signals = load_settings(tmp_path / "config.toml", way.settings).signals
    assert signals.label.replace("_", " ") in way.title
    assert (signals.gate == "expected_value") == ("expected value" in way.title)


def test_each_label_is_traded_by_either_gate() -> None:
    asked = [(way.settings.get("RELIANCE_DAEMON__SIGNALS__LABEL"), "EXPECTED" in str(way).upper()) for way in ways()]
    assert {(label, gate) for label in LABELS for gate in (True, False)} <= set(asked)


def test_an_account_that_never_traded_has_no_figures_but_its_return() -> None:
    idle: Found = {"performance": {"trades": {"trades": 0}, "returns": {"total_return_pct": 0.0}}}
    assert summary_row(Way("gap", {}), idle) == "| gap | 0 | | | 0.00 | | | |"


def test_figures_are_read_as_people_write_them() -> None:
    assert [figure(one) for one in (None, 1234, 1234.567, -0.5)] == ["-", "1,234", "1,234.57", "-0.50"]
