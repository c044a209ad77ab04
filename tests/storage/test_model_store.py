"""A stored model is whole or not there, and what was damaged is refused."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage import part_bounds
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


def test_a_part_is_the_one_that_a_manifest_names_or_refused(store: ModelStore) -> None:
    store.put_part("abc", FILES)
    assert store.get_part("abc", store.part_digest("abc")) == FILES
    with pytest.raises(ModelStoreError, match="is another than the version was made of"):
        store.get_part("abc", "0" * 64)
    with pytest.raises(ModelStoreError, match="cannot be read"):
        store.part_digest("abc")  # it was put aside


def put_listed(store: ModelStore, listed: Any) -> None:
    """A part from elsewhere, with that list of files."""
    store.put_part("abc", FILES)
    (store.part_folder("abc") / "sha256.json").write_text(json.dumps(listed))


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "", ".hidden", "a/b"])
def test_a_list_that_leads_out_of_its_folder_is_refused(name: str, store: ModelStore) -> None:
    (store.root / "parts" / "secret").parent.mkdir(parents=True)
    put_listed(store, {name: hashlib.sha256(b"").hexdigest()})
    with pytest.raises(ModelStoreError, match="no plain file name"):
        store.get_part("abc")


@pytest.mark.parametrize("listed", [[], {"member.json": 1}, {str(place): "0" for place in range(65)}])
def test_a_list_of_another_form_or_length_is_refused(listed: Any, store: ModelStore) -> None:
    put_listed(store, listed)
    with pytest.raises(ModelStoreError, match=r"its list"):
        store.get_part("abc")


def test_a_part_larger_than_any_that_is_made_is_not_read(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_part("abc", {"weights.bin": b"1" * 1001})
    monkeypatch.setattr(part_bounds, "MOST_BYTES", 1000)
    with pytest.raises(ModelStoreError, match="its files have 1001 bytes; at most 1000 are read"):
        store.get_part("abc")


def test_an_archive_that_would_unpack_to_too_much_is_refused_by_its_directory(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, zeros=np.zeros(100_000))
    assert len(packed.getvalue()) < 2000
    store.put_part("abc", {"weights.npz": packed.getvalue()})
    assert store.get_part("abc")
    monkeypatch.setattr(part_bounds, "MOST_BYTES", 100_000)
    with pytest.raises(ModelStoreError, match="would unpack to 1 arrays of 800128 bytes"):
        store.get_part("abc")


def test_an_archive_of_too_many_arrays_is_refused(store: ModelStore) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place in range(part_bounds.MOST_ARRAYS + 1):
            archive.writestr(f"{place}.npy", b"")
    store.put_part("abc", {"weights.npz": packed.getvalue()})
    with pytest.raises(ModelStoreError, match="would unpack to 257 arrays"):
        store.get_part("abc")
