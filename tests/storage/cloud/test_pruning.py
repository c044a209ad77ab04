"""What nothing needs leaves the bucket, and at no point is anything missing that is named there."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from storage.cloud.bucket import BucketAway, BucketRefused
from storage.cloud.layout import Latest, Snapshot
from storage.cloud.pruning import Removed, prune_bucket
from storage.cloud.pull import pull_version
from storage.cloud.push import Local, push
from storage.cloud.rebuild import State, restore_from
from storage.model_folder import faults, manifest_keys, remove
from storage.model_store import ModelStore
from tests.cloud_emulator import Cloud, Fault
from tests.storage.cloud.conftest import NOW, publish, settled

ROOT = "reliance/models/"


def pushed(cloud: Cloud, machine: Local) -> None:
    push(cloud.bucket(), machine, now=NOW, keep_backups=30)


def prune(cloud: Cloud, needed: set[str], scratch: Path) -> Removed:
    scratch.mkdir(exist_ok=True)
    return prune_bucket(cloud.bucket(timeout_s=0.1), needed, scratch=scratch)


def named(cloud: Cloud) -> set[str]:
    """Every object that any snapshot or LATEST leads to; all of them are there."""
    there = cloud.objects()
    latest = Latest.model_validate_json(there[f"{ROOT}LATEST"])
    assert latest.database is not None
    snapshots = [name for name in there if "snapshots" in name]
    assert ROOT + latest.snapshot_name in snapshots
    names = {f"{ROOT}LATEST", ROOT + latest.database.place, *snapshots}
    for name in snapshots:
        names |= {ROOT + piece.archive for piece in Snapshot.model_validate_json(there[name]).pieces}
    assert names <= set(there)
    return names


def places_of(machine: Local, model_id: str) -> set[str]:
    keys = manifest_keys(machine.models.manifest(model_id))
    return {f"versions/{model_id}.json", *(f"parts/{key}" for key in keys)}


def forget(machine: Local, model_id: str, member: str, month: str) -> None:
    """As `models prune` does, references first."""
    remove(machine.models.manifest_file(model_id))
    for key in (member, f"combiner-{month}"):
        remove(machine.models.part_folder(key))


@pytest.fixture
def aged(cloud: Cloud, machine: Local) -> tuple[Local, str]:
    """A machine that has pushed a version, lost it, and pushed again; and the version's id."""
    lost = publish(machine.models, "2021-08", "member-lost")
    pushed(cloud, machine)
    forget(machine, lost, "member-lost", "2021-08")
    newer = settled(machine, machine.models.root.parent / "signals.db", date(2021, 10, 5))
    pushed(cloud, newer)
    return newer, lost


def test_what_latest_does_not_name_goes_and_the_rest_restores_a_machine(
    cloud: Cloud, aged: tuple[Local, str], tmp_path: Path
) -> None:
    cloud.write(f"{ROOT}archives/README", b"somebody's")
    removed = prune(cloud, set(), tmp_path / "scratch")
    assert (removed.snapshots, removed.archives) == (1, 3)  # two parts and a manifest
    assert removed.size_bytes > 3000
    assert set(cloud.objects()) - named(cloud) == {f"{ROOT}archives/README", *old_backups(cloud)}
    folder = tmp_path / "rebuilt"
    restore_from(cloud.bucket(), State(folder, folder / "models", folder / "signals.db"), at=NOW)
    assert list(faults(ModelStore(folder / "models"))) == []
    assert prune(cloud, set(), tmp_path / "scratch") == Removed()


def old_backups(cloud: Cloud) -> set[str]:
    return {name for name in cloud.objects() if "databases" in name} - named(cloud)


def test_what_a_stored_forecast_needs_and_this_machine_has_lost_stays_and_can_be_brought_back(
    cloud: Cloud, aged: tuple[Local, str], tmp_path: Path
) -> None:
    machine, lost = aged
    needed = {f"versions/{lost}.json", "parts/member-lost", "parts/combiner-2021-08", "parts/never-there"}
    publish(machine.models, "2021-07", "member-older")
    assert prune(cloud, needed, tmp_path / "scratch") == Removed()
    assert lost not in machine.models.model_ids()
    model_id, places = pull_version(cloud.bucket(), machine.models, lost[:9], scratch=tmp_path / "scratch")
    assert (model_id, set(places)) == (lost, needed - {"parts/never-there"})
    assert places[-1] == f"versions/{lost}.json"
    assert list(faults(machine.models)) == []


def test_one_version_is_brought_alone(cloud: Cloud, machine: Local, tmp_path: Path) -> None:
    other = publish(machine.models, "2021-11", "member-b")
    pushed(cloud, machine)
    assert machine.model_id is not None
    empty = ModelStore(tmp_path / "empty")
    (tmp_path / "scratch").mkdir()
    model_id, places = pull_version(cloud.bucket(), empty, other, scratch=tmp_path / "scratch")
    assert (model_id, set(places)) == (other, places_of(machine, other))
    assert empty.model_ids() == [other]
    for name, told in (("2021-1", "2 versions in .* begin with '2021-1'"), ("2020", "no version in .* begins with")):
        with pytest.raises(BucketRefused, match=told):
            pull_version(cloud.bucket(), empty, name, scratch=tmp_path / "scratch")


def away_from(number: int) -> Callable[[str, str], Fault | None]:
    """Requests from that number on come to nothing, or are carried out and nobody hears of it."""
    count = iter(range(1000))
    fault: Fault = "lost" if number % 2 else "dead"
    return lambda *_: fault if next(count) >= number else None


def test_when_the_bucket_goes_away_at_any_request_all_that_is_named_is_there_and_the_next_prune_ends_it(
    cloud: Cloud, aged: tuple[Local, str], tmp_path: Path
) -> None:
    for number in range(20):
        cloud.judge = away_from(number)
        try:
            prune(cloud, set(), tmp_path / "scratch")
            break
        except BucketAway:
            cloud.judge = lambda *_: None
            named(cloud)
    cloud.judge = lambda *_: None
    assert 4 < number < 20
    assert set(cloud.objects()) - named(cloud) == old_backups(cloud)


def test_a_bucket_that_was_never_pushed_to_loses_nothing(cloud: Cloud, tmp_path: Path) -> None:
    cloud.write(f"{ROOT}archives/{'0' * 64}.tar", b"somebody's")
    with pytest.raises(BucketRefused, match="holds nothing yet"):
        prune(cloud, set(), tmp_path / "scratch")
    assert len(cloud.objects()) == 1
