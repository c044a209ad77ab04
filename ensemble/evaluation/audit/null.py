"""Markets in which nothing can be known beforehand: what is found there was not found beforehand."""

from collections.abc import Sequence

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.world import World, scored_world
from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.labels import LABELS

FAIR = ("gap", "close_to_close", "open_to_close")
"""Labels that a coin decides in a market with flipped signs; the barrier's stop and target lie at unequal distances."""
MAX_DEVIATIONS = 4.0
"""Of a standard normal: luck goes so far once in 30,000 times."""
MAX_DEVIATIONS_SHUFFLED = 3.0
"""Once in 700 times; what shuffling finds is no more than that in a few months."""
REACH_SESSIONS = 3
"""Stop and target are mostly met within so many sessions, which then decide most of a barrier."""
CLIP_LOG_ODDS = 4.0


def sign_flip(bench: Bench) -> Finding:
    """The whole pipeline where a coin decided each session's direction: nothing may be found.

    The sum over sessions of log-odds times outcome (1 or -1) has mean 0 exactly, whatever is forecast from the past,
    and is judged by the sum of its squares (a martingale: Hall and Heyde 1980).
    """
    worlds = bench.flipped
    found = {label: _deviations([scored_world(world)[label] for world in worlds]) for label in FAIR}
    label = max(found, key=lambda name: found[name])
    areas = ", ".join(f"{name} {_area(worlds, name):.3f}" for name in FAIR)
    sessions = sum(world.said.rows.stop - world.said.rows.start for world in worlds)
    detail = (
        f"AUC {areas} over {sessions} sessions whose direction a coin decided; most {label}, {found[label]:.1f} "
        f"standard deviations from nothing, {MAX_DEVIATIONS:g} being the limit"
    )
    return Finding("sign-flip null", Verdict.LEAK if found[label] > MAX_DEVIATIONS else Verdict.CLEAN, detail)


def shuffled_against_purged(bench: Bench) -> Finding:
    """Do forecasts of a label that overlaps know of coins that were not thrown yet, as shuffled folds would?

    Shuffled folds train on the labels of the sessions before and after, which share most of their path; purged ones
    have no newer label than the one whose end is known. Both are measured beside the pipeline.
    """
    check, world = "shuffled against purged", bench.flipped[0]
    scored = scored_world(world)["barrier"]
    if scored.horizon == 1:
        return Finding(check, Verdict.CLEAN, "no label reaches over more than its own session")
    rows, moves = world.said.rows, _moves(world)
    reach = min(scored.horizon, REACH_SESSIONS)
    ours = _of_coins(_log_odds(scored.probability), moves[:, rows], reach)
    purged, shuffled = (
        _of_coins(_neighbours(world, scored, steps), moves, reach) for steps in ((-scored.horizon,), (-1, 1))
    )
    expected = shuffled * np.sqrt((rows.stop - rows.start) / moves.shape[1])
    detail = (
        f"barrier forecasts lie {ours:.1f} standard deviations from knowing nothing of later coins; shuffled folds "
        f"would lie {expected:.1f}; all history's neighbouring labels lie {shuffled:.1f} shuffled, {purged:.1f} purged"
    )
    if expected <= MAX_DEVIATIONS_SHUFFLED:
        return Finding(check, Verdict.INCONCLUSIVE, f"{detail}: too few sessions to see it")
    return Finding(check, Verdict.LEAK if ours > MAX_DEVIATIONS_SHUFFLED else Verdict.CLEAN, detail)


def _deviations(several: Sequence[Scored]) -> float:
    """How many standard deviations forecasts lie from having nothing to do with outcomes; above 0: with them."""
    return _standing([_session_gains(_log_odds(one.probability), 2 * one.outcome - 1) for one in several])


def _of_coins(odds: Floats, moves: Floats, reach: int) -> float:
    """The same for a label over several sessions: each move against the forecasts of the last `reach` sessions."""
    reaching = np.cumsum(np.nan_to_num(odds), axis=1)
    reaching[:, reach:] -= reaching[:, :-reach].copy()
    return _standing([_session_gains(reaching, moves)])


def _standing(gains: Sequence[Floats]) -> float:
    joined = np.concatenate(gains)
    return float(joined.sum() / np.sqrt(max(float((joined**2).sum()), 1e-12)))


def _session_gains(odds: Floats, went: Floats) -> Floats:
    """Sum over a session's stocks of what was said times where it went, (n_sessions,): they share one coin."""
    return np.asarray(np.nan_to_num(odds * went).sum(axis=0))


def _log_odds(probability: Floats) -> Floats:
    odds = np.log(probability / (1 - probability))
    return np.asarray(np.clip(odds, -CLIP_LOG_ODDS, CLIP_LOG_ODDS))


def _moves(world: World) -> Floats:
    """Log return of each session, 0 where unknown, (n_symbols, n_sessions): its sign is the coin's, its size is not."""
    closes = [world.market.bars[symbol]["close"] for symbol in world.panel.symbols]
    moves = [np.log(close).diff().reindex(world.panel.sessions).to_numpy() for close in closes]
    return np.nan_to_num(np.array(moves, dtype=np.float64))


def _area(worlds: Sequence[World], label: str) -> float:
    """Mean over the worlds of the AUC averaged over months."""
    return float(np.mean([fold_auc(scored_world(world)[label], "M").value for world in worlds]))


def _neighbours(world: World, scored: Scored, steps: Sequence[int]) -> Floats:
    """The mean label so many rows away, less one half, of every row, (n_symbols, n_sessions); NaN where unknown."""
    labels = world.panel.labels[..., LABELS.index(scored.label)].astype(np.float64) - 0.5
    edge = scored.horizon
    padded = np.pad(labels, ((0, 0), (edge, edge)), constant_values=np.nan)
    rows = np.arange(labels.shape[1]) + edge
    return np.asarray(np.mean([padded[:, rows + step] for step in steps], axis=0))
