"""Housekeeping does not stumble over what a crash left, or over a daemon at work."""

from pathlib import Path

import pytest

from storage.model_folder import faults, leftovers, remove
from storage.model_store import ModelStore


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_part_can_be_removed_though_a_crash_left_half_of_it_before(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(folder: Path) -> None:
        raise KeyboardInterrupt

    store.put_part("abc", {"odds.npz": b"1"})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            remove(store.part_folder("abc"))
    assert not store.has_part("abc")
    store.put_part("abc", {"odds.npz": b"1"})
    remove(store.part_folder("abc"))
    (left,) = leftovers(store)
    remove(left)
    assert list((store.root / "parts").iterdir()) == []


def test_a_model_published_while_parts_are_compared_is_no_fault(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def published_meanwhile(one: ModelStore) -> list[str]:
        listed = [path.name for path in (one.root / "parts").glob("[!.]*")]
        one.put_part("new", {"combiner.json": b"{}"})
        one.publish({"month": "2021-10", "members": [], "combiner": "new"})
        return listed

    monkeypatch.setattr(ModelStore, "part_keys", published_meanwhile)
    assert list(faults(store)) == []
