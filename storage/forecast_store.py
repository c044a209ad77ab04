"""What the ensemble said, and what it said it from. Rows are added and never changed."""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd
from sqlalchemy import Connection, Table, func, select, union_all

from ensemble.forecasts import Forecast, MemberForecast
from storage.rows import Instants, insert_records, insert_rows, read_frame
from storage.tables import Origin, features, forecasts, member_forecasts


def write_forecasts(  # noqa: PLR0913 - what one decision shares
    conn: Connection,
    origin: Origin,
    made: Sequence[Forecast],
    *,
    decided_at: Instants,
    late: bool | Mapping[date, bool],
    code_version: str,
) -> None:
    """Adds the forecasts. One that is there already makes the transaction fail: a forecast is made once."""
    decision = {"origin": origin, "decided_at": decided_at, "late": late, "code_version": code_version}
    insert_records(conn, forecasts, made, **decision)


def write_member_forecasts(conn: Connection, origin: Origin, made: Sequence[MemberForecast]) -> None:
    """Adds what each member said, under the same rule."""
    insert_records(conn, member_forecasts, made, origin=origin)


def write_features_digests(conn: Connection, origin: Origin, digests: Mapping[date, str], *, column_count: int) -> None:
    """Adds, by session, the fingerprint of the features that it was decided on."""
    same = {"origin": origin, "column_count": column_count}
    insert_rows(conn, features, ({"session": session, "digest": digest} | same for session, digest in digests.items()))


def read_features_digest(conn: Connection, origin: Origin, session: date) -> str | None:
    """The fingerprint kept for that session, None where there is none."""
    return conn.scalar(select(features.c.digest).filter_by(origin=origin, session=session))


def read_speakers(conn: Connection, origin: Origin, *, first: date, last: date) -> dict[date, str]:
    """The model that forecast each session, by session: the one that most rows name, of the ensemble or a member."""
    rows = (
        select(table.c.session, table.c.model_id).where(table.c.origin == origin, table.c.session.between(first, last))
        for table in (forecasts, member_forecasts)
    )
    named = union_all(*rows).subquery()
    counted = select(named.c.session, named.c.model_id).group_by(named.c.session, named.c.model_id)
    return dict(conn.execute(counted.order_by(func.count(), named.c.model_id)).all())


def read_forecasts(
    conn: Connection,
    *,
    first: date,
    last: date,
    label: str | None = None,
    symbols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The forecasts for the sessions first to last, of both origins, by session, symbol, label and origin.

    Columns: session (datetime64), symbol, label, probability, origin, then the table's others; decided_at is
    ISO text, late is 0 or 1.
    """
    return _read(conn, forecasts, (first, last), label, symbols)


def read_probabilities(conn: Connection, origin: Origin, session: date) -> dict[tuple[str, str], float]:
    """Symbol and label -> the probability of "up" that was said for the session."""
    said = select(forecasts.c.symbol, forecasts.c.label, forecasts.c.probability)
    rows = conn.execute(said.filter_by(origin=origin, session=session).order_by(forecasts.c.symbol, forecasts.c.label))
    return {(row.symbol, row.label): row.probability for row in rows}


def read_recent(conn: Connection, origin: Origin, label: str, *, before: date, sessions: int) -> list[list[float]]:
    """The probabilities of that label, of all symbols, in the newest `sessions` before `before`, a list a session."""
    query = select(forecasts.c.session, forecasts.c.probability).filter_by(origin=origin, label=label)
    days = select(forecasts.c.session).filter_by(origin=origin, label=label).where(forecasts.c.session < before)
    newest = days.distinct().order_by(forecasts.c.session.desc()).limit(sessions)
    said: dict[date, list[float]] = {}
    for session, probability in conn.execute(query.where(forecasts.c.session.in_(newest))):
        said.setdefault(session, []).append(probability)
    return list(said.values())


def read_member_forecasts(
    conn: Connection,
    *,
    first: date,
    last: date,
    label: str | None = None,
    symbols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """What the members said, in the same order.

    Columns: session (datetime64), symbol, label, probability, origin, member, model_id.
    """
    return _read(conn, member_forecasts, (first, last), label, symbols)


def _read(
    conn: Connection, table: Table, span: tuple[date, date], label: str | None, symbols: Sequence[str] | None
) -> pd.DataFrame:
    leading = [table.c[name] for name in ("session", "symbol", "label", "probability", "origin")]
    others = [column for column in table.columns if column not in leading]
    query = select(*leading, *others).where(table.c.session.between(*span))
    if label is not None:
        query = query.where(table.c.label == label)
    if symbols is not None:
        query = query.where(table.c.symbol.in_(symbols))
    keys = [table.c[name] for name in ("session", "symbol", "label", "origin")]
    return read_frame(conn, query.order_by(*keys, *table.primary_key.columns))
