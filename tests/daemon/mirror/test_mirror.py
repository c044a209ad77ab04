"""The bucket is kept up to date beside the work: whatever it does holds up no session, and nothing is forgotten."""

import errno
import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import FixedClock
from daemon.doctor.cloud import bucket_finding, cloud_finding
from daemon.health.judge import Ill, judge
from daemon.health.metrics import write_metrics
from daemon.health.snapshot import take_snapshot
from daemon.health.status_display import mirror_line
from daemon.mirror.mirroring import FIRST_WAIT, Mirror, key_of, local_state, wait_after
from daemon.mirror.options import CREDENTIAL, CREDENTIALS, KEY, CloudOptions
from daemon.mirror.process import Answer, Order, PushProcess, main, push_order
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.cloud.bucket import Bucket
from storage.cloud.push import Pushed
from storage.engine import reading, transaction
from storage.mirror_spool import MirrorState, read_mirror
from storage.outbox_store import LONGEST_WAIT
from storage.promotion_store import ModelEvent, ModelEventKind, add_model_events
from storage.tables import LIVE
from tests.cloud_emulator import Cloud
from tests.storage.kill_points import ROOT

ServicesAt = Callable[..., AbstractContextManager[Services]]
EVENING, MORNING = "2021-10-06 17:00", "2021-10-07 08:50"


@dataclass
class Porter:
    """Stands for the process: says what it was told to, or waits."""

    failing: str = ""
    free: threading.Event = field(default_factory=threading.Event)
    orders: list[Order] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free.set()

    def __call__(self, order: Order) -> Answer:
        self.orders.append(order)
        self.asked.set()
        self.free.wait()
        return Answer(Pushed(objects=3), self.failing)

    def stop(self) -> None:
        if not self.free.is_set():
            self.failing = "stopped"
        self.free.set()


def mirrored(services: Services, porter: Porter | PushProcess, **options: object) -> Services:
    cloud = CloudOptions.model_validate({"bucket": "some-bucket"} | options)
    settings = services.settings.model_copy(update={"cloud": cloud})
    return replace(services, settings=settings, mirror=Mirror(porter, chance=lambda: 1.0))


def lived_on(services: Services, wait_s: float = 30) -> None:
    reconcile(services)
    services.mirror.finish(wait_s)


def state(services: Services) -> MirrorState:
    with reading(services.engine) as conn:
        return read_mirror(conn)


def test_the_newest_version_and_backup_go_there_once(copy: Path, services_at: ServicesAt) -> None:
    porter = Porter()
    for moment in (EVENING, EVENING, "2021-10-06 18:00"):
        with services_at(copy, moment) as services:
            lived_on(mirrored(services, porter))
            local = local_state(services.engine, services.settings)
    (order,) = porter.orders
    assert order["model_id"] == local.model_id
    assert local.backup is not None
    assert order["backup"] == str(local.backup.path)
    assert order["settled"] == "2021-10-06"
    assert state(services).what == f"{local.model_id} {local.backup.path.name}" == key_of(local)


def test_the_version_that_a_person_lets_serve_is_the_one_that_the_bucket_names(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, EVENING) as services:
        before = local_state(services.engine, services.settings).model_id
        rolled = ModelEvent(
            services.clock.now(), date(2021, 10, 7), ModelEventKind.ROLLED_BACK, "2021-09-older", before, actor="me"
        )
        with transaction(services.engine) as conn:
            add_model_events(conn, LIVE, [rolled])
        assert local_state(services.engine, services.settings).model_id == "2021-09-older" != before


def test_without_a_bucket_nobody_is_asked_and_nothing_is_noted(copy: Path, services_at: ServicesAt) -> None:
    porter = Porter()
    with services_at(copy, EVENING) as bare:
        services = replace(bare, mirror=Mirror(porter))
        lived_on(services)
        assert state(services) == MirrorState()
    assert porter.orders == []


def test_a_bucket_that_hangs_delays_nothing_and_is_let_go_at_the_end(copy: Path, services_at: ServicesAt) -> None:
    porter = Porter()
    porter.free.clear()
    with services_at(copy, EVENING) as bare:
        services = mirrored(bare, porter)
        assert [task.kind for task in reconcile(services).done] == ["decide", "settle"]
        assert reconcile(services).done == ()
        assert porter.asked.wait(30)
        waiting = state(services)
        services.mirror.finish(0.05)
        assert porter.failing == "stopped"
        assert state(services) == waiting
        assert (waiting.mirrored_at, waiting.attempts) == (None, 0)


def test_what_fails_waits_over_restarts_longer_each_time_and_tells_once(
    copy: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    porter = Porter(failing="bucket some-bucket can't be reached")
    with services_at(copy, EVENING) as services:
        start = services.clock.now()
        lived_on(mirrored(services, porter))
        for minutes in (0.5, 1, 2, 3, 5, 7):
            later = replace(services, clock=FixedClock(start + timedelta(minutes=minutes)))
            lived_on(mirrored(later, porter))
        assert len(porter.orders) == 4  # at 0, 1, 3 and 7 minutes
        assert state(services) == MirrorState(None, "", start, 4, porter.failing)
        porter.failing = ""
        lived_on(mirrored(replace(services, clock=FixedClock(start + timedelta(minutes=15))), porter))
        assert state(services).waiting_since is None
    told = [line for line in lines if line.startswith("cloud: ")]
    assert len(told) == 2
    assert "not mirrored, and tried again" in told[0]
    assert told[1].endswith("3 objects, 0.0 MB, after 5 attempts")


@given(attempts=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_the_wait_is_at_least_half_and_at_most_what_it_would_be_without_chance(attempts: int, chance: float) -> None:
    longest = min(FIRST_WAIT * 2 ** min(attempts, 20), LONGEST_WAIT)
    assert longest / 2 <= wait_after(attempts, chance) <= longest


@pytest.mark.slow
def test_the_process_really_pushes_and_the_doctor_sees_it(cloud: Cloud, copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, EVENING) as bare:
        services = mirrored(bare, PushProcess(), bucket=cloud.name)
        lived_on(services)
        done, now = state(services), services.clock.now()
        assert done.why == ""
        assert done.mirrored_at == now
        asked = bucket_finding(services.settings, services.engine)
        assert (asked.level, asked.seen.split(": ")[0]) == ("ok", f"gs://{cloud.name}/reliance/models")
        assert cloud_finding(services.settings, services.engine, now).level == "ok"
        shot = take_snapshot(services)
        write_metrics(shot, services.settings)
    metrics = (copy / "state" / "metrics.prom").read_text()
    assert "reliance_daemon_cloud_mirrored_timestamp_seconds 1.6335198e+09" in metrics
    assert "reliance_daemon_cloud_waiting 0.0" in metrics
    with services_at(copy, MORNING) as bare:
        services = mirrored(bare, PushProcess(), bucket=cloud.name)
        cloud.judge = lambda *_: "403"
        told = bucket_finding(services.settings, services.engine)
        assert (told.level, told.remedy) == (
            "fail",
            "give the credential's account the role Storage Object Admin on the bucket.",
        )


def test_a_bucket_that_lacks_something_for_hours_is_told(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, EVENING) as bare:
        services = mirrored(bare, Porter(failing="bucket some-bucket refused"))
        lived_on(services)
        start = services.clock.now()
        ledger = take_snapshot(services).ledger
        for hours, ill in ((5, False), (7, True)):
            health = judge(ledger, services.settings, start + timedelta(hours=hours))
            assert (Ill.NOT_MIRRORED in {finding.ill for finding in health.findings}) is ill
            assert health.healthy
            level = cloud_finding(services.settings, services.engine, start + timedelta(hours=hours)).level
            assert level == "warn"
        off = services.settings.model_copy(update={"cloud": CloudOptions()})
        assert Ill.NOT_MIRRORED not in {one.ill for one in judge(ledger, off, start + timedelta(hours=9)).findings}
    line = mirror_line(ledger.mirror)
    assert line == "Cloud: nothing yet; waits since 2021-10-06 11:30Z, 1 attempt (bucket some-bucket refused)"


@pytest.mark.slow
def test_a_process_that_dies_or_never_starts_is_a_failure_in_one_line(
    copy: Path, services_at: ServicesAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with services_at(copy, EVENING) as services:
        local = local_state(services.engine, services.settings)
    order = push_order(Bucket("b", "p"), local, now=services.clock.now(), keep_backups=1)
    assert (
        "KeyError" in PushProcess()({"bucket": order["bucket"]}).failed
        or "models" in PushProcess()({"bucket": order["bucket"]}).failed
    )
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert "No such file" in PushProcess()(order).failed


def test_a_process_that_may_not_step_back_carries_its_order_out_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(_: int) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "nice", forbidden)
    monkeypatch.setattr(sys, "stdin", StringIO('{"bucket": 1}'))
    main()
    assert "int" in json.loads(capsys.readouterr().out)["failed"]  # it read the order


def test_the_credential_that_systemd_hands_over_is_found_by_itself(tmp_path: Path) -> None:
    options = CloudOptions(bucket="some-bucket")
    assert options.credentials_file({"CREDENTIALS_DIRECTORY": ""}) is None
    assert options.credentials_file({"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    (tmp_path / "secret_cloud.json").write_text("{}")
    assert options.credentials_file({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == tmp_path / "secret_cloud.json"
    named = options.model_copy(update={"credentials": tmp_path / "mine.json"})
    assert named.credentials_file({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == tmp_path / "mine.json"


def test_a_command_by_hand_finds_the_credential_that_the_unit_takes_where_it_may_read_it(tmp_path: Path) -> None:
    options, own = CloudOptions(bucket="some-bucket"), tmp_path / "cloud.json"
    assert options.credentials_file({}, folder=tmp_path) is None
    own.write_text("{}")
    assert options.credentials_file({}, folder=tmp_path) == own
    handed = {"CREDENTIALS_DIRECTORY": str(tmp_path / "elsewhere")}
    assert options.credentials_file(handed, folder=tmp_path) is None
    named = options.model_copy(update={"credentials": tmp_path / "mine.json"})
    assert named.credentials_file({}, folder=tmp_path) == tmp_path / "mine.json"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_a_user_may_not_read_is_left_to_whatever_else_the_environment_offers(tmp_path: Path) -> None:
    own = tmp_path / "cloud.json"
    own.write_text("{}")
    own.chmod(0)
    assert CloudOptions(bucket="some-bucket").credentials_file({}, folder=tmp_path) is None


def test_the_names_of_the_credential_are_those_of_the_unit_and_the_documentation() -> None:
    unit = (ROOT / "systemd" / "reliance-daemon.service").read_text()
    page = (ROOT / "docs" / "cloud.md").read_text()
    asked = f"LoadCredential={CREDENTIAL.removesuffix(f'_{KEY}')}:{CREDENTIALS}"
    assert f"\n{asked}\n" in unit
    assert f"-p {asked} " in page
    assert f"`{CREDENTIALS / KEY}`" in page
    assert f"$CREDENTIALS_DIRECTORY/{CREDENTIAL}`" in page


@pytest.mark.parametrize(("mode", "level"), [(0o600, "warn"), (0o604, "fail"), (None, "fail")])
def test_the_doctor_looks_at_the_credentials_file(
    copy: Path, services_at: ServicesAt, tmp_path: Path, mode: int | None, level: str
) -> None:
    key = tmp_path / "key.json"
    if mode is not None:
        key.write_text("{}")
        key.chmod(mode)
    with services_at(copy, EVENING) as bare:
        services = mirrored(bare, Porter(), credentials=key)
        assert cloud_finding(services.settings, services.engine, services.clock.now()).level == level
