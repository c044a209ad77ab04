"""The account as it goes through a session: whatever is written down happens, and nothing else does."""

from datetime import date, datetime
from typing import Any

from ensemble.trading.events import AccountEvent, EventKind, apply
from ensemble.trading.holdings import Account


class Journal:
    """Numbers events, keeps them in order, and applies each to the account at once."""

    def __init__(self, account: Account, session: date, *, commanded_at: datetime | None = None) -> None:
        """Of one session, beginning with `account`; a fresh account is opened first."""
        self.account = account
        self.before = account
        self.session = session
        self._commanded_at = commanded_at
        self._events: list[AccountEvent] = []
        if account.n_events == 0:
            self.write(EventKind.OPENED, amount=account.cash)

    @property
    def events(self) -> tuple[AccountEvent, ...]:
        """What was written, oldest first."""
        return tuple(self._events)

    def write(self, kind: EventKind, symbol: str | None = None, **what: Any) -> None:
        """Adds an event; `what` are fields of AccountEvent. Raises EventError."""
        number = self.account.n_events + 1
        self._add(AccountEvent(self.session, number, kind, symbol, commanded_at=self._commanded_at, **what))

    def make_up_for(self, session: date, kind: EventKind, symbol: str | None, **what: Any) -> None:
        """Adds an event of a session that was settled without it. Raises EventError."""
        number = self.account.n_events + 1
        self._add(AccountEvent(session, number, kind, symbol, commanded_at=self._commanded_at, **what))

    def _add(self, event: AccountEvent) -> None:
        self.account = apply(self.account, event)
        self._events.append(event)
