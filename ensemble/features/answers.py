"""How each stock has lately answered to what happened abroad overnight, and so what to expect of it next."""

from collections.abc import Mapping

import numpy as np

from ensemble.arrays import Floats
from ensemble.features.as_of import newest_known, take_known
from ensemble.features.context import ContextSeries, Instants, adjusted_close_and_open, rolling_sum
from ensemble.features.prices import lagged, log_change, log_gap, ratio

ANSWER_SESSIONS = 250
"""Sessions that an answer is learnt from: the newest, because stocks change what they follow."""
SCALE_SESSIONS = 20
"""A stock's moves are measured in their root mean square over so many sessions before."""
DECAY, DECAY_BARS = 0.85, 40
"""A series' moves are measured in a volatility that forgets this fast, and all that is older than so many bars."""
MOVE_CLIP, ANSWER_CLIP = 5.0, 4.0
NIGHT_PENALTY, PARTS_PENALTY = 50.0, 100.0
"""Strength of the ridge, in sessions: a coefficient known from so many is halved."""


def expected_answers(own: Mapping[str, Floats], nights: Floats, parts: Floats) -> dict[str, Floats]:
    """What each of the stocks' `own` moves, (n_symbols, n_sessions) each, is expected to be, in its own volatility.

    "expected_NAME" follows from `nights` (k, n_sessions), "expected_NAME_parts" from `parts` (l, n_sessions) besides:
    a ridge regression (Hoerl and Kennard 1970) of the stock's moves on both over the ANSWER_SESSIONS before, its own
    for each stock. NaN with less than half of them, and where nothing abroad is known.
    """
    moves = np.concatenate([nights, parts])
    answers = np.concatenate([in_own_volatility(one) for one in own.values()])
    expected = _regressed(np.nan_to_num(moves).T.copy(), answers.T.copy(), len(nights))
    expected[:, :, ~np.isfinite(moves).any(axis=0)] = np.nan
    by_name = expected.reshape(2, len(own), -1, expected.shape[2])
    names = [f"expected_{name}" for name in own]
    return dict(zip(names, by_name[0], strict=True)) | {
        f"{name}_parts": one for name, one in zip(names, by_name[1], strict=True)
    }


def in_own_volatility(moves: Floats) -> Floats:
    """`moves` (n_symbols, n_sessions) over their root mean square in the SCALE_SESSIONS before, clipped."""
    known = np.isfinite(moves)
    count = rolling_sum(known.astype(np.float64), SCALE_SESSIONS)
    mean = ratio(rolling_sum(np.where(known, moves, 0.0) ** 2, SCALE_SESSIONS), count)
    scale = lagged(np.where(count >= SCALE_SESSIONS // 2, np.sqrt(mean), np.nan))
    return np.clip(ratio(moves, scale), -ANSWER_CLIP, ANSWER_CLIP)


def night_and_parts(series: ContextSeries, instants: Instants, since_close: Floats) -> tuple[Floats, Floats]:
    """The move since the last session's close, (1, n_sessions), and the newest bar's gap and day, (2, n_sessions).

    In units of the series' volatility of the last weeks, clipped.
    """
    close, opened = adjusted_close_and_open(series.bars)
    scale = _fast_volatility(log_change(close))
    known = newest_known(series.available_at, instants.decisions)
    rows = (log_gap(opened, close), np.log(close / opened))
    parts = np.stack([take_known(ratio(values, scale), known) for values in rows])
    night = ratio(since_close, take_known(scale, known))[None]
    return np.clip(night, -MOVE_CLIP, MOVE_CLIP), np.clip(parts, -MOVE_CLIP, MOVE_CLIP)


def _fast_volatility(change: Floats) -> Floats:
    """Root of the weighted mean square of the last DECAY_BARS changes, (n_bars,); NaN with less than half of them."""
    known = np.isfinite(change)
    squares, weights = np.zeros((2, len(change)))
    for lag in range(min(DECAY_BARS, len(change))):  # newest first, as in `rolling_sum`
        squares[lag:] += DECAY**lag * np.where(known, change, 0.0)[: len(change) - lag] ** 2
        weights[lag:] += DECAY**lag * known[: len(change) - lag]
    enough = rolling_sum(known.astype(np.float64), DECAY_BARS) >= DECAY_BARS // 2
    return np.where(enough, np.sqrt(ratio(squares, weights)), np.nan)


def _regressed(moves: Floats, answers: Floats, n_nights: int) -> Floats:
    """Expected answers from the nights alone and from all moves, (2, n_answers, n_rows).

    `moves` (n_rows, n_moves), 0 where unknown; `answers` (n_rows, n_answers). A row whose answer is unknown counts as
    one of no answer, which shrinks what is expected: all stocks then share one matrix.
    """
    n_rows, n_moves = moves.shape
    known, filled = np.isfinite(answers), np.nan_to_num(answers)
    ridges = ((n_nights, NIGHT_PENALTY * np.eye(n_nights)), (n_moves, PARTS_PENALTY * np.eye(n_moves)))
    expected = np.full((2, answers.shape[1], n_rows), np.nan)
    for row in range(ANSWER_SESSIONS // 2, n_rows):
        before = slice(max(row - ANSWER_SESSIONS, 0), row)
        enough = known[before].sum(axis=0) >= ANSWER_SESSIONS // 2
        if not enough.any():
            continue
        together, answered = moves[before].T @ moves[before], moves[before].T @ filled[before]
        for place, (count, ridge) in enumerate(ridges):
            weights = np.linalg.solve(together[:count, :count] + ridge, answered[:count])
            expected[place, :, row] = np.where(enough, moves[row, :count] @ weights, np.nan)
    return expected
