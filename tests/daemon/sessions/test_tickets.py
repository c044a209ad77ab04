"""Order tickets: what people who place orders by hand are told, and that they are told it whatever happens."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from loguru import logger

from daemon.services import Services
from daemon.sessions.broker import Broker, BrokerOptions, Order, OrderType, PaperBroker, open_broker
from daemon.sessions.halt import halt, resume
from daemon.sessions.reconcile import reconcile
from daemon.sessions.tickets import COLUMNS, TicketWriter, ticket
from ensemble.fills import ExitReason
from ensemble.trading.costs import Product, Side
from ensemble.trading.signals import Reason
from storage.account_store import read_trades
from storage.engine import reading
from storage.signal_store import read_signals

ServicesAt = Callable[..., AbstractContextManager[Services]]
FRIDAY = date(2021, 10, 1)
BUY = Order(
    session=FRIDAY,
    symbol="RELIANCE.NS",
    side=Side.BUY,
    quantity=40,
    reference_price=2520.5,
    value_limit=102_000.0,
    product=Product.DELIVERY,
    reasons=(Reason.CONFIDENT,),
    decided_at=datetime(2021, 10, 1, 3, 15, tzinfo=UTC),
    stop_loss_pct=2.0,
    take_profit_pct=4.0,
)


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the log says while the test runs."""
    heard: list[str] = []
    number = logger.add(heard.append, format="{level} {message}", level="WARNING")
    yield heard
    logger.remove(number)


def test_a_ticket_says_all_that_the_order_is_placed_by() -> None:
    assert ticket([BUY]) == (
        "session,symbol,side,quantity,order_type,reference_price,value_limit,stop_loss_pct,stop_price,"
        "take_profit_pct,target_price,product,reasons,decided_at\n"
        "2021-10-01,RELIANCE.NS,BUY,40,MARKET_AT_OPEN,2520.50,102000.00,2,2470.09,4,2621.32,delivery,CONFIDENT,"
        "2021-10-01T03:15:00Z\n"
    )


def test_the_levels_of_a_short_are_mirrored_and_an_order_that_closes_has_none() -> None:
    short, closing = replace(BUY, side=Side.SELL), replace(BUY, side=Side.SELL, stop_loss_pct=None, value_limit=None)
    assert ",2,2570.91,4,2419.68," in ticket([short])
    assert ",2520.50,,,,,,delivery," in ticket([closing])


def test_the_order_of_the_symbols_is_no_matter() -> None:
    other = replace(BUY, symbol="ITC.NS")
    assert ticket([BUY, other]) == ticket([other, BUY])


def test_without_orders_the_header_stands_alone(tmp_path: Path) -> None:
    writer = TicketWriter(tmp_path / "tickets")
    assert not writer.has(FRIDAY)
    writer.place(FRIDAY, [])
    assert writer.has(FRIDAY)
    assert (tmp_path / "tickets" / "2021-10-01.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_an_equal_ticket_is_not_written_again_and_a_half_written_one_is_no_ticket(tmp_path: Path) -> None:
    writer = TicketWriter(tmp_path)
    writer.place(FRIDAY, [BUY])
    before = (tmp_path / "2021-10-01.csv").stat()
    writer.place(FRIDAY, [BUY])
    assert (tmp_path / "2021-10-01.csv").stat().st_mtime_ns == before.st_mtime_ns
    (tmp_path / "2021-10-01.csv").rename(tmp_path / ".draft-2021-10-01.csv")  # as a crash before the rename leaves it
    assert not writer.has(FRIDAY)
    writer.place(FRIDAY, [BUY])
    assert [path.name for path in tmp_path.iterdir()] == ["2021-10-01.csv"]


def test_a_ticket_that_cannot_be_written_is_said_once_and_written_when_it_can_be(
    tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "tickets").write_text("a file where the folder should be")
    writer = TicketWriter(tmp_path / "tickets")
    for _ in range(3):
        writer.place(FRIDAY, [BUY])
    assert len(said) == 1
    assert "tickets/2021-10-01.csv could not be written: " in said[0]
    (tmp_path / "tickets").unlink()
    writer.place(FRIDAY, [BUY])
    assert writer.has(FRIDAY)


def test_tickets_are_off_by_default() -> None:
    assert isinstance(open_broker(BrokerOptions()), PaperBroker)


@dataclass
class Recorder:
    """A broker that keeps what it is told, or forgets it."""

    told: list[tuple[date, Sequence[Order]]] = field(default_factory=list)
    taken_back: list[Sequence[Order]] = field(default_factory=list)
    forgets: bool = False

    def has(self, session: date) -> bool:
        return not self.forgets and any(session == one for one, _ in self.told)

    def place(self, session: date, orders: Sequence[Order]) -> None:
        self.told.append((session, orders))

    def withdraw(self, session: date, orders: Sequence[Order]) -> None:
        self.taken_back.append(orders)


def test_a_broker_is_told_the_actionable_signals_once_they_are_committed(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        broker = Recorder()
        reconcile(replace(services, broker=broker))
        reconcile(replace(services, broker=broker))
        ((session, orders),) = broker.told
    assert session == date(2021, 10, 6)
    assert [order.decided_at for order in orders] == [datetime(2021, 10, 6, 3, 20, tzinfo=UTC)] * len(orders)


def test_a_broker_that_has_not_got_them_is_told_again_the_same_until_they_are_settled(
    copy: Path, services_at: ServicesAt
) -> None:
    broker = Recorder(forgets=True)
    for moment in ("06 08:50", "06 09:10", "06 17:00", "06 18:00"):
        with services_at(copy, f"2021-10-{moment}") as services:
            reconcile(replace(services, broker=broker))
    told = [orders for _, orders in broker.told]
    assert len(told) == 3  # after the decision, before the next look, before the settlement; then no more
    assert told == [told[0]] * 3


def test_a_crash_between_commit_and_ticket_is_caught_up_at_the_next_start(copy: Path, services_at: ServicesAt) -> None:
    class CrashingBroker(Recorder):
        def place(self, session: date, orders: Sequence[Order]) -> None:
            raise KeyboardInterrupt

    with services_at(copy, "2021-10-06 08:50") as services, pytest.raises(KeyboardInterrupt):
        reconcile(replace(services, broker=CrashingBroker()))
    with services_at(copy, "2021-10-06 08:52") as services:
        assert reconcile(replace(services, broker=TicketWriter(copy / "tickets"))).done == ()
    assert (copy / "tickets" / "2021-10-06.csv").is_file()


def test_a_ticket_that_cannot_be_written_delays_no_session_and_is_there_when_it_can_be(
    copy: Path, services_at: ServicesAt, said: list[str]
) -> None:
    writer = TicketWriter(copy / "tickets")
    writer.folder.write_text("a file where the folder should be")
    with services_at(copy, "2021-10-06 08:50") as services:
        assert [task.kind for task in reconcile(replace(services, broker=writer)).done] == ["decide"]
    writer.folder.unlink()
    with services_at(copy, "2021-10-06 08:51") as services:
        assert reconcile(replace(services, broker=writer)).done == ()
    assert writer.has(date(2021, 10, 6))
    assert len(said) == 1


def test_every_session_gets_a_ticket_with_one_line_for_each_actionable_signal(
    copy: Path, services_at: ServicesAt
) -> None:
    writer = TicketWriter(copy / "tickets")
    for moment in ("06 08:50", "06 17:00", "07 08:50", "07 17:00", "08 08:50"):
        with services_at(copy, f"2021-10-{moment}") as services:
            reconcile(replace(services, broker=writer))
    with reading(services.engine) as conn:
        signals = [one for day in (6, 7, 8) for one in read_signals(conn, "live", date(2021, 10, day))]
    told = [line for day in (6, 7, 8) for line in lines(writer.path(date(2021, 10, day)))]
    at_open = [line for line in told if line["order_type"] == "MARKET_AT_OPEN"]
    assert [(line["session"], line["side"], int(line["quantity"])) for line in at_open] == [
        (f"{one.session}", one.action, one.quantity) for one in signals if one.actionable
    ]
    assert {line["side"]: (line["stop_loss_pct"], line["take_profit_pct"]) for line in told} == {
        "BUY": ("2", "4"),
        "SELL": ("", ""),
    }


def hold_at_most(folder: Path, sessions: int) -> None:
    config = folder / "config.toml"
    before, after = config.read_text().split("[risk]\nmax_holding_sessions = 3\n")
    config.write_text(f"{before}[risk]\nmax_holding_sessions = {sessions}\n{after}")


def test_what_has_been_held_as_long_as_it_may_is_to_leave_at_the_close(copy: Path, services_at: ServicesAt) -> None:
    hold_at_most(copy, 2)
    writer, told = TicketWriter(copy / "tickets"), set[tuple[str, str, int]]()
    for day in ("06", "07", "08", "11", "12", "13", "14"):
        for moment in ("08:50", "17:00"):
            with services_at(copy, f"2021-10-{day} {moment}") as services:
                reconcile(replace(services, broker=writer))
        told |= {
            (line["session"], line["symbol"], int(line["quantity"]))
            for line in lines(writer.path(date.fromisoformat(f"2021-10-{day}")))
            if (line["order_type"], line["reasons"], line["side"]) == ("MARKET_AT_CLOSE", "TIME", "SELL")
        }
    with reading(services.engine) as conn:
        trades = [one for one in read_trades(conn, "live") if one.exit_session >= date(2021, 10, 6)]
    left = {(f"{one.exit_session}", one.symbol, one.quantity) for one in trades if one.exit_reason is ExitReason.TIME}
    assert left
    assert left <= told  # and nothing else but what a stop or target closed before
    closed = {(f"{one.exit_session}", one.symbol, one.quantity) for one in trades}
    assert told <= closed


def test_with_one_session_to_hold_every_entry_is_told_its_way_out(copy: Path, services_at: ServicesAt) -> None:
    hold_at_most(copy, 1)
    broker = Recorder()
    for moment in ("06 08:50", "06 17:00", "07 08:50", "07 17:00", "08 08:50"):
        with services_at(copy, f"2021-10-{moment}") as services:
            reconcile(replace(services, broker=broker))
    entries = [one for _, orders in broker.told for one in orders if one.opens]
    ways_out = [one for _, orders in broker.told for one in orders if one.order_type is OrderType.MARKET_AT_CLOSE]
    assert entries
    pairs = [(one.session, one.symbol, one.quantity) for one in ways_out if one.reasons == (ExitReason.TIME,)]
    assert [(one.session, one.symbol, one.quantity) for one in entries] == [
        one for one in pairs if one[0] in {entry.session for entry in entries}
    ]


def an_entry(folder: Path, services_at: ServicesAt, broker: Broker) -> date:
    """The first session ahead whose decision enters something; it is decided and not open yet."""
    for day in ("06", "07", "08", "11", "12", "13", "14"):
        session = date.fromisoformat(f"2021-10-{day}")
        with services_at(folder, f"{session} 08:50") as services:
            reconcile(replace(services, broker=broker))
            with reading(services.engine) as conn:
                if any(one.actionable and one.opens for one in read_signals(conn, "live", session)):
                    return session
        with services_at(folder, f"{session} 17:00") as services:
            reconcile(replace(services, broker=broker))
    raise AssertionError("nothing was entered")


def test_a_halt_before_the_open_takes_the_entries_of_the_ticket_back_until_somebody_resumes(
    copy: Path, services_at: ServicesAt, said: list[str]
) -> None:
    writer = TicketWriter(copy / "tickets")
    session = an_entry(copy, services_at, writer)
    withdrawn = writer.folder / f"{session}.withdrawn.csv"
    kept = writer.path(session).read_bytes()
    assert not withdrawn.exists()
    with services_at(copy, f"{session} 09:00") as services:
        halt(services.engine, services.settings, now=services.clock.now(), note="")
        reconcile(replace(services, broker=writer))
        reconcile(replace(services, broker=writer))
    entries = [line for line in lines(writer.path(session)) if line["value_limit"]]
    assert [(line["symbol"], line["quantity"], line["reasons"]) for line in lines(withdrawn)] == [
        (line["symbol"], line["quantity"], "KILL_SWITCH") for line in entries
    ]
    assert writer.path(session).read_bytes() == kept
    assert [line for line in said if "withdrawn" in line] == [
        f"WARNING {session}: {len(entries)} orders of the ticket are withdrawn, see {withdrawn}\n"
    ]
    with services_at(copy, f"{session} 09:10") as services:
        resume(services.engine, services.settings, now=services.clock.now())
        reconcile(replace(services, broker=writer))
    assert not withdrawn.exists()


def test_a_halt_after_the_open_takes_nothing_back(copy: Path, services_at: ServicesAt) -> None:
    broker = Recorder()
    session = an_entry(copy, services_at, broker)
    with services_at(copy, f"{session} 10:00") as services:
        halt(services.engine, services.settings, now=services.clock.now(), note="")
        reconcile(replace(services, broker=broker))
    assert not any(broker.taken_back)


def test_a_session_that_was_decided_late_gets_the_header_alone(copy: Path, services_at: ServicesAt) -> None:
    writer = TicketWriter(copy / "tickets")
    with services_at(copy, "2021-10-08 10:00") as services:
        reconcile(replace(services, broker=writer))
    assert sorted(path.name for path in writer.folder.iterdir()) == [f"2021-10-0{day}.csv" for day in (6, 7, 8)]
    assert all(path.read_text() == ticket([]) for path in writer.folder.iterdir())
