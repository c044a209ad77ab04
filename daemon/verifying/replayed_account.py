"""The paper account as a replay goes on with it: by its own settlements, and by what people commanded meanwhile."""

from collections.abc import Mapping

from ensemble.trading.account import Account, Settlement, open_account
from ensemble.trading.events import AccountEvent, EventError, apply, replay_events
from ensemble.trading.limits import RiskLimits


class ReplayedAccount:
    """Goes from settlement to settlement; where a replay breaks off, it begins again from the stored events."""

    def __init__(self, stored: Mapping[int, AccountEvent]) -> None:
        """With all events of the stored account, by number."""
        self._stored = stored
        self._account: Account | None = None

    def at(self, n_events: int, limits: RiskLimits) -> Account:
        """The account when so many events had made it. Raises EventError where the stored ones do not."""
        if n_events == 0:
            return open_account(limits)
        account = self._account
        while account is not None and account.n_events < n_events:
            following = self._stored.get(account.n_events + 1)
            commanded = following is not None and following.commanded_at is not None
            account = apply(account, following) if following is not None and commanded else None
        if account is None or account.n_events != n_events:
            account = self._as_stored(n_events)
        self._account = account
        return account

    def settled(self, settlement: Settlement) -> None:
        """Goes on from a replayed settlement."""
        self._account = settlement.account

    def lost(self) -> None:
        """Goes on from what is stored: a settlement could not be replayed, or is not trusted."""
        self._account = None

    def _as_stored(self, n_events: int) -> Account:
        numbers = range(1, n_events + 1)
        missing = next((number for number in numbers if number not in self._stored), None)
        if missing is not None:
            raise EventError(f"event {missing} of the account is gone; restore a backup.")
        return replay_events(self._stored[number] for number in numbers)
