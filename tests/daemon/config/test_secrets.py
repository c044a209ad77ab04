"""A file with a secret is for its owner alone."""

from pathlib import Path

import pytest
from pydantic import Field

from daemon.config.secrets import SECRET, secret_keys
from daemon.config.settings import load_settings
from daemon.errors import ConfigError
from ensemble.options import Options

WITH_PASSWORD = '[storage]\nurl = "postgresql+psycopg://daemon:hidden@localhost/signals"\n'


class Inner(Options):
    urls: tuple[str, ...] = Field(default=(), json_schema_extra=SECRET)
    name: str = ""


class Outer(Options):
    notify: Inner = Inner()


def written(folder: Path, text: str, mode: int) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o777])
def test_a_password_that_everybody_may_read_is_refused_and_not_shown(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match=r"storage\.url is a secret, and everybody may read .*chmod o-r") as caught:
        load_settings(written(tmp_path, WITH_PASSWORD, mode), {})
    assert "hidden" not in str(caught.value)
    assert "RELIANCE_DAEMON__STORAGE__URL" in str(caught.value)
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_one_for_owner_or_group_alone_is_accepted(tmp_path: Path, mode: int) -> None:
    settings = load_settings(written(tmp_path, WITH_PASSWORD, mode), {})
    assert settings.storage.url is not None


def test_a_password_from_the_environment_makes_no_file_secret(tmp_path: Path) -> None:
    variable = {"RELIANCE_DAEMON__STORAGE__URL": "postgresql+psycopg://daemon:hidden@localhost/signals"}
    assert load_settings(written(tmp_path, "", 0o644), variable).storage.url == variable.popitem()[1]


@pytest.mark.parametrize("url", ["postgresql+psycopg://daemon@localhost/signals", "sqlite:////var/lib/signals.db"])
def test_a_url_without_a_password_is_no_secret(tmp_path: Path, url: str) -> None:
    assert load_settings(written(tmp_path, f'[storage]\nurl = "{url}"\n', 0o644), {}).storage.url == url


def test_a_field_that_is_marked_is_a_secret_whatever_is_in_it() -> None:
    document = {"notify": {"urls": ["tgram://token/chat"], "name": "mine"}}
    assert list(secret_keys(document, Outer)) == [("notify", "urls")]
    assert list(secret_keys({"notify": {"urls": []}}, Outer)) == []


def test_a_document_of_any_shape_is_looked_through() -> None:
    document = {"notify": 3, "other": {"deep": {"list": [1, "https://u:p@host"]}}, "when": None}
    assert list(secret_keys(document, Outer)) == [("other", "deep", "list")]
