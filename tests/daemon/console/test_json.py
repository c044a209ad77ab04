"""Commands that change something tell a script what they did."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.notify import messenger
from storage.migrations import HEAD_REVISION


def asked(folder: Path, *words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_bars_that_are_written_are_counted(copy: Path, tmp_path: Path) -> None:
    told = asked(copy, "bars", "export", "AAA.NS", "--out", str(tmp_path / "out"))
    lines = (tmp_path / "out" / "AAA.NS.csv").read_text().splitlines()
    assert told == {"folder": str(tmp_path / "out"), "bars": {"AAA.NS": len(lines) - 1}}


def test_what_is_stated_is_told_once_as_new(copy: Path) -> None:
    words = ("bars", "state", "AAA.NS", "2021-10-01", "bonus", "2/1")
    first, again = asked(copy, *words), asked(copy, *words)
    stated = {"symbol": "AAA.NS", "session": "2021-10-01", "kind": "bonus", "taken_back": False}
    assert first == stated | {"new": True}
    assert again == stated | {"new": False}


def test_a_halt_tells_from_when_on_and_its_end_what_it_ended(copy: Path) -> None:
    now = ("--now", "2021-10-05T12:30:00Z")
    assert asked(copy, "halt", *now) == {"halted_from": "2021-10-06"}
    assert asked(copy, "resume", *now) == {"ended": ["KILL_SWITCH"], "file_halts": False}
    assert asked(copy, "resume", *now) == {"ended": [], "file_halts": False}


def test_a_database_tells_its_schema_and_where_it_was_restored_from(copy: Path) -> None:
    assert asked(copy, "db", "upgrade") == {"schema": HEAD_REVISION, "upgraded": False, "backup": None}
    backup = asked(copy, "db", "backup")["path"]
    told = asked(copy, "db", "restore", backup)
    assert told["restored_from"] == backup
    assert Path(told["moved_aside"]).is_file()


def test_a_configuration_that_is_in_order_passes(copy: Path) -> None:
    assert asked(copy, "config", "check") == {"passes": True}


def test_each_channel_is_told_of(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text() + '\n[health]\nping_url = "https://ping.example/1"\n')
    config.chmod(0o600)
    monkeypatch.setattr(messenger, "send", lambda message: None)
    assert asked(copy, "notify", "test") == {"channels": [{"channel": "ping", "refused": None}]}
