"""What the docs show can be typed: every command parses and is run (*slow*), every link leads somewhere."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.exceptions import TyperException
from typer.testing import CliRunner

from daemon.cli import app
from tests.daemon.command_lines import PROGRAM, commands, parse
from tests.daemon.test_readme import table_rows

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = dict(commands())
LOOKING = (
    *("calendar show", "calendar check", "config check", "config show", "db ask", "db check", "db datasette"),
    *("explain", "models list", "signals", "status", "trades"),
)
"""Commands that read alone, and need no network."""


def shown_lines(page: Path) -> Iterator[str]:
    """Lines of shell, without comments; what follows a backslash belongs to the line before."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"\s+# .*", "", line).strip()


def shown_commands() -> Iterator[tuple[str, str]]:
    """Page and line, from the program's name on; in running text those that begin with it."""
    called = re.compile(rf"(?:^|\s)((?:\S*/)?{PROGRAM} [^|;&<>]*)")
    for page in PAGES:
        told = re.findall(rf"`((?:\.venv/bin/)?{PROGRAM} [^`]+)`", page.read_text(encoding="utf-8"))
        for line in (*shown_lines(page), *told):
            if not line.startswith(("sudo systemctl", "sudo systemd", "systemctl", "journalctl", "#")):
                found = called.findall(line.rpartition(" -- ")[2])
                yield from ((page.name, one.replace("DATE", "2021-10-01").strip()) for one in found)


def typed(line: str) -> list[str]:
    """The words of a command without what is optional."""
    return re.sub(r"\[.*?\]", "", line).split()


SHOWN = sorted(set(shown_commands()))
FILLED_IN = re.compile(r"\b[A-Z]{2,}\b(?!\.)")
"""A word that stands for another, as FILE; no symbol, such as RELIANCE.NS."""


def only_looks(line: str) -> bool:
    """It has nothing to be filled in, and changes nothing; one that does not parse is another test's affair."""
    plain = " ".join(typed(line))
    try:
        return parse(plain) in LOOKING and not FILLED_IN.search(plain)
    except TyperException:
        return False


def test_the_docs_show_commands() -> None:
    assert len(SHOWN) > 30
    assert {page for page, _ in SHOWN} >= {"README.md", "queries.md", "explain.md", "operations.md", "cloud.md"}


@pytest.mark.parametrize(("page", "line"), SHOWN)
def test_every_command_that_is_shown_parses(page: str, line: str) -> None:
    name = parse(" ".join(typed(line)))
    assert name in COMMANDS
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--config", "--debug"}
    assert set(re.findall(r"--[a-z][a-z-]*", line)) <= known


@pytest.mark.slow
@pytest.mark.parametrize("line", sorted({line for _, line in SHOWN if only_looks(line)}))
def test_every_command_that_only_looks_does_so(line: str, lived: Path, tmp_path: Path) -> None:
    asked = re.sub(r"--config \S+ ", "", line)  # the tests' own stands in for the demo's
    words = ["--config", str(lived / "config.toml"), *typed(asked)[1:]]
    if "--out" in words:
        words[words.index("--out") + 1] = str(tmp_path / "out")
    result = CliRunner().invoke(app, words)
    assert result.exit_code in (0, 1), result.output
    assert result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


SHOWN_ELSEWHERE = {
    "run": "stays; test_loop.py, test_sigterm.py",
    "serve": "stays; dashboard/test_serve.py",
    "audit": "takes minutes; auditing/test_audit.py",
    "sweep": "takes minutes; sweeps/test_sweep.py",
    "models push": "needs a bucket, as the next two; mirror/test_cloud_commands.py",
    "models pull": "",
    "restore": "",
    "notify test": "needs a channel; notify/test_messenger.py",
}
"""Why a command that is shown is not run by the next test."""
FILLED = {"SESSION": "2021-10-05", "LABEL": "gap", "SYMBOL": "AAA.NS"}
OTHERS = [line for line in sorted({line for _, line in SHOWN}) if not only_looks(line)]


@pytest.mark.slow
@pytest.mark.parametrize("line", [one for one in OTHERS if parse(" ".join(typed(one))) not in SHOWN_ELSEWHERE])
def test_every_other_command_ends_well_or_with_one_line(line: str, copy: Path, tmp_path: Path) -> None:
    backup = next((copy / "state" / "backups").glob("*.db"))
    filled = FILLED | {"FILE": str(backup), "BACKUP": str(backup)}
    words = [filled.get(word, word) for word in typed(re.sub(r"--config \S+ ", "", line))[1:]]
    if "--out" in words:
        words[words.index("--out") + 1] = str(tmp_path / "out")
    if "run-once" in words:
        words += ["--now", "2021-10-06T03:20:00Z"]
    program = [sys.executable, "-c", "from daemon.cli import main; main()", "--config", str(copy / "config.toml")]
    result = subprocess.run([*program, *words], capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode in (0, 1)
    assert "Traceback" not in result.stderr
    if result.returncode == 1 and not result.stdout:
        assert any(told.startswith(f"{PROGRAM}: ") for told in result.stderr.splitlines())


@pytest.mark.parametrize("usage", re.findall(r"`([a-z][a-z-]* ?[^`]*)`", "\n".join(table_rows())))
def test_every_option_in_the_table_of_the_readme_exists(usage: str) -> None:
    words = re.findall(r"(?<![\w-])[a-z][a-z-]*", usage)
    name = next((one for one in (" ".join(words[:count]) for count in (3, 2, 1)) if one in COMMANDS), None)
    if name is None:  # a group of commands
        assert any(one.startswith(f"{usage} ") for one in COMMANDS)
        return
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]*", usage)) <= known


TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_that_is_shown_exists(page: Path) -> None:
    shown = [line.split()[1] for line in shown_lines(page) if line.startswith("make ")]
    told = re.findall(r"`make ([a-z-]+)[^`]*`", page.read_text(encoding="utf-8"))
    assert {*shown, *told} <= {*TARGETS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_query_that_is_shown_runs(page: Path, lived: Path) -> None:
    queries = [re.search(r'sqlite3 .*?"(.*)"', line) for line in shown_lines(page)]
    with closing(sqlite3.connect(f"file:{lived}/state/signals.db?mode=ro", uri=True)) as database:
        for query in filter(None, queries):
            database.execute(query[1]).fetchall()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_is_linked_from_somewhere(page: Path) -> None:
    others = [one for one in PAGES if one != page]
    assert page.name == "README.md" or any(page.name in one.read_text(encoding="utf-8") for one in others)
