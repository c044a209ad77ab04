"""A record is replaced as a whole, and a damaged one counts as none."""

from pathlib import Path

import pytest

from storage.model_store import ModelStore, ModelStoreError
from storage.record_store import RecordStore, records_of


@pytest.fixture
def records(tmp_path: Path) -> RecordStore:
    return records_of(ModelStore(tmp_path / "models"))


def test_a_record_is_what_was_put_last(records: RecordStore) -> None:
    assert records.get("2021-10.json") is None
    records.put("2021-10.json", b"first")
    records.put("2021-10.json", b"second")
    assert records.get("2021-10.json") == b"second"
    assert records.names() == ["2021-10.json"]


def test_an_equal_record_is_not_written_again(records: RecordStore) -> None:
    records.put("2021-10.json", b"same")
    before = records.path("2021-10.json").stat()
    records.put("2021-10.json", b"same")
    after = records.path("2021-10.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damaged", [b"", b"0" * 64 + b"content", b"short"])
def test_a_damaged_record_counts_as_none_and_can_be_made_again(damaged: bytes, records: RecordStore) -> None:
    records.put("2021-10.json", b"content")
    records.path("2021-10.json").write_bytes(damaged)
    assert records.get("2021-10.json") is None
    records.put("2021-10.json", b"content")
    assert records.get("2021-10.json") == b"content"


def test_a_draft_left_by_a_crash_is_no_record(records: RecordStore) -> None:
    records.root.mkdir(parents=True)
    (records.root / ".draft-2021-10.json").write_bytes(b"half")
    assert records.names() == []
    records.put("2021-10.json", b"whole")
    assert records.names() == ["2021-10.json"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelStoreError, match="cannot be written"):
        RecordStore(tmp_path / "file" / "records").put("2021-10.json", b"content")
