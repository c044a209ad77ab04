"""The help of every command holds an example that parses, scripts get JSON, and TAB knows what is configured."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.console.completion import complete_model, complete_question, complete_symbol
from daemon.console.examples import EXAMPLES, EXIT_CODES, PROGRAM
from tests.daemon.command_lines import ROOT, commands, parse

COMMANDS = dict(commands())
NO_JSON = {
    "serve": "its pages answer, until Ctrl-C; /health and /metrics are for scripts",
    "run": "its log is its output; [log] format and [metrics] are for scripts",
    "forecasts export": "it writes CSV",
    "db datasette": "it writes JSON",
}


def help_of(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert result.exit_code == 0
    return result.output


def test_every_command_has_an_example_and_no_other_has() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_in_the_help_and_parses_as_that_command(name: str) -> None:
    line = f"{PROGRAM} {EXAMPLES[name]}"
    assert parse(line) == name
    assert f"Example: {line}" in " ".join(help_of(*name.split()).split())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_script_gets_json_from_every_command(name: str) -> None:
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts]
    assert ("--json" in options) != (name in NO_JSON)


@pytest.mark.parametrize("wrong", ["reliance-daemon bars shew X", "reliance-daemon backtest --from 2021-01-01"])
def test_a_line_that_is_wrong_does_not_parse(wrong: str) -> None:
    with pytest.raises(Exception, match=r"No such command|Missing parameter"):
        parse(wrong)


def test_the_help_of_the_program_tells_the_exit_codes() -> None:
    said = help_of()
    for code in (0, 1, 2, 3, 75, 78):
        assert any(line.split()[:1] == [str(code)] for line in said.splitlines()), said
    assert "\b" not in said
    assert "Exit codes:" in EXIT_CODES


def context_of(folder: Path) -> Any:
    return ROOT.make_context(PROGRAM, ["--config", str(folder / "config.toml"), "status"])


def test_the_shell_is_offered_symbols_versions_and_questions(lived: Path) -> None:
    context = context_of(lived)
    assert complete_symbol(context, "") == ["AAA.NS", "BBB.NS", "ETF", "^INDEX"]
    assert complete_symbol(context, "B") == ["BBB.NS"]
    newest, *older = complete_model(context, "2021-")
    assert older
    assert newest > older[0]
    assert complete_question("hit") == ["hit-rate-by-confidence", "hit-rate-by-month"]


def test_the_shell_is_offered_nothing_where_the_configuration_cannot_be_read(lived: Path, tmp_path: Path) -> None:
    shutil.copy(lived / "config.toml", tmp_path)
    (tmp_path / "config.toml").write_text("[market]\nsymbols = 3\n")
    assert complete_symbol(context_of(tmp_path), "") == []
    assert complete_model(context_of(tmp_path), "") == []


def test_a_shell_can_be_told_to_complete() -> None:
    result = CliRunner().invoke(app, [], prog_name=PROGRAM, env={"_RELIANCE_DAEMON_COMPLETE": "source_bash"})
    assert "complete -o default -F" in result.output
