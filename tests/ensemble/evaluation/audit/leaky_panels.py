"""Pipelines broken on purpose in how features are made. Each is a mistake that people make; none may pass the audit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Reals
from ensemble.evaluation.audit.pipeline import EnsemblePipeline
from ensemble.features.matrix import Market, build_panel
from ensemble.labels import LABELS
from ensemble.panel import Panel

Alter = Callable[[Panel, Market], Panel]


@dataclass(frozen=True)
class LeakyPanel(EnsemblePipeline):
    """The ensemble on a panel that was altered after it was built."""

    alter: Alter

    def panel(self, market: Market) -> Panel:
        return self.alter(build_panel(market), market)

    def live_panel(self, market: Market, first: date) -> Panel:
        whole = self.panel(market)
        rows = slice(int(whole.sessions.searchsorted(pd.Timestamp(first))), None)
        return replace(
            whole,
            sessions=whole.sessions[rows],
            values=whole.values[:, rows],
            labels=whole.labels[:, rows],
            bar_age=whole.bar_age[:, rows],
        )


def tomorrows_row(panel: Panel, market: Market) -> Panel:
    """Shifted by -1 where +1 was meant."""
    later = np.full_like(panel.values, np.nan)
    later[:, :-1] = panel.values[:, 1:]
    column = panel.features.index("return_1")
    return with_values(panel, "return_1", later[..., column])


def centred_average(panel: Panel, market: Market) -> Panel:
    """An average that looks as far ahead as back."""
    smooth = change(market).rolling(5, center=True, min_periods=1).mean()
    return appended(panel, "smooth_return", smooth.shift(1))


def full_sample_scaling(panel: Panel, market: Market) -> Panel:
    """Standardised before the data were split."""
    known = np.ma.masked_invalid(panel.values)
    mean, deviation = known.mean(axis=(0, 1)).filled(0), known.std(axis=(0, 1)).filled(1)
    return replace(panel, values=((panel.values - mean) / np.maximum(deviation, 1e-9)).astype(np.float32))


def min_max_scaling(panel: Panel, market: Market) -> Panel:
    """Squeezed between the least and the most that ever was."""
    known = np.ma.masked_invalid(panel.values)
    low, high = known.min(axis=(0, 1)).filled(0), known.max(axis=(0, 1)).filled(1)
    return replace(panel, values=((panel.values - low) / np.maximum(high - low, 1e-9)).astype(np.float32))


def clipped_at_quantiles(panel: Panel, market: Market) -> Panel:
    """Outliers cut at quantiles of the whole sample."""
    by_feature = pd.DataFrame(panel.values.reshape(-1, panel.values.shape[2]))
    low, high = (by_feature.quantile(share).fillna(0).to_numpy() for share in (0.02, 0.98))
    return replace(panel, values=np.clip(panel.values, low, high).astype(np.float32))


def back_filled(panel: Panel, market: Market) -> Panel:
    """Gaps filled from the next known value."""
    filled = [pd.DataFrame(values).bfill().to_numpy() for values in panel.values]
    return replace(panel, values=np.stack(filled).astype(np.float32))


def filled_with_the_mean(panel: Panel, market: Market) -> Panel:
    """Gaps filled with the mean of the whole sample."""
    mean = np.ma.masked_invalid(panel.values).mean(axis=(0, 1)).filled(0)
    return replace(panel, values=np.where(np.isnan(panel.values), mean, panel.values).astype(np.float32))


def principal_components(panel: Panel, market: Market) -> Panel:
    """Axes turned by what varied over the whole sample."""
    filled = np.nan_to_num(panel.values).reshape(-1, panel.values.shape[2]).astype(np.float64)
    axis = np.linalg.svd(filled - filled.mean(axis=0), full_matrices=False)[2][0]
    return with_values(panel, "component", (np.nan_to_num(panel.values) @ axis))


def features_selected_on_all_data(panel: Panel, market: Market) -> Panel:
    """Those kept that went best with the outcomes of the whole sample."""
    labels = np.nan_to_num(panel.labels[..., LABELS.index("close_to_close")] - 0.5).ravel()
    filled = np.nan_to_num(panel.values).reshape(len(labels), -1)
    strength = np.abs(labels @ filled) / np.maximum(np.sqrt((filled**2).sum(axis=0)), 1e-9)
    kept = np.sort(np.argsort(-strength)[:12])
    names = tuple(panel.features[place] for place in kept)
    return replace(panel, features=names, values=panel.values[..., kept])


def target_encoding(panel: Panel, market: Market) -> Panel:
    """Each weekday coded by how often the whole sample rose on it."""
    ups = pd.DataFrame(panel.labels[..., LABELS.index("close_to_close")].T, index=panel.sessions).mean(axis=1)
    code = ups.groupby(panel.sessions.day_of_week).transform("mean").to_numpy()
    return with_values(panel, "weekday_share", np.broadcast_to(code, panel.values.shape[:2]))


def month_mean_volume(panel: Panel, market: Market) -> Panel:
    """Volume over the mean of its calendar month, days to come included."""
    return appended(panel, "volume_to_month", lay(market, "volume", _to_month).shift(1))


def weekly_bar(panel: Panel, market: Market) -> Panel:
    """The week's return, known on Monday."""
    return appended(panel, "week_return", change(market).groupby(pd.Grouper(freq="W")).transform("sum"))


def todays_bar(panel: Panel, market: Market) -> Panel:
    """The range of the session that is decided before it opens."""
    spread = lay(market, "high", np.log) - lay(market, "low", np.log)
    return appended(panel, "range_today", spread)


def todays_open(panel: Panel, market: Market) -> Panel:
    """The opening gap, half an hour before the open."""
    gap = lay(market, "open", np.log) - lay(market, "close", np.log).shift(1)
    return appended(panel, "gap_today", gap)


def rank_among_todays_returns(panel: Panel, market: Market) -> Panel:
    """How a stock compares with its peers at tonight's close."""
    return appended(panel, "rank_today", change(market).rank(axis=1))


def the_label_itself(panel: Panel, market: Market) -> Panel:
    """The answer among the questions."""
    return with_values(panel, "answer", panel.labels[..., LABELS.index("close_to_close")])


def same_date_new_york(panel: Panel, market: Market) -> Panel:
    """New York joined on the date: it closes sixteen hours after the decision."""
    return with_values(panel, "leader_same_date", _leader_return(panel, market, shift=0))


def yesterday_by_date(panel: Panel, market: Market) -> Panel:
    """New York of the date before, whether it was known or not."""
    return with_values(panel, "leader_day_before", _leader_return(panel, market, shift=1))


def back_adjusted_level(panel: Panel, market: Market) -> Panel:
    """A price that knows of every later split and dividend."""
    return appended(panel, "log_price", lay(market, "adj_close", np.log).shift(1))


def dividends_to_come(panel: Panel, market: Market) -> Panel:
    """Adjusted over unadjusted close: all dividends that will be paid."""
    return appended(panel, "adjustment", (lay(market, "adj_close", np.log) - lay(market, "close", np.log)).shift(1))


def since_the_first_bar(panel: Panel, market: Market) -> Panel:
    """What was gained since wherever history happens to begin."""
    gained = lay(market, "close", np.log)
    return appended(panel, "gained_so_far", (gained - gained.bfill().iloc[0]).shift(1))


def smoothed_regime(panel: Panel, market: Market) -> Panel:
    """P(stormy) of a two-state hidden Markov model, smoothed: each day's state is told by the days after it too."""
    stormy = change(market).apply(lambda moves: pd.Series(_smoothed(moves.to_numpy()), index=moves.index))
    return appended(panel, "stormy", stormy.shift(1))


def outcomes_a_day_late(panel: Panel, market: Market) -> Panel:
    """Yesterday's outcomes in today's rows: easy to forecast."""
    late = np.full_like(panel.labels, np.nan)
    late[:, 1:] = panel.labels[:, :-1]
    return replace(panel, labels=late)


def with_values(panel: Panel, name: str, column: Reals) -> Panel:
    """One column more, or another one in place of that of the same name."""
    values = np.asarray(column, dtype=np.float32)[..., None]
    if name in panel.features:
        place = panel.features.index(name)
        changed = panel.values.copy()
        changed[..., place] = values[..., 0]
        return replace(panel, values=changed)
    return replace(panel, features=(*panel.features, name), values=np.concatenate([panel.values, values], axis=2))


def appended(panel: Panel, name: str, by_date: pd.DataFrame) -> Panel:
    """One column more, from a frame of sessions by symbols."""
    return with_values(panel, name, by_date.reindex(panel.sessions)[list(panel.symbols)].to_numpy().T)


def lay(market: Market, column: str, turn: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    """One column of all stocks on the calendar's sessions, (n_sessions, n_symbols)."""
    laid = {symbol: turn(bars[column]).reindex(market.calendar.sessions) for symbol, bars in market.bars.items()}
    return pd.DataFrame(laid)


def change(market: Market) -> pd.DataFrame:
    """Daily log returns."""
    return lay(market, "close", np.log).diff()


def _to_month(volume: pd.Series) -> pd.Series:
    return volume / volume.groupby(pd.Grouper(freq="MS")).transform("mean")


def _leader_return(panel: Panel, market: Market, *, shift: int) -> Floats:
    bars = next(bars for exchange, bars in market.context.values() if exchange != market.calendar.exchange)
    returns = np.log(bars["close"]).diff()
    days = panel.sessions - pd.Timedelta(days=shift)
    by_row = returns.reindex(returns.index.union(days)).ffill(limit=3 * shift if shift else None).reindex(days)
    return np.broadcast_to(by_row.to_numpy(), panel.values.shape[:2])


def _smoothed(moves: Floats) -> Floats:
    """Forward-backward (Rabiner 1989) with two Gaussian states and fixed parameters."""
    known = np.nan_to_num(moves)
    scale = np.array([0.008, 0.025])
    likelihood = np.exp(-0.5 * (known[:, None] / scale) ** 2) / scale
    stay = np.array([[0.97, 0.03], [0.06, 0.94]])
    forward, backward = np.ones_like(likelihood), np.ones_like(likelihood)
    for day in range(len(known)):
        state = likelihood[day] * ((forward[day - 1] @ stay) if day else 0.5)
        forward[day] = state / state.sum()
    for day in range(len(known) - 2, -1, -1):
        state = stay @ (likelihood[day + 1] * backward[day + 1])
        backward[day] = state / state.sum()
    both = forward * backward
    return np.asarray(both[:, 1] / both.sum(axis=1))


LEAKY_PANELS: Mapping[Alter, tuple[str, ...]] = {
    tomorrows_row: ("as-of", "truncation", "future corruption"),
    centred_average: ("as-of",),
    todays_bar: ("as-of",),
    todays_open: ("as-of",),
    rank_among_todays_returns: ("as-of",),
    the_label_itself: ("as-of",),
    same_date_new_york: ("as-of",),
    weekly_bar: ("as-of",),
    smoothed_regime: ("as-of",),
    full_sample_scaling: ("truncation", "future corruption"),
    min_max_scaling: ("truncation",),
    clipped_at_quantiles: ("truncation",),
    back_filled: ("truncation",),
    filled_with_the_mean: ("truncation",),
    principal_components: ("truncation",),
    features_selected_on_all_data: ("truncation",),
    target_encoding: ("truncation",),
    month_mean_volume: ("truncation",),
    back_adjusted_level: ("restatement",),
    dividends_to_come: ("restatement",),
    since_the_first_bar: ("warm-up drift",),
    outcomes_a_day_late: ("independent rescoring",),
    yesterday_by_date: ("one-day delay",),
}
"""The mutant -> the checks that have to find it, whatever the others find."""
