"""What the shell offers when TAB is pressed: configured symbols, versions of models, questions. Never an error."""

from collections.abc import Iterable

import typer

from daemon.config.settings import Settings


def complete_symbol(context: typer.Context, incomplete: str) -> list[str]:
    """Those of the configuration."""
    settings = _settings(context)
    return [] if settings is None else _beginning(settings.market.every_symbol, incomplete)


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """Those in the model folder, newest first."""
    from storage.model_store import ModelStore

    settings = _settings(context)
    if settings is None:
        return []
    ids = ModelStore(settings.storage.models_dir, read_only=True).model_ids()
    return _beginning(sorted(ids, reverse=True), incomplete)


def complete_question(incomplete: str) -> list[str]:
    """Those that come along."""
    from storage.queries import ORDER

    return _beginning(ORDER, incomplete)


def _settings(context: typer.Context) -> Settings | None:
    """By the --config that was typed; None where there is none that can be read: a shell wants no complaint."""
    import os

    from daemon.config.settings import load_settings

    root = context.find_root()
    try:
        return load_settings(root.params.get("config"), os.environ)
    except Exception:  # whatever it is, there is nothing to offer
        return None


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
