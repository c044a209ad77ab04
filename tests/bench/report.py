"""`report`: ten years of history as one page, beside importing the libraries that it needs."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, delete

from ensemble.labels import LABELS
from storage.account_tables import account, trades
from storage.bar_store import read_bars
from storage.engine import open_store, transaction
from storage.rows import insert_columns
from storage.tables import forecasts, member_forecasts, outcomes
from tests.bench.measure import Cost, interleaved, process_cost
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure
from tests.bench.session import CONFIG, DEMO_SESSION, PROGRAM, REFERENCE, STATE, require_demo_state

REPETITIONS = 5
YEARS = 10
SYMBOLS = ("^GSPC", "^IXIC", "A", "B", "C", "D", "E")
"""The demo's two, and what makes them as many as the shipped configuration forecasts."""
MEMBERS = ("baseline", "optimal", "logit", "lightgbm")
SECONDS_GOAL, MEGABYTES_GOAL = 3.0, 6.0
NOW = "2018-12-28T22:00:00Z"
AT = datetime(2018, 12, 28, 14, 10, tzinfo=UTC)
Columns = dict[str, list[Any]]


def run(options: Options) -> Result:
    """Works on a copy of the state that `make demo` leaves behind, with made-up years before its one session."""
    require_demo_state()
    with tempfile.TemporaryDirectory() as folder:
        live, both = (Path(shutil.copytree(STATE, Path(folder) / name)) for name in ("live", "both"))
        fill(live / "signals.db", "live")
        fill(both / "signals.db", "live", "backtest")
        page = Path(folder) / "report.html"
        costs = interleaved(
            {
                "importing": lambda: process_cost(REFERENCE, {}),
                "live": lambda: _report(live, Path(folder) / "live.html"),
                "both": lambda: _report(both, page),
            },
            options.repetitions or REPETITIONS,
        )
        size_mb = page.stat().st_size / 1e6
    wall = {name: [cost.wall_s for cost in runs] for name, runs in costs.items()}
    return Result(
        f"{YEARS} made-up years, live and as a backtest, {len(SYMBOLS)} stocks, four labels, {len(MEMBERS)} members, "
        "on the state of `make demo`",
        (
            median_figure("importing the libraries", wall["importing"], "s"),
            median_figure("ten live years", wall["live"], "s", at_most=SECONDS_GOAL),
            ratio_figure("ten live years : importing", wall["live"], wall["importing"]),
            median_figure("with a backtest as long", wall["both"], "s"),
            median_figure("with a backtest as long, CPU time", [cost.cpu_s for cost in costs["both"]], "s"),
            median_figure("with a backtest as long, peak memory", [cost.memory_mb for cost in costs["both"]], "MB"),
            Figure("file with a backtest as long", size_mb, "MB", at_most=MEGABYTES_GOAL),
        ),
    )


def _report(state: Path, page: Path) -> Cost:
    own = {"STORAGE__STATE_DIR": str(state), "REPORT__YEARS": f"{YEARS}"}
    words = [str(PROGRAM), "--config", str(CONFIG), "report", "--out", str(page), "--now", NOW]
    return process_cost(words, {f"RELIANCE_DAEMON__{name}": value for name, value in own.items()})


def fill(database: Path, *origins: str) -> None:
    """Adds forecasts, outcomes, trades and accounts of the YEARS before the demo's session, of each origin."""
    engine = open_store(f"sqlite:///{database}")
    last = date.fromisoformat(DEMO_SESSION)
    try:
        with transaction(engine) as conn:
            (bars,) = read_bars(conn, SYMBOLS[:1], first=date(last.year - YEARS, last.month, last.day)).values()
            before = bars.loc[: pd.Timestamp(last) - pd.Timedelta(days=1)]
            for seed, origin in enumerate(origins):
                _add_forecasts(conn, origin, before.index, seed)
                _add_account(conn, origin, before)
            conn.execute(delete(outcomes))  # of a backtest that somebody has made of the demo
            _add(conn, outcomes, _keys(before.index), outcome=[0, 1, 1, 0, 1], resolved_at=AT)
    finally:
        engine.dispose()


def _keys(sessions: pd.Index, *more: Sequence[str]) -> Columns:
    """Each session, symbol and label, and what more the key has, as columns."""
    rows = product(pd.DatetimeIndex(sessions).date, SYMBOLS, LABELS, *more)
    names = ("session", "symbol", "label", "member")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))


def _add(conn: Connection, table: Table, keys: Columns, **more: Any) -> None:
    """Adds a row a key; a list is repeated, any other value is the same in all."""
    count = len(next(iter(keys.values())))
    lists = {name: cells if isinstance(cells, list) else [cells] for name, cells in more.items()}
    others = {name: list(islice(cycle(cells), count)) for name, cells in lists.items()}
    insert_columns(conn, table, {**keys, **others})


def _add_forecasts(conn: Connection, origin: str, sessions: pd.Index, seed: int) -> None:
    said = np.random.default_rng(seed).uniform(0.3, 0.7, 9973).tolist()
    same = {"origin": origin, "probability": said, "model_id": "made-up"}
    made = {"probability_mean": said, "method": "mean", "data_digest": "", "code_version": "", "decided_at": AT}
    between = {"probability_low": 0.4, "probability_high": 0.6, "late": False}
    _add(conn, forecasts, _keys(sessions), **same, **made, **between)
    _add(conn, member_forecasts, _keys(sessions, MEMBERS), **same)


def _add_account(conn: Connection, origin: str, bars: pd.DataFrame) -> None:
    """A trade every fifth session, and the equity of whoever holds a tenth in shares."""
    days, close = pd.DatetimeIndex(bars.index).date.tolist(), bars["close"].tolist()
    equity = [1e6 * (0.9 + 0.1 * one / close[0]) for one in close]
    marks = {"cash": 9e5, "exposure": 1e5, "positions": 1, "peak_equity": 2e6, "drawdown_pct": 1.0, "receivable": 0.0}
    _add(conn, account, {"session": days, "equity": equity}, origin=origin, **marks)
    entered, left = days[:-5:5], days[4:-1:5]
    trade = {"symbol": SYMBOLS[0], "quantity": 40, "entry_price": close[:-5:5], "exit_price": close[4:-1:5]}
    came = {"exit_reason": ["STOP", "TARGET", "TIME"], "cost": 10.0, "profit": [-900.0, 1500.0, 20.0]}
    keys = {"entry_session": entered, "exit_session": left[: len(entered)]}
    _add(conn, trades, keys, origin=origin, direction="LONG", income=0.0, **trade, **came)
