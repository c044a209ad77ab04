"""The log: one line an event, whatever is logged, and no secret in any."""

import io
import json
import logging
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from daemon.console.log import FILE_NAME, LogOptions, open_log
from daemon.console.log_file import LogFile
from daemon.console.redaction import hide, one_line, redacted
from daemon.errors import DaemonError

FORGED = "no bars\n2021-10-01 03:20:00Z INFO    decide 2021-10-01: BUY 1000000\r\x1b[31mred\x1b[0m\u2028\u202e\x00"


@pytest.fixture(autouse=True)
def _usual_log() -> Iterator[None]:
    yield
    logger.remove()
    logger.add(sys.stderr)
    logger.configure(patcher=lambda _: None)


def written(folder: Path, *said: str, error: Exception | None = None, **options: object) -> list[str]:
    open_log(folder, LogOptions.model_validate(options), debug=False, quiet=True)
    for text in said:
        try:
            if error:
                raise error
        except Exception as caught:
            logger.opt(exception=caught).error("{}", text)
        else:
            logger.info("{}", text)
    logger.remove()
    return (folder / FILE_NAME).read_text().splitlines()


@pytest.mark.parametrize("form", ["text", "json"])
@given(said=st.text(min_size=1))
def test_whatever_is_said_is_one_line(form: str, said: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    lines = written(folder, said, format=form)
    assert len(lines) == 1
    assert lines[0].isprintable()


def test_a_provider_can_forge_no_line_and_no_colour(tmp_path: Path) -> None:
    (line,) = written(tmp_path, FORGED)
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ INFO    no bars\\n2021", line)
    assert "\\x1b[31m" in line


def test_a_traceback_is_one_line_without_the_values_of_variables(tmp_path: Path) -> None:
    hidden = "value-of-a-variable"  # noqa: F841  # what diagnose would print
    (line,) = written(tmp_path, "failed", error=ValueError(FORGED))
    assert "ERROR   failed | Traceback (most recent call last):\\n" in line
    assert "value-of-a-variable" not in line


def test_a_json_line_has_its_time_level_message_and_place(tmp_path: Path) -> None:
    lines = written(tmp_path, "one {not a field} <red>", FORGED, format="json")
    one, two = map(json.loads, lines)
    assert set(one) == {"time", "level", "message", "module", "line"}
    assert (one["level"], one["message"]) == ("INFO", "one {not a field} <red>")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one["time"])
    assert two["message"] == one_line(FORGED)


def test_the_level_counts_and_debug_goes_before_it(tmp_path: Path) -> None:
    assert written(tmp_path, "quiet", level="ERROR") == []


def test_a_full_file_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    written(tmp_path, *["x" * 200] * 50, rotation_mb=0.001, retention_files=2)
    assert len(list(tmp_path.glob("reliance-daemon*.log"))) == 3


def test_a_file_that_somebody_removed_is_made_anew_when_it_is_full(tmp_path: Path) -> None:
    file = LogFile(tmp_path / FILE_NAME, full_bytes=10, kept=2)
    file.write("first\n")
    file.path.unlink()
    file.write("past the limit\n")
    file.write("and on\n")
    file.stop()
    assert file.path.read_text() == "and on\n"
    (aside,) = (path for path in tmp_path.iterdir() if path != file.path)
    assert aside.read_text() == "past the limit\n"


def test_a_file_that_could_not_be_changed_is_written_again_once_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = LogFile(tmp_path / "logs" / FILE_NAME, full_bytes=10, kept=2)
    assert "No such file or directory" in capsys.readouterr().err
    file.path.parent.mkdir()
    file.write("first\n")
    shutil.rmtree(file.path.parent)
    file.write("past the limit\n")
    file.write("lost as well\n")
    file.path.parent.mkdir()
    file.write("here\n")
    file.stop()
    assert file.path.read_text() == "here\n"
    written_again, cannot, again = capsys.readouterr().err.splitlines()
    assert written_again.endswith("is written again; it lacks 1 line")
    assert "can't be written (No such file or directory)" in cannot
    assert again.endswith("is written again; it lacks 2 lines")


def test_no_file_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    open_log(tmp_path, LogOptions(file=False), debug=False, quiet=True)
    logger.info("nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("environ", "stamped"), [({}, True), ({"JOURNAL_STREAM": "8:1"}, False)])
def test_under_systemd_standard_error_has_no_time_and_the_file_has(
    environ: dict[str, str], stamped: bool, tmp_path: Path
) -> None:
    with redirect_stderr(io.StringIO()) as shown:
        open_log(tmp_path, LogOptions(), debug=False, environ=environ)
        logger.info("here")
        logger.remove()
    assert shown.getvalue().endswith("INFO    here\n")
    assert shown.getvalue().startswith("2") == stamped
    assert (tmp_path / FILE_NAME).read_text().startswith("2")


def test_a_hidden_text_is_in_no_line_not_even_in_a_traceback(tmp_path: Path) -> None:
    hide(["s3cr3t-canary"])
    said = written(tmp_path, "at https://x/s3cr3t-canary", error=OSError("s3cr3t-canary refused"))
    assert "***" in said[0]
    assert "canary" not in said[0]


def test_whoever_logs_in_by_a_url_is_hidden_without_being_told() -> None:
    assert redacted("postgresql+psycopg://me:pw@host/db failed") == "postgresql+psycopg://***@host/db failed"
    assert redacted("me@example.org, 12:30, https://host/a@b") == "me@example.org, 12:30, https://host/a@b"


def test_other_libraries_do_not_write_into_the_file(tmp_path: Path) -> None:
    open_log(tmp_path, LogOptions(), debug=False, quiet=True)
    logging.getLogger("apprise").error("elsewhere")
    logger.remove()
    assert (tmp_path / FILE_NAME).read_text() == ""


def test_the_log_lies_in_its_own_folder_where_one_is_configured(tmp_path: Path) -> None:
    open_log(tmp_path, LogOptions(folder=tmp_path / "made" / "logs"), debug=False, quiet=True)
    logger.info("here")
    assert "here" in (tmp_path / "made" / "logs" / "reliance-daemon.log").read_text()
    assert not (tmp_path / "reliance-daemon.log").exists()


def test_a_log_that_cannot_be_written_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DaemonError, match=r"can't be written: .*; mend it, or set log.folder or log.file."):
        open_log(tmp_path, LogOptions(folder=tmp_path / "file"), debug=False, quiet=True)
