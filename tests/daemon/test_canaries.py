"""A secret in every place of the configuration that may hold one is in no output and no file, whatever is asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.config.secrets import SECRET, secret_keys
from daemon.config.settings import Settings, load_settings
from daemon.console.redaction import redacted
from ensemble.options import Options
from storage.secret_urls import has_secret

ROOT = Path(__file__).parents[2]
NOTIFY = '[notify]\nurls = ["json://user:cAnAry1@127.0.0.1:9/cAnAry2?x=cAnAry3"]\n'
HEALTH = '[health]\nping_url = "http://127.0.0.1:9/cAnAry4"\n'
SERVER = '[storage]\nurl = "postgresql+psycopg://user:cAnAry5@127.0.0.1:9/x?connect_timeout=2&password=cAnAry6"\n'
CLUSTER = '[workers]\nengine = "dask"\naddress = "tcp://user:cAnAry7@127.0.0.1:9"\n'
WORDS = [
    ["config", "show"],
    ["config", "show", "--json"],
    ["status", "--monitor"],
    ["--debug", "status"],
    ["doctor"],
    ["db", "check"],
    ["db", "backup"],
    ["--debug", "run-once", "--now", "2021-10-06T03:20:00Z"],
    ["run-once", "--now", "2021-10-06T03:20:00Z"],
]

# One process for all of them, because starting Python for each would take a second each time.
CALL = """
import json, sys
from daemon.cli import main
_, path, commands = sys.argv
for words in json.loads(commands):
    sys.argv = ["reliance-daemon", "--config", path, *words]
    try:
        main()
    except SystemExit as end:
        print("ended with", end.code)
"""


def configured(folder: Path, *tables: str) -> Path:
    path = folder / "config.toml"
    path.write_text(path.read_text().replace("[workers]\nprocesses = 1\n", "") + "".join(tables))
    path.chmod(0o600)
    return path


def test_no_command_shows_a_secret_of_a_database_that_cannot_be_reached(copy: Path) -> None:
    path = configured(copy, NOTIFY, HEALTH, SERVER, CLUSTER)
    done = subprocess.run(
        [sys.executable, "-c", CALL, str(path), json.dumps(WORDS)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert "cAnAry" not in done.stdout + done.stderr
    assert "storage.url postgresql+psycopg://" in done.stdout
    assert "Traceback" in done.stderr  # --debug
    for file in (copy / "state").rglob("*"):
        assert not file.is_file() or b"cAnAry" not in file.read_bytes(), file


@pytest.mark.parametrize("table", [NOTIFY, HEALTH, SERVER, CLUSTER])
def test_each_is_known_as_a_secret(table: str, copy: Path) -> None:
    path = configured(copy, table)
    path.chmod(0o644)
    with pytest.raises(Exception, match="is a secret, and everybody may read") as caught:
        load_settings(path, {})
    assert "cAnAry" not in str(caught.value)


def test_every_field_that_is_marked_as_a_secret_is_tried_here() -> None:
    document = {"notify": {"urls": ["json://x"]}, "health": {"ping_url": "https://x"}}
    tried = {".".join(key) for key in secret_keys(document, Settings)}
    assert {".".join(key) for key in marked(Settings)} == tried


def marked(model: type[Options], place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if field.json_schema_extra == SECRET:
            found.append((*place, name))
        elif isinstance(inner, type) and issubclass(inner, Options):
            found += marked(inner, (*place, name))
    return found


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("at postgresql://u@h/x?password=hidden&a=1 now", "at postgresql://***@h/x?password=***&a=1 now"),
        ("GET https://q.example/v8?crumb=a/b.c&x=1", "GET https://q.example/v8?crumb=***&x=1"),
        ("https://h/x?session=2021-10-01&API_KEY=abc", "https://h/x?session=2021-10-01&API_KEY=***"),
        ("sqlite:///signals.db?timeout=5", "sqlite:///signals.db?timeout=5"),
    ],
)
def test_a_password_or_token_among_the_parameters_of_a_url_is_hidden(said: str, shown: str) -> None:
    assert redacted(said) == shown
    assert has_secret(said) == (said != shown)
