"""Published versions, read: each part by its digest, and asked whether it still says what it said."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from daemon.models.golden import check_golden
from ensemble.members.tasks import load_member
from ensemble.model import Members, Model
from ensemble.stacking.combiner import Combiner, load_combiner
from storage.model_folder import manifest_keys
from storage.model_store import ModelStore, ModelStoreError

Keys = Mapping[str, Sequence[str]]
"""Member name -> the keys of its trained parts, one a seed."""


def load_members(store: ModelStore, keys: Keys, digests: Mapping[str, str] | None = None) -> Members:
    """The trained members from their parts. Raises ModelStoreError, where one is not of its digest too."""
    known = digests or {}
    return {name: [load_member(store.get_part(key, known.get(key))) for key in seeds] for name, seeds in keys.items()}


def load_model(store: ModelStore, model_id: str) -> Model:
    """A published version. Raises ModelStoreError when it is missing or damaged, for the members when they are read."""
    with _readable(model_id):
        manifest = store.manifest(model_id)
        key = manifest["combiner"]
        combiner = load_combiner(store.get_part(key, manifest.get("parts", {}).get(key)))
        return Model(model_id, manifest["month"], combiner, partial(_members, store, model_id, combiner))


def set_damaged_aside(store: ModelStore, model_id: str) -> None:
    """Reads every part of a model, so that the damaged ones count as missing and are made again."""
    for key in manifest_keys(store.manifest(model_id)):
        with suppress(ModelStoreError):
            store.get_part(key)


def _members(store: ModelStore, model_id: str, combiner: Combiner) -> Members:
    manifest = store.manifest(model_id)
    digests = manifest.get("parts", {})
    with _readable(model_id):
        members = load_members(store, dict(manifest["members"]), digests)
        golden = manifest.get("golden")  # a version from before there were any has none
        if golden is not None:
            check_golden(store.get_part(golden, digests[golden]), members, combiner, tuple(manifest["features"]))
        return members


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Files that are as listed and yet make no sense are a damaged version too: they may come from elsewhere."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelStoreError(f"model {name} cannot be read: {type(error).__name__}: {error}.") from error
