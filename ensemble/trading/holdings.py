"""What the paper account owns between two sessions, and what it closed: plain records, changed by events only."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from ensemble.fills import ExitReason
from ensemble.trading.signals import Reason


class Direction(StrEnum):
    """Which way a position earns: LONG when the price rises, SHORT when it falls."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """1 or -1: what a share held adds to the account's worth, in prices."""
        return 1 if self is Direction.LONG else -1


@dataclass(frozen=True, slots=True)
class Position:
    """Shares held after a session, or owed; `quantity` is positive. Prices are a share, in the bars' present scale."""

    symbol: str
    quantity: int
    entry_session: date
    entry_price: float
    """After slippage."""
    stop_price: float
    target_price: float
    entry_cost: float
    """Fees of the entry, in currency."""
    sessions_held: int
    """Sessions with a bar since the entry, the entry's own included."""
    last_close: float
    last_session: date
    """The session of `last_close`."""
    entry_open: float
    """The open of the entry's bar, before slippage: a split shows by it, and by the last close."""
    direction: Direction = Direction.LONG
    dividend_factor: float = 1.0
    """What the dividends credited so far have left of the price: 0.99 after one of 1 %."""
    income: float = 0.0
    """Dividends and other cash received on it so far, less the cost of fractions sold; in currency."""

    @property
    def value(self) -> float:
        """What it adds to the account's worth at the last close: negative for a short."""
        worth = self.quantity * self.last_close
        return worth if self.direction is Direction.LONG else -worth

    def marked(self, session: date, close: float) -> "Position":
        """The position after one more session with a bar. Not by `replace`, which takes twice as long."""
        return Position(
            self.symbol,
            self.quantity,
            self.entry_session,
            self.entry_price,
            self.stop_price,
            self.target_price,
            self.entry_cost,
            self.sessions_held + 1,
            close,
            session,
            self.entry_open,
            self.direction,
            self.dividend_factor,
            self.income,
        )


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed position. `cost` is the fees of both sides; `profit` is what is left after it, in currency."""

    symbol: str
    quantity: int
    entry_session: date
    entry_price: float
    exit_session: date
    exit_price: float
    exit_reason: ExitReason
    cost: float
    profit: float
    direction: Direction = Direction.LONG
    income: float = 0.0
    """Dividends and other cash received while it was held, which `profit` counts; negative where a short paid them."""


class Cause(StrEnum):
    """Who threw a kill switch: each lets go of its own alone, whatever note another left."""

    COMMAND = "COMMAND"
    FILE = "FILE"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why no position may be opened, in one symbol or in any, and for how long. None keeps one from being closed."""

    reason: Reason
    since: date
    """The session it began with; of a halt by command the first that had not opened yet."""
    symbol: str | None = None
    """None: in any."""
    sessions_left: int | None = None
    """Sessions still to be settled under it; None: until somebody resumes."""
    until: date | None = None
    """The first session that it does not reach any more, once somebody has resumed."""
    note: str = ""
    cause: Cause | None = None
    """Of a kill switch; None for what a settlement found."""

    def forbids(self, symbol: str, session: date) -> bool:
        """True where `symbol` may not be entered in `session` because of it."""
        reached = self.since <= session and (self.until is None or session < self.until)
        return reached and self.symbol in (None, symbol)


@dataclass(frozen=True, slots=True)
class Receivable:
    """A dividend that is the holder's since its ex-date and not in the bank yet."""

    symbol: str
    amount: float
    """In currency, above 0."""
    pays_on: date


@dataclass(frozen=True, slots=True)
class AccountMark:
    """The account as marked at the closes of one session, in currency."""

    session: date
    cash: float
    equity: float
    exposure: float
    positions: int
    peak_equity: float
    drawdown_pct: float
    """How far the equity is below its peak so far, from 0 to 100."""
    receivable: float = 0.0
    """Dividends that are not paid yet: the equity counts them, the cash does not."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is owned between two sessions; positions in order of their symbols, at most one a symbol."""

    cash: float
    positions: tuple[Position, ...]
    peak_equity: float
    """Highest equity at a session's close, since the last drawdown halt ended where there was one."""
    holds: tuple[Hold, ...] = ()
    receivables: tuple[Receivable, ...] = ()
    """Dividends to come, oldest first."""
    n_events: int = field(default=0, compare=False)
    """How many events made it what it is: two accounts are equal however they came to it."""

    @property
    def exposure(self) -> float:
        """What the positions are worth at the last closes known, shorts counted as if they were long."""
        return sum([position.quantity * position.last_close for position in self.positions], 0.0)

    @property
    def equity(self) -> float:
        """Cash, dividends to come and positions together; a short counts against it."""
        worth = 0.0
        for position in self.positions:  # a generator costs more than what it adds up: every session asks five times
            worth += position.value
        return self.cash + self.receivable + worth if self.receivables else self.cash + worth

    @property
    def receivable(self) -> float:
        """Dividends that are not paid yet."""
        return sum((one.amount for one in self.receivables), 0.0)

    @property
    def free_cash(self) -> float:
        """What new positions may be worth without borrowing: cash, less what shorts brought in and stand for."""
        return self.cash + 2 * sum((held.value for held in self.positions if held.direction is Direction.SHORT), 0.0)

    @property
    def drawdown_pct(self) -> float:
        """How far the equity is below its peak, from 0 to 100."""
        return self.drawdown_of(self.equity)

    def drawdown_of(self, equity: float) -> float:
        """How far `equity`, which is this account's, is below the peak, from 0 to 100 %."""
        if self.peak_equity <= 0:  # after a halt that began anew with nothing
            return 0.0
        return min(max(100 * (1 - equity / self.peak_equity), 0.0), 100.0)

    @property
    def held(self) -> dict[str, int]:
        """Shares by symbol, negative where they are owed."""
        return {position.symbol: position.direction.sign * position.quantity for position in self.positions}

    def position(self, symbol: str) -> Position | None:
        """What is held of `symbol`."""
        return next((position for position in self.positions if position.symbol == symbol), None)
