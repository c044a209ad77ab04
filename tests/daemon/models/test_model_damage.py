"""One flipped bit in whatever a model is made of is refused, and what it was made from makes it again."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.model_folder import faults
from storage.model_store import ModelStore, ModelStoreError
from storage.record_store import records_of
from storage.sqlite_file import opened

ServicesAt = Callable[..., AbstractContextManager[Services]]


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def files_of_each_kind(root: Path) -> list[Path]:
    """One file of each name in the parts, and every manifest and record."""
    parts = {path.name: path for path in sorted((root / "parts").glob("[!.]*/*")) if path.stat().st_size}
    return [*parts.values(), *(root / "versions").iterdir(), *(root / "records").iterdir()]


def test_a_flipped_bit_in_any_file_of_a_part_a_manifest_or_a_record_is_refused(copy: Path) -> None:
    store = ModelStore(copy / "state" / "models", read_only=True)
    tried = 0
    for path in files_of_each_kind(store.root):
        size = path.stat().st_size
        for at in range(0, size, max(size // 16, 1)):
            bit = at % 8
            flip(path, at, bit)
            if path.parent.name == "versions":
                with pytest.raises(ModelStoreError, match="does not match its name"):
                    store.manifest(path.stem)
            elif path.parent.name == "records":
                assert records_of(store).get(path.name) is None
            else:
                with pytest.raises(ModelStoreError, match=r"does not match its checksum|cannot be read"):
                    store.get_part(path.parent.name)
            flip(path, at, bit)
            tried += 1
    assert tried > 200
    assert list(faults(store)) == []


def forecasts(folder: Path) -> list[Any]:
    with opened(folder / "state" / "signals.db") as database:
        return database.execute("SELECT * FROM forecasts ORDER BY session, symbol, label").fetchall()


def test_where_all_but_the_members_is_damaged_the_same_model_is_made_of_them_and_serves(
    copy: Path, services_at: ServicesAt, tmp_path: Path, lines: list[str]
) -> None:
    undisturbed = Path(shutil.copytree(copy, tmp_path / "undisturbed"))
    with services_at(undisturbed, "2021-10-06 08:50") as services:
        reconcile(services)
    models = copy / "state" / "models"
    there = [path for path in models.rglob("*") if path.is_file() and path.stat().st_size]
    damaged = [path for path in there if not (path.parent / "member.json").exists()]
    for path in damaged:
        flip(path, path.stat().st_size // 2)
    with services_at(copy, "2021-10-06 08:50") as services:
        assert [task.kind for task in reconcile(services).done] == ["decide"]
    assert forecasts(copy) == forecasts(undisturbed)
    assert any("its manifest does not match its name" in line for line in lines)
    assert len(damaged) > 10
