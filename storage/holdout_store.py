"""The ledger of looks at the sessions that are held out: one for each declared experiment."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from storage.rows import insert_rows, record_columns, row_of
from storage.trial_tables import holdout_openings


class HoldoutSpent(RuntimeError):
    """The experiment has had its look; the message says when, and what to do."""


@dataclass(frozen=True, slots=True)
class HoldoutOpening:
    """One look."""

    experiment: str
    holdout_from: date
    """The first session that was held out."""
    last_session: date
    """The last session that was looked at."""
    digest: str
    """Of the forecasts that were looked at."""
    opened_at: datetime
    code_version: str


def open_holdout(conn: Connection, opening: HoldoutOpening) -> HoldoutOpening:
    """The experiment's look, logged. The same forecasts seen again are the same look: the first one comes back.

    Raises HoldoutSpent when the experiment has looked already, at other forecasts or another range.
    """
    earlier = next((one for one in read_openings(conn) if one.experiment == opening.experiment), None)
    if earlier is None:
        insert_rows(conn, holdout_openings, [row_of(opening)])
        return opening
    asked, had = ((one.holdout_from, one.last_session, one.digest) for one in (opening, earlier))
    if asked == had:
        return earlier
    raise HoldoutSpent(
        f"evaluation.experiment {opening.experiment!r} opened the hold-out on {earlier.opened_at:%Y-%m-%d} with other "
        "forecasts or another range; a second look would choose by it. Declare another experiment if this is one."
    )


def read_openings(conn: Connection) -> list[HoldoutOpening]:
    """Every look, the oldest first."""
    query = select(*record_columns(HoldoutOpening, holdout_openings))
    return [HoldoutOpening(*row) for row in conn.execute(query.order_by(holdout_openings.c.opened_at))]
