"""How often stored backtest forecasts would have raised FORECAST_DRIFT, and how soon forecasts that went wrong do.

`python -m tests.bench.forecast_drift CONFIG MONTHS`, after a `backtest` of some years: each month is looked at beside
the MONTHS before it, as a version made for it would look. docs/models.md has what came of it.
"""

import sys
from collections.abc import Callable, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.config.settings import load_settings
from ensemble.arrays import Floats
from ensemble.evaluation.forecast_drift import WINDOW_SESSIONS, ForecastShape, shape_of
from ensemble.labels import LABELS
from ensemble.stacking.evidence import gather_evidence
from storage.engine import open_store, reading
from storage.forecast_store import read_forecasts

LEVELS = (500, 2500)
WRONG: Mapping[str, Callable[[Floats, float], Floats]] = {
    "constant": lambda odds, _: np.zeros_like(odds),
    "shifted": lambda odds, deviation: odds + deviation,
}
"""What becomes of log-odds, whose deviation is given."""


def main(config: Path, months: int) -> None:
    settings = load_settings(config, {})
    engine = open_store(settings.storage.database_url)
    with reading(engine) as conn:
        rows = read_forecasts(conn, first=date.min, last=date.max)
    engine.dispose()
    print(f"| label | sessions | {' | '.join(f'alarms at {level}' for level in LEVELS)} | {' | '.join(WRONG)} |")
    print(f"|---|{'--:|' * (1 + len(LEVELS) + len(WRONG))}")
    for label in LABELS:
        of_label = rows[(rows["origin"] == "backtest") & (rows["label"] == label)]
        print(f"| {label} | {' | '.join(_figures(of_label, months))} |")


def _figures(rows: pd.DataFrame, months: int) -> list[str]:
    wide = rows.pivot(index="symbol", columns="session", values="probability")
    said, sessions = wide.to_numpy(np.float64), pd.DatetimeIndex(wide.columns)
    starts = sessions.searchsorted(sessions.to_period("M").unique().to_timestamp())
    beyond: dict[int, list[bool]] = {level: [] for level in LEVELS}
    delays: dict[str, list[int]] = {name: [] for name in WRONG}
    for place in range(months, len(starts)):
        start, stop = int(starts[place]), int([*starts, len(sessions)][place + 1])
        odds = _log_odds(said[:, starts[place - months] : start])
        shape = shape_of(gather_evidence(odds, np.where(np.isfinite(odds), 1.0, np.nan), lags=0), odds, seed=1)
        assert shape is not None
        for level in LEVELS:
            beyond[level] += [_is_beyond(shape, said[:, :day], level) for day in range(start + 1, stop + 1)]
        for name, becomes in WRONG.items():
            wrong = becomes(_log_odds(said[:, start : start + 60]), float(np.nanstd(odds)))
            lived = np.hstack([said[:, :start], 1 / (1 + np.exp(-wrong))])
            days = range(start + 1, lived.shape[1] + 1)
            found = next((day for day in days if _is_beyond(shape, lived[:, :day], LEVELS[-1])), days.stop)
            delays[name].append(found - start)
    alarms = [str(sum(now and not before for before, now in pairwise([False, *beyond[level]]))) for level in LEVELS]
    return [str(len(beyond[LEVELS[0]])), *alarms, *(f"{np.median(delays[name]):.0f}" for name in WRONG)]


def _is_beyond(shape: ForecastShape, said: Floats, level: int) -> bool:
    window = said[:, -WINDOW_SESSIONS:]
    return shape.distance(window[np.isfinite(window)]) > shape.limit(level)


def _log_odds(said: Floats) -> Floats:
    return np.asarray(np.log(said) - np.log1p(-said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
