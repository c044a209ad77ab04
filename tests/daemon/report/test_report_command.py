"""`report` writes one file, whole or not at all, and says where."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import DaemonError
from daemon.instance import only_instance

NOW = ("--now", "2021-10-05T12:30:00Z")


def report(folder: Path, *words: str) -> str:
    told = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "report", *words], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.stdout


def test_it_is_written_where_it_is_wanted_while_the_daemon_works(replayed: Path, tmp_path: Path) -> None:
    with only_instance(replayed / "state"):
        said = report(replayed, *NOW, "--out", str(tmp_path / "new" / "mine.html"), "--symbol", "AAA.NS")
    path = tmp_path / "new" / "mine.html"
    assert said == f"{path}, {path.stat().st_size / 1e6:.1f} MB\n"
    page = path.read_text()
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.html"]
    assert "AAA.NS: report of reliance-daemon" in page


def test_by_default_it_lies_in_the_state_and_a_script_is_told_where(copy: Path) -> None:
    told = json.loads(report(copy, *NOW, "--json"))
    path = copy / "state" / "report.html"
    assert told == {"file": str(path), "bytes": path.stat().st_size}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_who_may_look_at_the_database_may_look_at_the_daemons_own_report(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELIANCE_DAEMON__STORAGE__GROUP_READ", "true")
    report(copy, *NOW)
    assert stat.S_IMODE((copy / "state" / "report.html").stat().st_mode) == 0o640
    report(copy, *NOW, "--out", str(tmp_path / "mine.html"))
    assert stat.S_IMODE((tmp_path / "mine.html").stat().st_mode) == 0o600


def test_a_file_that_can_not_be_written_is_told_in_a_line(replayed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DaemonError, match=r"file/mine\.html can't be written: .+; name another file\."):
        report(replayed, *NOW, "--out", str(tmp_path / "file" / "mine.html"))
    with pytest.raises(DaemonError, match=r"is a folder; name a file in it\."):
        report(replayed, *NOW, "--out", str(tmp_path))
