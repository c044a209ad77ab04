"""The [notify] table: who is told, and what."""

import hashlib
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from daemon.config.secrets import SECRET
from ensemble.options import Options

Event = Literal["signal", "failure", "halt", "resume", "recovery", "digest", "model"]
LIBRARY = "apprise"


def _url(text: str) -> str:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", text):
        return text
    raise ValueError('it must be a URL of Apprise, such as "mailto://user:password@example.org"')


def _listed(value: Any) -> Any:
    # A variable of the environment that holds one URL holds it as it is.
    return (value,) if isinstance(value, str) else value


class NotifyOptions(Options):
    """The [notify] table: who is told, and what."""

    urls: Annotated[tuple[Annotated[str, AfterValidator(_url)], ...], BeforeValidator(_listed)] = Field(
        default=(), description="whom to tell, as URLs of Apprise", json_schema_extra=SECRET
    )
    events: tuple[Event, ...] = Field(
        default=("signal", "failure", "halt", "resume", "recovery", "digest", "model"), description="what they are told"
    )
    timeout_s: float = Field(default=15, ge=1, le=300, description="how long one message to one channel may take")

    @model_validator(mode="after")
    def _can_be_told(self) -> "NotifyOptions":
        if self.urls and find_spec(LIBRARY) is None:
            raise ValueError(
                'notify.urls needs the package apprise, which is not installed; install "reliance-daemon[notify]", '
                "or leave notify.urls out"
            )
        return self

    @property
    def channels(self) -> Mapping[str, str]:
        """URL by the name of its channel."""
        return {channel_of(url): url for url in self.urls}


def channel_of(url: str) -> str:
    """A name that gives nothing away: "json-3fa94c0d"."""
    scheme = url.partition("://")[0].lower()
    return f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
