"""The outbox is emptied beside the work: what cannot be sent waits, and holds up nothing."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from daemon.clock import Clock, FixedClock
from daemon.health.options import HealthOptions
from daemon.notify.channels import announce
from daemon.notify.courier import FIRST_WAIT, GIVEN_UP_AFTER, LATE_SIGN_OF_LIFE, Courier, wait_after
from daemon.notify.messenger import Message
from daemon.notify.options import NotifyOptions
from daemon.service.clock_watch import Trust
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.engine import reading, transaction
from storage.feeds import FeedError, History
from storage.outbox_store import LONGEST_WAIT, Notice
from storage.outbox_table import outbox
from tests.daemon.loopback import receiver

ServicesAt = Callable[..., AbstractContextManager[Services]]
ONE, TWO = "json://127.0.0.1:9/one-secret", "json://127.0.0.1:9/two-secret"

PAGE = "http://127.0.0.1:9/ping"


@dataclass
class Post:
    """Stands for the messenger: takes what is not for a dead channel."""

    dead: tuple[str, ...] = ()
    taken: list[Message] = field(default_factory=list)
    tried: list[Message] = field(default_factory=list)

    def __call__(self, message: Message) -> str | None:
        self.tried.append(message)
        if message["url"] in self.dead:
            return "refused"
        self.taken.append(message)
        return None

    def titles(self, url: str = ONE) -> list[str]:
        return [message["title"].removeprefix("reliance-daemon: ") for message in self.taken if message["url"] == url]


def told(services: Services, post: Post, *urls: str, ping: str | None = None) -> Services:
    settings = services.settings.model_copy(
        update={"notify": NotifyOptions(urls=urls or (ONE,)), "health": HealthOptions(ping_url=ping)}
    )
    return replace(services, settings=settings, courier=Courier(post))


def later(services: Services, wait: timedelta) -> Services:
    clock: Clock = FixedClock(services.clock.now() + wait)
    return replace(services, clock=clock)


def run(services: Services, *, gives_up: bool = True) -> None:
    services.courier.go(services, gives_up=gives_up)
    thread = services.courier._thread
    assert thread is not None
    thread.join()


def unsent(services: Services) -> list[str]:
    with reading(services.engine) as conn:
        return list(conn.scalars(select(outbox.c.key).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.key)))


def put(services: Services, key: str, kind: str = "signal") -> None:
    with transaction(services.engine) as conn:
        announce(conn, services.settings, Notice(key, kind, "title", "body"), at=services.clock.now())


def test_a_decision_is_told_once_with_its_sign_of_life(copy: Path, services_at: ServicesAt) -> None:
    post = Post()
    with services_at(copy, "2021-10-06 08:50") as plain:
        services = told(plain, post, ONE, TWO, ping=PAGE)
        reconcile(services)
        services.courier.finish()
        reconcile(replace(services, courier=Courier(post)))
        assert unsent(services) == []
    assert [message["url"] for message in post.taken].count(ONE) == 1
    assert len(post.taken) == 3
    (title,) = post.titles()
    assert title.startswith("2021-10-06: ")
    assert all(message["body"].endswith("id: signal:2021-10-06") for message in post.taken if message["url"] != PAGE)


def test_without_channels_nothing_is_kept(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        reconcile(services)
        assert unsent(services) == []
        assert services.courier._thread is None


def test_a_dead_channel_holds_up_no_other_and_is_tried_less_and_less_often(copy: Path, services_at: ServicesAt) -> None:
    post = Post(dead=(ONE,))
    with services_at(copy, "2021-10-06 08:50") as plain:
        services = told(plain, post, ONE, TWO)
        put(services, "signal:1")
        put(services, "signal:2")
        run(services)
        assert post.titles(TWO) == ["title", "title"]
        assert len(post.tried) == 3
        run(services)
        assert len(post.tried) == 3
        run(later(services, FIRST_WAIT))
        assert len(post.tried) == 4
        post.dead = ()
        run(later(services, timedelta(hours=1)))
        assert unsent(services) == []


def test_the_waits_double_up_to_a_quarter_of_a_day() -> None:
    assert [wait_after(attempts) for attempts in (0, 1, 2)] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert wait_after(10_000) == LONGEST_WAIT


@pytest.mark.parametrize(("kind", "patience"), [("signal", GIVEN_UP_AFTER), ("ping", LATE_SIGN_OF_LIFE)])
def test_what_nobody_takes_is_given_up_in_time(
    kind: str, patience: timedelta, copy: Path, services_at: ServicesAt
) -> None:
    post = Post(dead=(ONE, PAGE))
    with services_at(copy, "2021-10-06 08:50") as plain:
        services = told(plain, post, ping=PAGE)
        put(services, "x:1", kind)
        run(later(services, patience))
        assert unsent(services) == ["x:1"]
        run(later(services, patience + LONGEST_WAIT))
        assert unsent(services) == []


def test_by_a_clock_that_nothing_bears_out_nothing_is_given_up(copy: Path, services_at: ServicesAt) -> None:
    post = Post(dead=(ONE,))
    with services_at(copy, "2021-10-06 08:50") as plain:
        services = told(plain, post)
        put(services, "signal:1")
        run(later(services, timedelta(days=10_000)), gives_up=False)
        assert unsent(services) == ["signal:1"]
        post.dead = ()
        run(later(services, timedelta(hours=1)))
        assert post.titles() == ["title"]


@pytest.mark.parametrize(("trust", "unsent_keys"), [(Trust.DOUBTED, ["signal:1"]), (Trust.BORNE_OUT, [])])
def test_a_look_gives_up_by_a_clock_that_is_borne_out_alone(
    trust: Trust, unsent_keys: list[str], copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 20:00") as plain:
        services = told(plain, Post(dead=(ONE,)))
        put(replace(services, clock=FixedClock(services.clock.now() - 2 * GIVEN_UP_AFTER)), "signal:1")
        reconcile(services, trust=trust)
        services.courier.finish()
        assert unsent(services) == unsent_keys


def test_a_channel_that_is_configured_no_more_gets_nothing(copy: Path, services_at: ServicesAt) -> None:
    post = Post()
    with services_at(copy, "2021-10-06 08:50") as plain:
        put(told(plain, post, ONE), "signal:1")
        services = told(plain, post, TWO)
        run(services)
        assert unsent(services) == []
    assert post.tried == []


def test_a_channel_that_hangs_delays_no_session(copy: Path, services_at: ServicesAt) -> None:
    let_go = threading.Event()

    def hang(_: Message) -> str | None:
        let_go.wait()
        return None

    with services_at(copy, "2021-10-06 08:50") as plain:
        services = replace(told(plain, Post()), courier=Courier(hang))
        assert [task.kind for task in reconcile(services).done] == ["decide"]
        assert unsent(services) == ["signal:2021-10-06"]
        let_go.set()
        services.courier.finish()


class Dead:
    name = "files"  # whose series they are
    on_network = False

    def fetch(self, *_: object, **__: object) -> dict[str, History | FeedError]:
        raise FeedError("no route\nto \x1b[31mhost")


def test_a_failure_is_told_once_an_outage_and_so_is_its_end(copy: Path, services_at: ServicesAt) -> None:
    post = Post()
    with services_at(copy, "2021-10-06 08:50") as plain:
        services = told(plain, post)
        for minutes in (0, 1, 2):
            with pytest.raises(FeedError):
                reconcile(replace(later(services, timedelta(minutes=minutes)), feed=Dead()))
            services.courier.finish()
            services = replace(services, courier=Courier(post))
        assert post.titles() == ["decide 2021-10-06 fails"]
        assert "since 2021-10-06T03:20:00Z: no route\\nto \\x1b[31mhost" in post.taken[0]["body"]
        reconcile(later(services, timedelta(minutes=3)))
        services.courier.finish()
    assert "decide 2021-10-06 works again" in post.titles()
    assert len(post.titles()) == 3


def test_an_outage_that_follows_one_that_was_over_is_told_too(copy: Path, services_at: ServicesAt) -> None:
    post = Post()
    for path in (copy / "bars").glob("*.csv"):
        bars = path.read_text().splitlines()
        path.write_text("\n".join(line for line in bars if line < "2021-10-06" or line.startswith("Date")))
    with services_at(copy, "2021-10-06 17:00") as plain:
        for minutes, feed in enumerate((plain.feed, Dead(), Dead(), plain.feed, Dead())):
            services = replace(later(told(plain, post), timedelta(minutes=minutes)), feed=feed)
            with suppress(FeedError):
                reconcile(services)
            services.courier.finish()
    told_of_it = [title for title in post.titles() if title.startswith("settle 2021-10-06")]
    assert told_of_it == ["settle 2021-10-06 fails", "settle 2021-10-06 works again", "settle 2021-10-06 fails"]


def test_a_week_is_told_when_its_last_session_is_settled(copy: Path, services_at: ServicesAt) -> None:
    post = Post()
    for moment in ("2021-10-06 08:50", "2021-10-07 20:00", "2021-10-08 08:50", "2021-10-08 20:00"):
        with services_at(copy, moment) as plain:
            services = told(plain, post)
            reconcile(services)
            services.courier.finish()
    (digest,) = [message for message in post.taken if "week" in message["title"]]
    assert digest["title"] == "reliance-daemon: week 2021-10-04 to 2021-10-08"
    assert "forecasts (gap): 4 in time, 4 known by now" in digest["body"]
    assert "always naming the side that came more often" in digest["body"]
    assert "holding the traded symbols instead" in digest["body"]


KILLED = """
import os, signal, sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from daemon.cli import main
from daemon.notify.courier import Courier
Courier.go = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["reliance-daemon", "--config", sys.argv[1], "run-once", "--now", sys.argv[2]]
main()
"""


def test_a_kill_between_commit_and_sending_loses_nothing(copy: Path) -> None:
    with receiver() as here:
        environ = os.environ | {
            "RELIANCE_DAEMON__NOTIFY__URLS": here.url,
            "RELIANCE_DAEMON__HEALTH__PING_URL": here.ping_url,
        }
        words = [sys.executable, "-c", KILLED, str(copy / "config.toml"), "2021-10-06T03:20:00Z"]
        killed = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert here.got == []
        program = Path(sys.executable).with_name("reliance-daemon")
        again = [str(program), "--config", words[3], "run-once", "--now", "2021-10-06T03:21:00Z", "--json"]
        done = subprocess.run(again, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert json.loads(done.stdout)["done"] == []
    assert [one["message"].splitlines()[-1] for one in here.got] == ["id: signal:2021-10-06"]
    assert here.fetched == ["/p1ng-canary"]
