"""What is said elsewhere about what happened: each a title, a few lines, and the key that names it for ever."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from daemon.console.redaction import one_line, redacted
from daemon.notify.channels import PING
from ensemble.counted import counted
from ensemble.trading.account import Account
from ensemble.trading.events import AccountEvent, EventKind
from ensemble.trading.signals import Action, Reason, Signal
from storage.column_types import instant_text
from storage.outbox_store import Notice
from storage.promotion_store import ModelEvent
from storage.watch_store import LiveLoss


@dataclass(frozen=True, slots=True)
class Week:
    """What a week of sessions came to."""

    first: date
    last: date
    label: str
    forecasts: int
    """Of that label, made before their sessions opened."""
    resolved: int
    right: int
    ups: int
    """How many of the resolved came true."""
    trades: int
    equity: float
    equity_before: float | None
    """At the close of the session before the first; None when nothing was settled then."""
    held_pct: float | None
    """What the traded symbols themselves gained in the week, their mean, per cent."""


def signal_notice(session: date, signals: Sequence[Signal], lines: Iterable[str]) -> Notice:
    """What was decided about a session."""
    acted = [f"{one.action} {one.quantity} {one.symbol}" for one in signals if one.action is not Action.HOLD]
    late = "decided after the open: for the record only\n" if any(one.late for one in signals) else ""
    return _notice("signal", f"signal:{session}", f"{session}: {', '.join(acted) or 'HOLD'}", late + "\n".join(lines))


def ping_notice(session: date) -> Notice:
    """The sign of life after a decision."""
    return Notice(f"ping:{session}", PING, "", "")


def failure_notice(kind: str, session: date, *, since: datetime, why: str) -> Notice:
    """A job fails. Its key is the outage's: it is said once, not at each attempt, and again when it fails anew."""
    body = f"since {instant_text(since)}: {one_line(why)}\nIt is tried again by itself."
    key = f"failure:{kind}:{session}:{instant_text(since)}"
    return _notice("failure", key, f"{kind} {session} fails", body)


def recovery_notice(kind: str, session: date, *, since: datetime) -> Notice:
    """What failed goes again."""
    body = f"it had failed since {instant_text(since)}"
    key = f"recovery:{kind}:{session}:{instant_text(since)}"
    return _notice("recovery", key, f"{kind} {session} works again", body)


def reopening_notice(number: int, session: date, line: str) -> Notice:
    """Sessions were settled again; `number` is the event of the account that says so."""
    return _notice("recovery", f"reopening:{number}:{session}", f"reopened from {session} on", line)


def halt_notices(events: Iterable[AccountEvent], account: Account) -> Iterator[Notice]:
    """One for each halt of the whole account that begins or ends among the events, which led to `account`.

    A symbol that cools down is no news.
    """
    for event in events:
        if event.reason != Reason.COOL_DOWN and event.kind is EventKind.HALTED:
            yield _halted(event)
        elif event.reason != Reason.COOL_DOWN and event.kind is EventKind.RESUMED:
            yield _resumed(event, account)


def _halted(event: AccountEvent) -> Notice:
    until = "until `resume`" if event.sessions is None else f"for {counted(event.sessions, 'session')}"
    note = f": {one_line(event.note)}" if event.note else ""
    body = f"no position is opened {until}; what is held closes as ever{note}"
    title = f"halted from {event.session} on: {event.reason}"
    return _notice("halt", f"halt:{event.number}:{event.session}", title, body)


def _resumed(event: AccountEvent, account: Account) -> Notice:
    others = sorted({str(hold.reason) for hold in account.holds if hold.symbol is None and hold.until is None})
    body = f"nothing is entered all the same: {', '.join(others)}" if others else "positions are opened again"
    title = f"resumed, {event.session}: {event.reason} is over"
    why = f" (the halt's reason: {one_line(event.note)})" if event.note else ""
    return _notice("resume", f"resume:{event.number}:{event.session}", title, body + why)


def digest_notice(week: Week) -> Notice:
    """The week: what was forecast, what came of it, the account, each beside what needs no forecast."""
    always = max(week.ups, week.resolved - week.ups)
    lines = [
        f"forecasts ({week.label}): {week.forecasts} in time, {week.resolved} known by now, {week.right} right; "
        f"always naming the side that came more often: {always} right",
        f"account: equity {week.equity:,.2f}{_gain(week)}, {counted(week.trades, 'trade')} closed",
    ]
    if week.held_pct is not None:
        lines.append(f"holding the traded symbols instead: {week.held_pct:+.2f} %")
    title = f"week {week.first} to {week.last}"
    return _notice("digest", f"digest:{week.last}", title, "\n".join(lines))


def _gain(week: Week) -> str:
    return "" if not week.equity_before else f" ({100 * (week.equity / week.equity_before - 1):+.2f} %)"


def refused_notice(refused: ModelEvent) -> Notice:
    """A version that served is damaged."""
    serving = f"model {refused.rival_id} serves" if refused.rival_id else "no version served before it"
    body = f"{one_line(refused.note)}\n{serving}; it is made again, or restore the folder of the models."
    return _notice("model", f"model:{refused.model_id}:{refused.session}", f"model {refused.model_id} is refused", body)


def live_loss_notice(found: LiveLoss) -> Notice:
    """Forecasts lose more than they said they would."""
    body = (
        f"{found.label}: {found.excess:+.4f} nats a session more than the forecasts expected, in the newest sessions; "
        f"without a fault this would take {found.alarm_level:,.0f} sessions or more\n"
        "`models list` shows the versions, `models rollback` undoes the newest, `halt` stops entries."
    )
    return _notice("model", f"live_loss:{found.label}:{found.session}", "live forecasts do worse than they say", body)


def _notice(kind: str, key: str, title: str, body: str) -> Notice:
    """Whatever came from elsewhere is escaped, line by line."""
    lines = "\n".join(one_line(redacted(line)) for line in body.split("\n"))
    return Notice(key, kind, one_line(redacted(f"reliance-daemon: {title}")), lines)
