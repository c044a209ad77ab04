"""A configuration that means ill, or is no configuration at all, is refused in one short printable line."""

import re
from pathlib import Path

import pytest

from daemon.config.bounds import LARGEST_BYTES, LONGEST_TEXT
from daemon.config.settings import load_settings
from daemon.errors import ConfigError

LONG = "A" * 500_000
BOMBS = {
    "lists in lists": ("a = " + "[" * 100_000 + "]" * 100_000, "lists or tables lie too deep"),
    "a list without end": ("a = " + "[" * 100_000, "lists or tables lie too deep"),
    "tables in tables": ("a = " + "{a=" * 50_000 + "1" + "}" * 50_000, "lists or tables lie too deep"),
    "a key of a key": ("market." + ".".join("a" * 3_000) + " = 1", "lies in more than 20 tables or lists"),
    "a table of a table": ("[" + ".".join("a" * 3_000) + "]\nx = 1", "lies in more than 20 tables or lists"),
    "a number of digits": ("[risk]\ninitial_capital = " + "9" * 100_000, "a number has thousands of digits"),
    "beyond numbers": ("[risk]\ninitial_capital = 1e999999", "risk.initial_capital was inf"),
    "a long symbol": (f'[market]\nsymbols = ["{LONG}"]', "it must be a symbol of Yahoo"),
    "a long key": (f"{LONG} = 1", "it must be a known name"),
    "a long path": (f'[storage]\nstate_dir = "{LONG}"', "storage.state_dir has 500000 characters"),
    "a long url": (f'[storage]\nurl = "sqlite://{":@" * 20_000}"', "storage.url has 40009 characters"),
    "a path that ends early": ('[storage]\nstate_dir = "a\\u0000b"', "not all of them printable"),
    "a path that forges a line": ('[storage]\nstate_dir = "a\\n2021-10-01 INFO BUY"', "not all of them printable"),
    "a path that colours": ('[metrics]\nfile = "a\\u001b[31m"', "metrics.file has 6 characters, not all"),
    "a key that forges a line": ('"a\\n2021-10-01 INFO BUY" = 1', "a key was 'a\\n2021-10-01 INFO BUY'"),
    "half a character": ('[market]\nsymbols = ["\\uD800"]', "not a Unicode scalar value"),
    "a symbol that is a path": ('[market]\nsymbols = ["../../etc/passwd"]', "it must be a symbol of Yahoo"),
    "a symbol that is a format": ('[market]\nsymbols = ["%s{0.__class__}"]', "it must be a symbol of Yahoo"),
    "a symbol that colours": ('[market]\nsymbols = ["A\\u001b[2J"]', 'was "A\\u001b[2J"'),
    "a symbol that is SQL": ('[market]\nsymbols = ["A\'; DROP TABLE bars;--"]', "it must be a symbol of Yahoo"),
}


def refusal(path: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ or {})
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 400
    assert caught.value.exit_code == 78
    return said


@pytest.mark.parametrize("bomb", BOMBS)
def test_each_is_one_short_line(bomb: str, tmp_path: Path) -> None:
    text, message = BOMBS[bomb]
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert message in refusal(path)


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 100_000, "{a=" * 20_000, "\x1b[31m", LONG])
def test_a_variable_can_do_no_more(value: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    for name in ("STATE_DIR", "BACKUPS_KEPT", "URL"):
        refusal(tmp_path / "config.toml", {f"RELIANCE_DAEMON__STORAGE__{name}": value})


def test_what_has_no_end_is_not_read_to_its_end() -> None:
    assert f"larger than {LARGEST_BYTES:,} bytes" in refusal(Path("/dev/zero"))


def test_a_folder_or_a_link_to_itself_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    assert re.search("could not be read", refusal(tmp_path / "loop.toml"))
    assert re.search("could not be read", refusal(tmp_path))


def test_behind_a_link_it_is_the_rights_of_the_file_that_count(tmp_path: Path) -> None:
    secret = '[health]\nping_url = "https://example.org/hidden"\n'
    for mode, refused in ((0o644, True), (0o600, False)):
        target = tmp_path / f"{mode:o}.toml"
        target.write_text(secret)
        target.chmod(mode)
        (tmp_path / f"{mode:o}-link.toml").symlink_to(target)
        if refused:
            assert "hidden" not in refusal(tmp_path / f"{mode:o}-link.toml")
        else:
            assert load_settings(tmp_path / f"{mode:o}-link.toml", {}).health.ping_url == "https://example.org/hidden"


def test_the_longest_text_is_taken(tmp_path: Path) -> None:
    name = "/" + "a" * (LONGEST_TEXT - 1)
    (tmp_path / "config.toml").write_text(f'[storage]\nstate_dir = "{name}"\n')
    assert str(load_settings(tmp_path / "config.toml", {}).storage.state_dir) == name
