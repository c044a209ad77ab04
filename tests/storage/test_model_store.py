"""A stored model is whole or not there, and what was damaged is refused."""

from pathlib import Path

import pytest

from storage.model_store import ModelStore, ModelStoreError

FILES = {"member.json": b'{"kind": "logit"}', "weights.npz": b"\x00\x01"}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_part_comes_back_as_it_was_put(store: ModelStore) -> None:
    assert not store.has_part("abc")
    store.put_part("abc", FILES)
    assert store.has_part("abc")
    assert store.get_part("abc") == FILES


def test_a_part_already_there_stays(store: ModelStore) -> None:
    store.put_part("abc", FILES)
    store.put_part("abc", {"member.json": b"other"})
    assert store.get_part("abc") == FILES
    assert len(list((store.root / "parts").iterdir())) == 1


def test_a_flipped_bit_is_refused_with_the_file_that_holds_it(store: ModelStore) -> None:
    store.put_part("abc", FILES)
    (store.root / "parts" / "abc" / "weights.npz").write_bytes(b"\x00\x03")
    with pytest.raises(ModelStoreError, match=r"weights\.npz does not match its checksum"):
        store.get_part("abc")


def test_a_part_cut_short_is_refused(store: ModelStore) -> None:
    store.put_part("abc", FILES)
    (store.root / "parts" / "abc" / "weights.npz").unlink()
    with pytest.raises(ModelStoreError, match="cannot be read"):
        store.get_part("abc")


def test_a_damaged_part_is_put_aside_and_can_be_made_again(store: ModelStore) -> None:
    store.put_part("abc", FILES)
    (store.root / "parts" / "abc" / "weights.npz").write_bytes(b"\x00\x03")
    with pytest.raises(ModelStoreError):
        store.get_part("abc")
    assert not store.has_part("abc")
    store.put_part("abc", FILES)
    assert store.get_part("abc") == FILES


def test_a_draft_left_by_a_crash_is_no_part(store: ModelStore) -> None:
    draft = store.root / "parts" / ".draft-xyz"
    draft.mkdir(parents=True)
    (draft / "weights.npz").write_bytes(b"half")
    assert not store.has_part("xyz")
    store.put_part("xyz", FILES)
    assert store.get_part("xyz") == FILES


def test_a_version_is_named_by_its_month_and_content(store: ModelStore) -> None:
    first, again = (store.publish({"month": "2021-10", "members": {}}) for _ in range(2))
    other = store.publish({"month": "2021-10", "members": {"logit": ["k"]}})
    assert first == again != other
    assert first.startswith("2021-10-")
    assert store.manifest(other)["members"] == {"logit": ["k"]}


def test_a_manifest_that_was_edited_is_refused(store: ModelStore) -> None:
    model_id = store.publish({"month": "2021-10"})
    path = store.root / "versions" / f"{model_id}.json"
    path.write_text(path.read_text().replace("2021-10", "2021-11"))
    with pytest.raises(ModelStoreError, match="does not match its name"):
        store.manifest(model_id)


def test_a_version_that_is_not_there_is_named(store: ModelStore) -> None:
    with pytest.raises(ModelStoreError, match="model 2021-10-0 is not in"):
        store.manifest("2021-10-0")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = ModelStore(tmp_path / "file" / "models")
    with pytest.raises(ModelStoreError, match="cannot be written"):
        store.put_part("abc", FILES)
    with pytest.raises(ModelStoreError, match="cannot be written"):
        store.publish({"month": "2021-10"})


def test_a_part_without_its_checksums_does_not_hold_the_place_of_one_that_is_made_again(store: ModelStore) -> None:
    store.put_part("abc", FILES)
    (store.root / "parts" / "abc" / "sha256.json").unlink()
    assert not store.has_part("abc")
    store.put_part("abc", FILES)
    assert store.get_part("abc") == FILES
