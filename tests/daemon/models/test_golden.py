"""Before a version speaks it is asked what it said when it was made; nothing that is loaded is believed unasked."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.models.golden import FILE
from daemon.models.loading import load_model
from daemon.services import Services
from ensemble.members.fitted import pack_arrays, unpack_arrays
from storage.model_folder import manifest_keys
from storage.model_store import ModelStore, ModelStoreError

ServicesAt = Callable[..., AbstractContextManager[Services]]


@pytest.fixture
def store(copy: Path) -> ModelStore:
    return ModelStore(copy / "state" / "models")


def newest(store: ModelStore) -> str:
    return store.model_ids()[-1]


def republished(store: ModelStore, kind: str, files: dict[str, bytes]) -> str:
    """The newest version with another part in place of its own of that kind, every digest as it should be."""
    manifest = store.manifest(newest(store))
    store.put_part("other", files)
    manifest[kind] = "other"
    manifest["parts"] = {key: store.part_digest(key) for key in manifest_keys(manifest)}
    return store.publish(manifest)


def test_the_manifest_names_each_part_by_its_digest_and_how_it_came_about(store: ModelStore) -> None:
    september, october = (store.manifest(model_id) for model_id in store.model_ids())
    assert set(october["parts"]) == manifest_keys(october)
    assert october["parts"] == {key: store.part_digest(key) for key in october["parts"]}
    assert (september["parent"], october["parent"]) == (None, store.model_ids()[0])
    assert october["question"] == september["question"]
    assert set(october["seeds"]) == {"small", "logit", "lightgbm"}
    assert len(set(october["seeds"]["small"])) == len(dict(october["members"])["small"])
    assert {"numpy", "lightgbm", "TA-Lib"} <= set(october["libraries"])


def test_a_version_answers_its_golden_input_as_on_the_day_it_was_made(store: ModelStore) -> None:
    assert set(load_model(store, newest(store)).members) == {"small", "logit", "lightgbm"}


@pytest.mark.parametrize("what", ["members", "combined"])
def test_a_version_that_answers_otherwise_is_refused_though_every_file_is_whole(what: str, store: ModelStore) -> None:
    manifest = store.manifest(newest(store))
    files = dict(store.get_part(manifest["golden"]))
    arrays = unpack_arrays(files[FILE])
    arrays[what] = arrays[what] + 1e-5
    model_id = republished(store, "golden", files | {FILE: pack_arrays(arrays)})
    with pytest.raises(ModelStoreError, match=f"its {what} answer the golden input otherwise"):
        _ = load_model(store, model_id).members


@pytest.mark.parametrize("files", [{"combiner.json": b"[]"}, {"combiner.json": b"{"}, {"other.json": b"{}"}])
def test_files_that_are_as_listed_and_make_no_sense_are_one_line(files: dict[str, bytes], store: ModelStore) -> None:
    with pytest.raises(ModelStoreError, match=r"^model 2021-10-\w+ cannot be read"):
        load_model(store, republished(store, "combiner", files))


def test_a_version_from_before_there_were_digests_is_read_without_them(store: ModelStore) -> None:
    manifest = store.manifest(newest(store))
    for later in ("parts", "golden", "question", "libraries", "seeds", "parent"):
        del manifest[later]
    assert load_model(store, store.publish(json.loads(json.dumps(manifest)))).members
