"""The bucket always names a whole state: the old one or the new one, never a part, and never another's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.backups import BackupError
from storage.cloud.bucket import BucketAway, BucketRefused, Overtaken
from storage.cloud.contents import places
from storage.cloud.layout import BadRecord, Latest, Snapshot, digest_of
from storage.cloud.pull import pull
from storage.cloud.push import Local, Pushed, push
from storage.model_store import ModelStore
from tests.cloud_emulator import Cloud, Fault
from tests.storage.cloud.conftest import BEGUN, NOW, publish, settled

ROOT = "reliance/models/"


def pushed(cloud: Cloud, machine: Local, *, keep: int = 30, take_over: bool = False, timeout_s: float = 5) -> Pushed:
    return push(cloud.bucket(timeout_s=timeout_s), machine, now=NOW, keep_backups=keep, take_over=take_over)


def latest(cloud: Cloud) -> Latest:
    return Latest.model_validate_json(cloud.read(f"{ROOT}LATEST"))


def named(cloud: Cloud) -> set[str]:
    """Every object that LATEST leads to, each found to be what its name or LATEST says."""
    said = latest(cloud)
    content = cloud.read(ROOT + said.snapshot_name)
    assert digest_of(content) == said.snapshot
    names = {"LATEST", said.snapshot_name}
    for piece in Snapshot.model_validate_json(content).pieces:
        assert digest_of(cloud.read(ROOT + piece.archive)) == piece.sha256
        names.add(piece.archive)
    if said.database is not None:
        assert digest_of(cloud.read(ROOT + said.database.place)) == said.database.sha256
        names.add(said.database.place)
    return {ROOT + name for name in names}


def test_all_there_is_goes_up_and_latest_leads_to_it(cloud: Cloud, machine: Local) -> None:
    done = pushed(cloud, machine)
    assert named(cloud) == set(cloud.objects())
    assert done.objects == len(cloud.objects()) == 7  # two parts, a version, a record, snapshot, backup, LATEST
    assert done.size_bytes == sum(map(len, cloud.objects().values()))
    assert latest(cloud).model_id == machine.model_id
    assert latest(cloud).account == BEGUN


def test_whoever_wants_to_know_is_told_of_each_piece(cloud: Cloud, machine: Local, tmp_path: Path) -> None:
    seen: list[Any] = []

    def told(pieces: Sequence[Any]) -> Iterator[Any]:
        seen.append(len(pieces))
        for piece in pieces:
            seen.append(piece)
            yield piece

    push(cloud.bucket(), machine, now=NOW, keep_backups=1, told=told)
    there = places(machine.models.root)
    assert seen == [4, *there]
    seen.clear()
    empty = ModelStore(tmp_path / "empty")
    (tmp_path / "scratch").mkdir()
    pull(cloud.bucket(), empty, scratch=tmp_path / "scratch", told=told)
    assert (seen[0], {piece.place for piece in seen[1:]}) == (4, set(there))
    assert seen[-1].place == f"versions/{machine.model_id}.json"


def test_a_second_push_sends_nothing_and_a_new_version_only_itself(cloud: Cloud, machine: Local) -> None:
    pushed(cloud, machine)
    cloud.asked.clear()
    assert pushed(cloud, machine) == Pushed()
    assert not [line for line in cloud.asked if line.startswith("POST")]
    before = set(cloud.objects())
    newer = replace(machine, model_id=publish(machine.models, "2021-11", "member-a"))
    pushed(cloud, newer)
    assert len(set(cloud.objects()) - before) == 3  # its combiner, its manifest, the snapshot
    assert before <= set(cloud.objects())
    assert latest(cloud).model_id == newer.model_id


@pytest.mark.parametrize("place", ["archives", "snapshots", "databases", "LATEST"])
def test_when_the_bucket_goes_away_in_the_middle_the_old_state_stands(
    cloud: Cloud, machine: Local, tmp_path: Path, place: str
) -> None:
    pushed(cloud, machine)
    before = latest(cloud)
    publish(machine.models, "2021-11", "member-b")
    newer = settled(machine, machine.models.root.parent / "signals.db", date(2021, 10, 5))
    cloud.judge = lambda method, path: "503" if method == "POST" and place in path else None
    with pytest.raises(BucketAway):
        pushed(cloud, newer, timeout_s=0.1)
    assert latest(cloud) == before
    named(cloud)
    cloud.judge = lambda *_: None
    pushed(cloud, newer)
    assert named(cloud) <= set(cloud.objects())
    assert latest(cloud).settled == date(2021, 10, 5)


def test_a_lost_answer_is_known_for_what_it_is(cloud: Cloud, machine: Local) -> None:
    for place in ("archives", "LATEST"):
        cloud.first("lost", of=place)
        pushed(cloud, machine)
    cloud.judge = lambda method, path: "lost" if method == "POST" and "LATEST" in path and once() else None
    pushed(cloud, settled(machine, machine.models.root.parent / "signals.db", date(2021, 10, 5)))
    assert latest(cloud).settled == date(2021, 10, 5)


def once(left: list[int] = [1]) -> bool:  # noqa: B006 - that is what it is for
    return bool(left and left.pop())


def test_another_writer_in_between_is_not_undone(cloud: Cloud, machine: Local) -> None:
    pushed(cloud, machine)
    newer = settled(machine, machine.models.root.parent / "signals.db", date(2021, 10, 5))
    others = latest(cloud).model_copy(update={"model_id": "another"})

    def judge(method: str, path: str) -> Fault | None:
        if method == "POST" and "LATEST" in path and latest(cloud) != others:
            cloud.write(f"{ROOT}LATEST", others.encoded())
        return None

    cloud.judge = judge
    with pytest.raises(Overtaken):
        pushed(cloud, newer)
    assert latest(cloud) == others


def test_another_account_is_never_replaced_unless_somebody_says_so(cloud: Cloud, machine: Local) -> None:
    pushed(cloud, machine)
    before = cloud.objects()
    for account in (None, BEGUN + timedelta(days=1)):
        with pytest.raises(BucketRefused, match=r"holds another account, begun 2021-09-28 .*--take-over"):
            pushed(cloud, replace(machine, account=account))
    assert cloud.objects() == before
    pushed(cloud, replace(machine, account=None), take_over=True)
    assert latest(cloud).account is None


def test_a_latest_that_is_damaged_is_written_anew_when_somebody_says_so(cloud: Cloud, machine: Local) -> None:
    cloud.write(f"{ROOT}LATEST", b'{"format": 1')
    with pytest.raises(BadRecord, match=r"LATEST is refused .*--take-over"):
        pushed(cloud, machine)
    assert set(cloud.objects()) == {f"{ROOT}LATEST"}
    pushed(cloud, machine, take_over=True)
    named(cloud)


def test_an_older_state_does_not_replace_a_newer(cloud: Cloud, machine: Local) -> None:
    newer = settled(machine, machine.models.root.parent / "signals.db", date(2021, 10, 5))
    pushed(cloud, newer)
    for older in (machine, replace(machine, backup=None, settled=None)):
        with pytest.raises(BucketRefused, match="has settled 2021-10-05, and this machine only"):
            pushed(cloud, older)
    assert latest(cloud).settled == date(2021, 10, 5)


def test_a_damaged_piece_stays_here_and_one_that_serves_holds_up_all(cloud: Cloud, machine: Local) -> None:
    publish(machine.models, "2021-09", "member-old")
    (machine.models.part_folder("member-old") / "weights.npz").write_bytes(b"flipped")
    assert pushed(cloud, machine).left_out == ("parts/member-old",)
    before = latest(cloud)
    (machine.models.part_folder("member-a") / "weights.npz").write_bytes(b"flipped")
    with pytest.raises(BucketRefused, match=r"parts/member-a of the serving model .* is damaged or missing"):
        pushed(cloud, machine)
    assert latest(cloud) == before


def test_a_damaged_backup_is_not_mirrored(cloud: Cloud, machine: Local) -> None:
    pushed(cloud, machine)
    before = latest(cloud)
    newer = settled(machine, machine.models.root.parent / "signals.db", date(2021, 10, 5))
    assert newer.backup is not None
    newer.backup.path.write_bytes(b"damaged")
    with pytest.raises(BackupError, match="can't be used"):
        pushed(cloud, newer)
    assert latest(cloud) == before


def test_what_was_damaged_in_the_bucket_is_put_right(cloud: Cloud, machine: Local) -> None:
    pushed(cloud, machine)
    whole = cloud.objects()
    for name in whole:
        if name != f"{ROOT}LATEST" and "snapshots" not in name:
            cloud.write(name, b"damaged")
    pushed(cloud, machine)
    assert cloud.objects() == whole


def test_old_backups_go_and_never_the_one_that_latest_names(cloud: Cloud, machine: Local) -> None:
    database = machine.models.root.parent / "signals.db"
    for day in (4, 5, 6, 7):
        machine = settled(machine, database, date(2021, 10, day))
        pushed(cloud, machine, keep=2)
    cloud.write(f"{ROOT}databases/somebody-elses.db", b"kept")
    done = pushed(cloud, machine, keep=1)
    kept = sorted(name.rsplit("/", 1)[1] for name in cloud.objects() if "databases" in name)
    assert kept == ["signals-2021-10-07-at-20211007T120000Z.db", "somebody-elses.db"]
    assert done.removed == 1
    named(cloud)


def test_without_a_backup_the_models_go_alone(cloud: Cloud, machine: Local) -> None:
    pushed(cloud, replace(machine, backup=None))
    assert latest(cloud).database is None
    assert not [name for name in cloud.objects() if "databases" in name]


PUSH = """
import json, sys
from daemon.mirror.process import carried_out
carried_out(json.load(sys.stdin))
"""


@pytest.mark.slow
def test_killed_at_any_request_the_bucket_is_whole_and_the_next_push_brings_it_up_to_date(
    cloud: Cloud, machine: Local
) -> None:
    from daemon.mirror.process import push_order

    pushed(cloud, machine)
    database = machine.models.root.parent / "signals.db"
    for number in range(60):
        month = f"2022-{number % 12 + 1:02}"
        newer = replace(
            settled(machine, database, date(2021, 10, 5) + timedelta(days=number)),
            model_id=publish(machine.models, month, f"member-{number}"),
        )
        before = latest(cloud)
        order = push_order(cloud.bucket(), newer, now=NOW, keep_backups=2)
        if not killed_at(cloud, number, json.dumps(order)):
            break
        named(cloud)
        assert latest(cloud) == before or latest(cloud).settled == newer.settled
        pushed(cloud, newer, keep=2)
        named(cloud)
        assert latest(cloud).model_id == newer.model_id
    assert 8 < number < 60


def killed_at(cloud: Cloud, number: int, order: str) -> bool:
    """Pushes in a process that is killed at its request of that number; False when it had ended before."""
    process = subprocess.Popen([sys.executable, "-c", PUSH], stdin=subprocess.PIPE, text=True)
    count, killed = iter(range(1000)), False

    def judge(*_: str) -> Fault | None:
        nonlocal killed
        if next(count) == number:
            killed = True
            os.kill(process.pid, signal.SIGKILL)
            return "lost" if number % 2 else "dead"
        return None

    cloud.judge = judge
    process.communicate(order, timeout=60)
    cloud.judge = lambda *_: None
    assert killed or process.returncode == 0
    return killed
