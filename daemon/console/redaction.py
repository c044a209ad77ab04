"""What no output may hold: secrets, and characters that forge a line or speak to a terminal."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from daemon.config.secrets import SECRET
from ensemble.options import Options
from storage.secret_urls import HIDDEN, PARAMETER, without_secrets

SHORTEST = 4
"""Characters of a part that is looked for; hiding each "a" would make everything unreadable."""

Table = TypeVar("Table", bound=Options)

_secrets: list[str] = []
"""Of this process, longest first: like the log, there is one."""


def hide(secrets: Iterable[str]) -> None:
    """From now on none of these is in what `redacted` returns."""
    _secrets[:] = sorted({*_secrets, *secrets}, key=len, reverse=True)


def redacted(text: str) -> str:
    """The text with *** for every secret that was told to `hide`, and for who logs in by a URL."""
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return without_secrets(text)


def one_line(text: str) -> str:
    """The text in one line: line breaks, control characters, colour codes and invisible characters as escapes."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def secrets_of(options: Options) -> Iterator[str]:
    """Whatever in the settings must be hidden: passwords in URLs, and every part of a value marked as a secret."""
    for name, value in options:
        if isinstance(value, Options):
            yield from secrets_of(value)
            continue
        for text in _texts(value):
            if _is_secret(options, name):
                yield from _parts(text)
            else:
                found = (_split(text).password, *(value for _, value in PARAMETER.findall(text)))
                yield from {form for one in found if one for form in (one, unquote(one))}


def masked(options: Table) -> Table:
    """The same to be shown: *** for every secret, and for who logs in by a URL."""
    changed: dict[str, Any] = {}
    for name, value in options:
        if isinstance(value, Options):
            changed[name] = masked(value)
        elif _is_secret(options, name):
            changed[name] = tuple(HIDDEN for _ in value) if isinstance(value, tuple) else value and HIDDEN
        elif isinstance(value, str):
            changed[name] = without_secrets(value)
    return options.model_copy(update=changed)


def _is_secret(options: Options, name: str) -> bool:
    return type(options).model_fields[name].json_schema_extra == SECRET


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, str):
            yield item


def _parts(text: str) -> Iterator[str]:
    """The URL, and each part of it by which an error message may give it away: host, path, query, login."""
    yield text
    split = _split(text)
    parts = (split.netloc, split.path, split.query, split.username, split.password, *split.path.split("/"))
    for part in filter(None, parts):
        for form in (part, unquote(part)):
            if len(form) >= SHORTEST:
                yield form


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # no URL after all
        return SplitResult("", "", text, "", "")
