"""A kill at any step of a publication leaves every version that is listed whole, and a later attempt ends it."""

from pathlib import Path

from storage.model_folder import faults, leftovers, manifest_keys
from storage.model_store import ModelStore
from tests.storage.kill_points import killed_everywhere

IMPORTS = "from storage.model_store import ModelStore"
WORK = """
store = ModelStore(folder / "models")
for key in ("logit", "combiner"):
    store.put_part(key, {f"{key}.json": b"{}", "weights.npz": b"1" * 5000})
names = {"month": "2021-10", "combiner": "combiner", "members": [["logit", ["logit"]]]}
store.publish(names | {"parts": {key: store.part_digest(key) for key in ("combiner", "logit")}})
"""


def test_a_kill_at_any_step_of_a_publication_leaves_every_listed_version_whole(tmp_path: Path) -> None:
    template = tmp_path / "template"
    before = ModelStore(template / "models")
    before.put_part("old", {"old.json": b"{}"})
    old = before.publish(
        {"month": "2021-09", "combiner": "old", "members": [], "parts": {"old": before.part_digest("old")}}
    )
    folders = killed_everywhere(template, tmp_path / "copies", WORK, imports=IMPORTS)
    published = []
    for folder in folders:
        store = ModelStore(folder / "models")
        assert list(faults(store)) == []
        assert old in store.model_ids()
        for model_id in store.model_ids():
            manifest = store.manifest(model_id)
            assert {store.part_digest(key) for key in manifest_keys(manifest)} == set(manifest["parts"].values())
        published.append(len(store.model_ids()) == 2)
        exec(WORK, {"ModelStore": ModelStore, "folder": folder})
        assert len(store.model_ids()) == 2
    assert len(folders) > 20
    assert (published[0], published[-1]) == (False, True)
    assert sorted(published) == published
    assert leftovers(ModelStore(folders[-1] / "models")) == []
