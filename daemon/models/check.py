"""Whether versions are whole: every file by its digest, and what they say by their golden input."""

from collections.abc import Iterable

from daemon.models.control import version_faults
from daemon.models.loading import load_model
from storage.model_store import ModelStore, ModelStoreError


def check_versions(store: ModelStore, model_ids: Iterable[str]) -> dict[str, list[str]]:
    """Version -> what is wrong with it; nothing where it is whole."""
    return {model_id: version_faults(store, model_id) or _answers_otherwise(store, model_id) for model_id in model_ids}


def _answers_otherwise(store: ModelStore, model_id: str) -> list[str]:
    try:
        _ = load_model(store, model_id).members
    except ModelStoreError as error:
        return [str(error)]
    return []
