"""A secret in a configuration that everybody may read is refused."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from daemon.config.overrides import Key, variable_of
from daemon.errors import ConfigError
from ensemble.options import Options
from storage.secret_urls import has_secret

SECRET: dict[str, Any] = {"secret": True}
"""As `json_schema_extra` of a field: whatever it is set to is nobody else's business."""


def refuse_open_secrets(source: Path, document: Mapping[str, Any], model: type[Options]) -> None:
    """Raises ConfigError when the file `source`, which says `document`, holds a secret and others may read it."""
    if not source.stat().st_mode & stat.S_IROTH:
        return
    for key in secret_keys(document, model):
        raise ConfigError(
            f"{'.'.join(key)} is a secret, and everybody may read {source}; `chmod o-r {source}`, "
            f"or set it in {variable_of(key)} instead."
        )


def secret_keys(document: Mapping[str, Any], model: type[Options] | None, place: Key = ()) -> Iterator[Key]:
    """The keys whose value is a secret: a field marked so, or any text that is a URL with a password."""
    for name, value in document.items():
        field = model.model_fields.get(name) if model else None
        if isinstance(value, Mapping):
            yield from secret_keys(value, _table(field), (*place, name))
        elif value and (_is_marked(field) or any(map(has_secret, _texts(value)))):
            yield (*place, name)


def _table(field: FieldInfo | None) -> type[Options] | None:
    inner: Any = field.annotation if field else None
    return inner if isinstance(inner, type) and issubclass(inner, Options) else None


def _is_marked(field: FieldInfo | None) -> bool:
    extra = field.json_schema_extra if field else None
    return isinstance(extra, dict) and bool(extra.get("secret"))


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item
