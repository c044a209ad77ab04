"""The base of every settings class: frozen, validated, deaf to unknown keys."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """One table of the configuration. Raises pydantic.ValidationError for an unknown key or a value out of range."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
