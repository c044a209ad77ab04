"""What the README says is so: its commands exist, its queries run, its configurations are in order."""

import re
import sqlite3
import tomllib
from pathlib import Path

import pytest

from daemon.cli import app
from daemon.config.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_it_opens_with_the_two_commands() -> None:
    first = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[0]
    targets = re.findall(r"^make (\S+)", first, re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(f"\n{target}: $(READY)" in MAKEFILE for target in targets)


def test_every_command_it_names_exists() -> None:
    groups = {
        group.name: {one.name for one in group.typer_instance.registered_commands}
        | {one.name for one in group.typer_instance.registered_groups}
        for group in app.registered_groups
        if group.typer_instance is not None
    }
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    named = re.findall(r"`([a-z-]+)(?: ([a-z][a-z-]*))?(?: [-A-Z\[].*?)?`", "\n".join(table_rows()))
    assert {name for name, _ in named} == known | set(groups)
    assert {(name, inner) for name, inner in named if inner} == {
        (name, inner) for name, commands in groups.items() for inner in commands
    }


def table_rows() -> list[str]:
    section = README.split("## Commands")[1].split("## ")[0]
    return [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("query", re.findall(r'sqlite3 -box \S+ "(.*?)"', README))
def test_every_query_gives_rows(query: str, lived: Path) -> None:
    with sqlite3.connect(f"file:{lived}/state/signals.db?mode=ro", uri=True) as database:
        assert database.execute(query).fetchall()


@pytest.mark.parametrize("view", re.findall(r"`(v_\w+)`", README))
def test_every_view_it_names_exists(view: str, lived: Path) -> None:
    with sqlite3.connect(f"file:{lived}/state/signals.db?mode=ro", uri=True) as database:
        database.execute(f"SELECT * FROM {view}")


@pytest.mark.parametrize("snippet", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_every_configuration_in_it_is_in_order(snippet: str) -> None:
    Settings.model_validate(tomllib.loads(snippet))


def test_the_demo_is_configured_for_the_sample_of_its_package() -> None:
    settings = load_settings(ROOT / "docs" / "examples" / "demo.toml", {})
    assert settings.feed.provider == "sample"
    assert settings.storage.state_dir == ROOT / "docs" / "examples" / "state"


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
