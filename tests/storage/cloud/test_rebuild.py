"""A machine is rebuilt whole or left as it was; damage here is mended, damage there never gets in."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from storage.backups import BackupError
from storage.cloud.bucket import BucketRefused, CloudError
from storage.cloud.layout import ARCHIVES, Latest, Piece, Snapshot, digest_of, snapshot_name
from storage.cloud.pull import check_room, pull
from storage.cloud.push import Local, push
from storage.cloud.rebuild import State, finish, restore_from
from storage.model_folder import faults
from storage.model_store import ModelStore
from storage.sqlite_file import opened
from tests.cloud_emulator import Cloud
from tests.storage.cloud.conftest import NOW, publish
from tests.storage.kill_points import killed_everywhere

ROOT = "reliance/models/"


@pytest.fixture
def mirrored(cloud: Cloud, machine: Local) -> Local:
    push(cloud.bucket(), machine, now=NOW, keep_backups=30)
    return machine


@pytest.fixture
def empty(tmp_path: Path) -> State:
    return state_in(tmp_path / "new")


def state_in(folder: Path) -> State:
    return State(folder, folder / "models", folder / "signals.db")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def settled_in(state: State) -> str:
    assert state.database is not None
    with opened(state.database) as connection:
        return str(connection.execute("SELECT max(session) FROM runs").fetchone()[0])


def rewrite(cloud: Cloud, **changed: object) -> None:
    """LATEST, with other words."""
    said = Latest.model_validate_json(cloud.read(f"{ROOT}LATEST"))
    cloud.write(f"{ROOT}LATEST", said.model_copy(update=changed).encoded())


def replace_snapshot(cloud: Cloud, change: Callable[[tuple[Piece, ...]], tuple[Piece, ...]]) -> None:
    """Another snapshot, which LATEST leads to."""
    said = Latest.model_validate_json(cloud.read(f"{ROOT}LATEST"))
    pieces = Snapshot.model_validate_json(cloud.read(ROOT + said.snapshot_name)).pieces
    content = Snapshot.model_construct(format=1, pieces=change(pieces)).encoded()
    cloud.write(ROOT + snapshot_name(digest_of(content)), content)
    rewrite(cloud, snapshot=digest_of(content))


def test_an_empty_machine_gets_models_and_database_as_they_were(cloud: Cloud, mirrored: Local, empty: State) -> None:
    assert restore_from(cloud.bucket(), empty, at=NOW).model_id == mirrored.model_id
    assert files_of(empty.models) == files_of(mirrored.models.root)
    assert settled_in(empty) == "2021-10-04"
    assert sorted(path.name for path in empty.folder.iterdir()) == ["models", "signals.db"]


def test_a_machine_that_has_something_stays_as_it_is(cloud: Cloud, mirrored: Local, empty: State) -> None:
    for place in ("models/parts/abc/member.json", "signals.db"):
        shutil.rmtree(empty.folder, ignore_errors=True)
        (empty.folder / place).parent.mkdir(parents=True)
        (empty.folder / place).write_bytes(b"mine")
        with pytest.raises(CloudError, match="is there already, and a restore replaces nothing"):
            restore_from(cloud.bucket(), empty, at=NOW)
        assert files_of(empty.folder) == {place: b"mine"}


def test_from_an_empty_bucket_nothing_is_restored(cloud: Cloud, empty: State) -> None:
    with pytest.raises(BucketRefused, match="holds nothing yet"):
        restore_from(cloud.bucket(), empty, at=NOW)
    assert files_of(empty.folder) == {}


def refused(cloud: Cloud, empty: State, match: str) -> None:
    with pytest.raises((CloudError, BackupError), match=match) as said:
        restore_from(cloud.bucket(timeout_s=0.5), empty, at=NOW)
    assert "\n" not in str(said.value)
    assert files_of(empty.folder) == {}


@pytest.mark.parametrize("kind", ["archives", "snapshots", "databases"])
def test_an_object_that_is_another_restores_nothing(cloud: Cloud, mirrored: Local, empty: State, kind: str) -> None:
    name = next(name for name in cloud.objects() if kind in name)
    whole = cloud.read(name)
    cloud.write(name, whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(cloud, empty, "is not what")
    cloud.write(name, whole + b"more")
    refused(cloud, empty, "is not what|larger than")
    cloud.remove(name)
    refused(cloud, empty, "has no such thing")


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2},
        {"snapshot": "../../etc/passwd"},
        {"database": {"name": "../signals.db", "sha256": "0" * 64, "size_bytes": 1}},
        {"database": {"name": "signals-empty-at-20211005T120000Z.db", "sha256": "0" * 64, "size_bytes": 1 << 50}},
        {"surprise": True},
    ],
    ids=str,
)
def test_a_latest_that_this_program_would_not_write_is_refused(
    cloud: Cloud, mirrored: Local, empty: State, changed: Mapping[str, object]
) -> None:
    said = Latest.model_validate_json(cloud.read(f"{ROOT}LATEST")).model_dump(mode="json") | dict(changed)
    cloud.write(f"{ROOT}LATEST", json.dumps(said).encode())
    refused(cloud, empty, "LATEST is refused")


@pytest.mark.parametrize(
    "place",
    ["../evil", "parts/../../evil", "/etc/passwd", "parts/.ssh", "HALT", "signals.db", "parts/a/b", "other/abc"],
)
def test_a_snapshot_with_a_name_that_is_no_piece_is_refused(
    cloud: Cloud, mirrored: Local, empty: State, place: str
) -> None:
    replace_snapshot(cloud, lambda pieces: (*pieces, pieces[0].model_copy(update={"place": place})))
    refused(cloud, empty, "is refused")


def test_a_snapshot_that_is_too_much_or_names_a_place_twice_is_refused(
    cloud: Cloud, mirrored: Local, empty: State
) -> None:
    replace_snapshot(cloud, lambda pieces: (*pieces, pieces[0]))
    refused(cloud, empty, "names a place twice")
    others = [{"place": f"parts/huge-{number}", "size_bytes": 1 << 30} for number in range(65)]
    replace_snapshot(cloud, lambda pieces: (pieces[0], *(pieces[0].model_copy(update=one) for one in others)))
    refused(cloud, empty, "more than any model folder")
    replace_snapshot(cloud, lambda pieces: (pieces[0].model_copy(update={"size_bytes": (1 << 30) + 1}),))
    refused(cloud, empty, "is refused")


def test_what_the_disk_has_no_room_for_is_not_begun(tmp_path: Path) -> None:
    check_room(tmp_path / "not" / "there" / "yet", 1000)
    with pytest.raises(CloudError, match=r"has room for .*free some space"):
        check_room(tmp_path / "not" / "there" / "yet", 1 << 60)


def test_a_disk_that_refuses_is_named_and_nothing_is_restored(cloud: Cloud, mirrored: Local, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CloudError, match=r"file.*: Not a directory; free some space, or mend its rights"):
        restore_from(cloud.bucket(), state_in(tmp_path / "file" / "state"), at=NOW)


def test_a_hostile_archive_that_the_snapshot_vouches_for_gets_nothing_out(
    cloud: Cloud, mirrored: Local, empty: State, tmp_path: Path
) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../../../evil"))
    hostile = content.getvalue()
    cloud.write(f"{ROOT}{ARCHIVES}{digest_of(hostile)}.tar", hostile)
    evil = Piece(place="parts/zzz", sha256=digest_of(hostile), size_bytes=len(hostile))
    before = files_of(tmp_path)
    replace_snapshot(cloud, lambda pieces: (*pieces, evil))
    refused(cloud, empty, r"names a file .*evil")
    assert files_of(tmp_path) == before


def test_a_version_without_its_parts_is_not_restored(cloud: Cloud, mirrored: Local, empty: State) -> None:
    replace_snapshot(cloud, lambda pieces: tuple(one for one in pieces if one.place != "parts/member-a"))
    refused(cloud, empty, "the bucket's models are not whole .*its part member-a is missing")


def test_pull_brings_back_what_is_lost_or_damaged_and_nothing_else(
    cloud: Cloud, mirrored: Local, tmp_path: Path
) -> None:
    whole, store = files_of(mirrored.models.root), mirrored.models
    assert pulled(cloud, store, tmp_path) == []
    publish(store, "2021-11", "member-new")
    extra = files_of(store.root)
    (store.part_folder("member-a") / "weights.npz").write_bytes(b"flipped")
    store.manifest_file(str(mirrored.model_id)).unlink()
    (store.root / "records" / "first-seen.npz").write_bytes(b"damaged")
    assert len(pulled(cloud, store, tmp_path)) == 3
    assert not list(faults(store))
    kept = {name: content for name, content in files_of(store.root).items() if "/.damaged-" not in name}
    assert kept == extra | whole


def pulled(cloud: Cloud, store: ModelStore, tmp_path: Path) -> list[str]:
    scratch = tmp_path / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return pull(cloud.bucket(), store, scratch=scratch)


def test_a_restore_that_was_cut_short_is_finished_by_whoever_opens_the_state(
    cloud: Cloud, mirrored: Local, empty: State, tmp_path: Path
) -> None:
    restore_from(cloud.bucket(), empty, at=NOW)
    expected = files_of(empty.models)
    half = state_in(tmp_path / "half")
    (half.folder / "from-cloud").mkdir(parents=True)
    (empty.models).rename(half.folder / "from-cloud" / "models")
    assert mirrored.backup is not None
    shutil.copy(mirrored.backup.path, half.folder / "from-cloud")
    assert finish(half, at=NOW)
    assert files_of(half.models) == expected
    assert settled_in(half) == "2021-10-04"
    assert not finish(half, at=NOW)


RESTORE = """
from storage.cloud.bucket import Bucket
with Bucket({name!r}, "reliance/models", None, 5) as bucket:
    restore_from(bucket, State(folder, folder / "models", folder / "signals.db"), at=NOW)
"""
PULL = """
from storage.cloud.bucket import Bucket
scratch = folder / "scratch"
scratch.mkdir()
with Bucket({name!r}, "reliance/models", None, 5) as bucket:
    pull(bucket, ModelStore(folder / "models"), scratch=scratch)
"""
IMPORTS = """
import google.cloud.storage, google.api_core.exceptions, google.auth
from storage.cloud.pull import pull
from storage.cloud.rebuild import State, restore_from
from storage.model_store import ModelStore
"""


@pytest.mark.slow
def test_killed_anywhere_a_restore_leaves_nothing_or_all_of_it(
    cloud: Cloud, mirrored: Local, empty: State, tmp_path: Path
) -> None:
    restore_from(cloud.bucket(), empty, at=NOW)
    expected = files_of(empty.models)
    template = tmp_path / "template"
    template.mkdir()
    copies = killed_everywhere(
        template, tmp_path / "copies", RESTORE.format(name=cloud.name), imports=IMPORTS, limit_s=600
    )
    ends = set()
    for copy in copies:
        state = state_in(copy)
        finish(state, at=NOW)  # as the next start does
        there = state.models.exists()
        assert there == (copy / "signals.db").exists()
        if not there:
            restore_from(cloud.bucket(), state, at=NOW)
        assert files_of(state.models) == expected
        assert settled_in(state) == "2021-10-04"
        ends.add(there)
    assert ends == {True, False}


@pytest.mark.slow
def test_killed_anywhere_a_pull_leaves_every_piece_whole_or_missing(
    cloud: Cloud, mirrored: Local, tmp_path: Path
) -> None:
    template = Path(shutil.copytree(mirrored.models.root.parent, tmp_path / "template"))
    store = ModelStore(template / "models")
    (store.part_folder("member-a") / "weights.npz").write_bytes(b"flipped")
    shutil.rmtree(store.part_folder("combiner-2021-10"))
    store.manifest_file(str(mirrored.model_id)).unlink()
    copies = killed_everywhere(template, tmp_path / "copies", PULL.format(name=cloud.name), imports=IMPORTS)
    for copy in copies:
        found = ModelStore(copy / "models")
        wrong = [line for line in faults(found) if "member-a" not in line]
        assert not wrong  # no version without its parts, no half part; the damaged one may still be there
        pulled(cloud, found, copy)
        assert not list(faults(found))
        assert found.model_ids() == [mirrored.model_id]


def test_a_database_on_a_server_is_not_restored_from_a_file(cloud: Cloud, mirrored: Local, empty: State) -> None:
    with pytest.raises(CloudError, match=r"storage\.url names a server"):
        restore_from(cloud.bucket(), replace(empty, database=None), at=NOW)
    assert files_of(empty.folder) == {}
