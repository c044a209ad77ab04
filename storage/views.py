"""The views of signals.db: the stable contract for whoever queries it. `v_latest_signals` is where to begin.

Plain SQL that SQLite and PostgreSQL both read. The views are made anew at the end of every upgrade of the
schema, so a change here needs a migration too, if only an empty one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, inspect, select

from storage.account_tables import account, positions
from storage.tables import data_dictionary, forecasts, outcomes, runs, signals


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """One column of a view: its name, its SQL type, and what it holds with its unit."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class View:
    """A named query. `columns` explain what `sql` selects, in the same order."""

    name: str
    comment: str
    columns: tuple[ViewColumn, ...]
    sql: str
    sql_of_dialect: Mapping[str, Mapping[str, str]] | None = None
    """For the words in braces in `sql`: what they are in each database."""

    def sql_for(self, dialect: str) -> str:
        words = {} if self.sql_of_dialect is None else self.sql_of_dialect[dialect]
        return f"CREATE VIEW {self.name} AS {self.sql.format(**words)}"


def _same(column: Column[Any], *, comment: str | None = None) -> ViewColumn:
    return ViewColumn(column.name, str(column.type), comment or column.comment or "")


def _all(table: Table, *, but: Iterable[str] = ()) -> tuple[ViewColumn, ...]:
    left_out = frozenset(but)
    return tuple(_same(column) for column in table.columns if column.name not in left_out)


def _number(name: str, comment: str) -> ViewColumn:
    return ViewColumn(name, "DOUBLE", comment)


def _count(name: str, comment: str) -> ViewColumn:
    return ViewColumn(name, "INTEGER", comment)


_INTERVAL = (_same(forecasts.c.probability_low), _same(forecasts.c.probability_high))

_LATER = ("expected_value_bp", "value_limit")
"""Columns of signals that came later than the interval, and stand behind it."""

LATEST_SIGNALS = View(
    "v_latest_signals",
    "What to do at the open of the newest session decided: one row a symbol",
    (*_all(signals, but=["origin", *_LATER]), *_INTERVAL, *(_same(signals.c[name]) for name in _LATER)),
    """
    SELECT s.session, s.symbol, s.label, s.action, s.probability, s.confidence, s.quantity, s.reference_price,
           s.stop_loss_pct, s.take_profit_pct, s.reasons, s.late, s.actionable, s.decided_at,
           f.probability_low, f.probability_high, s.expected_value_bp, s.value_limit
    FROM signals s
    LEFT JOIN forecasts f
      ON f.origin = s.origin AND f.session = s.session AND f.symbol = s.symbol AND f.label = s.label
    WHERE s.origin = 'live' AND s.session = (SELECT MAX(session) FROM signals WHERE origin = 'live')
    """,
)

SIGNAL_HISTORY = View(
    "v_signal_history",
    "Every decision with the forecast behind it and what happened; live and backtest, see origin",
    (
        *_all(signals, but=_LATER),
        _same(forecasts.c.method),
        _same(forecasts.c.model_id),
        _same(outcomes.c.outcome, comment="1: the label came true; 0: it did not; empty: not known yet"),
        _count("was_right", "1: the forecast was on the right side of one half; 0: not; empty: not known yet"),
        *_INTERVAL,
        *(_same(signals.c[name]) for name in _LATER),
    ),
    """
    SELECT s.origin, s.session, s.symbol, s.label, s.action, s.probability, s.confidence, s.quantity,
           s.reference_price, s.stop_loss_pct, s.take_profit_pct, s.reasons, s.late, s.actionable,
           s.decided_at, f.method, f.model_id, o.outcome,
           CASE WHEN s.probability IS NULL OR o.outcome IS NULL THEN NULL
                WHEN s.probability >= 0.5 THEN o.outcome ELSE 1 - o.outcome END AS was_right,
           f.probability_low, f.probability_high, s.expected_value_bp, s.value_limit
    FROM signals s
    LEFT JOIN forecasts f
      ON f.origin = s.origin AND f.session = s.session AND f.symbol = s.symbol AND f.label = s.label
    LEFT JOIN outcomes o ON o.session = s.session AND o.symbol = s.symbol AND o.label = s.label
    """,
)

_NEW = ("direction", "last_session", "entry_open", "dividend_factor", "income")
"""Columns that came later, and stand at the end: whoever selects by place still finds what was there."""

OPEN_POSITIONS = View(
    "v_open_positions",
    "What the live paper account holds now, at its last closes",
    (
        *_all(positions, but=["origin", *_NEW]),
        _number("market_value", "Value at the last close, negative for a short, in the account's currency"),
        _number("open_profit", "Gain or loss so far after the entry's fees, in the account's currency"),
        _number("return_pct", "Gain or loss of the price since the entry, per cent of the entry price"),
        *(_same(positions.c[name]) for name in _NEW),
    ),
    """
    SELECT symbol, quantity, entry_session, entry_price, stop_price, target_price, entry_cost, sessions_held,
           last_close, sign * quantity * last_close AS market_value,
           sign * quantity * (last_close - entry_price) - entry_cost + income AS open_profit,
           sign * 100 * (last_close / entry_price - 1) AS return_pct,
           direction, last_session, entry_open, dividend_factor, income
    FROM (SELECT *, CASE direction WHEN 'SHORT' THEN -1 ELSE 1 END AS sign FROM positions) AS signed
    WHERE origin = 'live'
    """,
)

EQUITY = View(
    "v_equity",
    "The paper account session by session, with its drawdown; live and backtest, see origin",
    (
        *_all(account, but=["receivable"]),
        _number("profit", "Change of equity since the previous session, in the account's currency"),
        _number("return_pct", "That change against the previous equity, per cent"),
        _same(account.c.receivable),
    ),
    """
    SELECT origin, session, cash, equity, exposure, positions, peak_equity, drawdown_pct,
           equity - LAG(equity) OVER by_session AS profit,
           100 * (equity / NULLIF(LAG(equity) OVER by_session, 0) - 1) AS return_pct,
           receivable
    FROM account
    WINDOW by_session AS (PARTITION BY origin ORDER BY session)
    """,
)

LIVE_ACCURACY = View(
    "v_live_accuracy",
    "How the live forecasts made in time came out, by label; their worth is their gap to the base rate",
    (
        _same(forecasts.c.label),
        _count("forecasts", "Forecasts made before the session opened"),
        _count("resolved", "Those whose outcome is known; all that follows is over these"),
        _count("hits", "Those on the right side of one half"),
        _number("accuracy", "hits / resolved, 0 to 1"),
        _number("base_rate", "Accuracy of always naming the side that came more often, 0.5 to 1"),
        _number("log_loss", "Mean log loss of the forecasts, in nats; lower is better"),
        _number("base_log_loss", "Log loss of always forecasting the share that came true, in nats"),
    ),
    # Log loss is cut at a millionth: one forecast of exactly 0 or 1 must not make the mean infinite.
    """
    WITH judged AS (
        SELECT f.label, o.outcome,
               CASE WHEN f.probability >= 0.5 THEN o.outcome ELSE 1 - o.outcome END AS hit,
               CASE WHEN f.probability < 0.000001 THEN 0.000001 WHEN f.probability > 0.999999 THEN 0.999999
                    ELSE f.probability END AS p
        FROM forecasts f
        LEFT JOIN outcomes o ON o.session = f.session AND o.symbol = f.symbol AND o.label = f.label
        WHERE f.origin = 'live' AND f.late = 0
    ), scored AS (
        SELECT label, COUNT(*) AS forecasts, COUNT(outcome) AS resolved, COALESCE(SUM(hit), 0) AS hits,
               AVG(CAST(outcome AS DOUBLE PRECISION)) AS share,
               AVG(CASE outcome WHEN 1 THEN -LN(p) WHEN 0 THEN -LN(1 - p) END) AS log_loss
        FROM judged
        GROUP BY label
    )
    SELECT label, forecasts, resolved, hits, CAST(hits AS DOUBLE PRECISION) / NULLIF(resolved, 0) AS accuracy,
           CASE WHEN share < 0.5 THEN 1 - share ELSE share END AS base_rate, log_loss,
           CASE WHEN share > 0 AND share < 1 THEN -share * LN(share) - (1 - share) * LN(1 - share)
                ELSE 0 * share END AS base_log_loss
    FROM scored
    """,
)

_DONE_BY = ("configuration", "bars_known_at", "events_known", "code_version", "late_known_at")

RUN_HEALTH = View(
    "v_run_health",
    "The last live run of each kind of job, and how long ago it was",
    (
        *_all(runs, but=["origin", *_DONE_BY]),
        _number("age_hours", "Hours since it ended, or began if it has not ended"),
        ViewColumn("last_done_session", "TEXT", "Newest session done or closed without its bars, ISO date"),
    ),
    """
    SELECT kind, session, status, started_at, finished_at, detail, {age_hours} AS age_hours, last_done_session
    FROM (
        SELECT kind, session, status, started_at, finished_at, detail,
               ROW_NUMBER() OVER (PARTITION BY kind ORDER BY session DESC) AS place,
               MAX(CASE WHEN status IN ('done', 'no_data') THEN session END) OVER (PARTITION BY kind)
                   AS last_done_session
        FROM runs
        WHERE origin = 'live'
    ) AS ranked
    WHERE place = 1
    """,
    {
        "sqlite": {
            "age_hours": "24 * (julianday('now') - julianday(COALESCE(finished_at, started_at)))",
        },
        "postgresql": {
            "age_hours": "CAST(EXTRACT(EPOCH FROM now() - COALESCE(finished_at, started_at)::timestamptz) / 3600 AS "
            "DOUBLE PRECISION)",
        },
    },
)

VIEWS = (LATEST_SIGNALS, SIGNAL_HISTORY, OPEN_POSITIONS, EQUITY, LIVE_ACCURACY, RUN_HEALTH)


def create_views(conn: Connection) -> None:
    """Makes every view."""
    for view in VIEWS:
        conn.exec_driver_sql(view.sql_for(conn.dialect.name))


def drop_views(conn: Connection) -> None:
    """Drops the views that the dictionary calls ours, whatever version made them, not the user's own."""
    inspector = inspect(conn)
    if inspector.has_table(data_dictionary.name):
        ours = select(data_dictionary.c.object_name).where(data_dictionary.c.type == "view")
        for name in set(conn.scalars(ours)) & set(inspector.get_view_names()):
            conn.exec_driver_sql(f"DROP VIEW {name}")
