"""A new configuration is taken up whole, or the old one stays whole."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.config.settings import Settings, load_settings
from daemon.service.reload import changed_keys, reloaded
from daemon.services import Services

ServicesAt = Callable[..., AbstractContextManager[Services]]


def change(folder: Path, old: str, new: str) -> Callable[[], Settings]:
    config = folder / "config.toml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    return lambda: load_settings(config, {})


def test_what_changed_is_in_force_and_named_without_its_value(
    copy: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        read = change(copy, "min_confidence = 0.5", "min_confidence = 0.6")
        after = reloaded(services, read)
        assert after.settings.signals.min_confidence == 0.6
        assert after.engine is services.engine
    assert lines == ["configuration reloaded: changed signals.min_confidence"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("min_confidence = 0.5", "min_confidence = 5", "signals.min_confidence was 5"),
        ("[feed]", "[feed", "config.toml"),
        ('files = { path = "bars" }', "", "feed.files.path"),
        (
            "[workers]",
            '[storage]\nstate_dir = "elsewhere"\n[workers]',
            "storage.state_dir can only change with a restart",
        ),
        ("[workers]", '[log]\nformat = "json"\n[workers]', "log.format can only change with a restart"),
        ("[workers]", "[metrics]\nport = 9123\n[workers]", "metrics.port can only change with a restart"),
    ],
)
def test_a_wrong_one_leaves_the_old_in_force_and_is_one_line(
    old: str, new: str, why: str, copy: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        assert reloaded(services, change(copy, old, new)) is services
    (line,) = lines
    assert line.startswith("configuration not reloaded, the old one stays in force: ")
    assert why in line
    assert "\n" not in line


def test_only_keys_that_differ_are_named() -> None:
    old = Settings()
    assert list(changed_keys(old, old)) == []
    risk = old.risk.model_copy(update={"stop_loss_pct": 1.0})
    assert list(changed_keys(old, old.model_copy(update={"risk": risk}))) == ["risk.stop_loss_pct"]
