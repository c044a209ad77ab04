"""Random sessions to enter in, as often as somebody did: a coin at every decision that finds nothing held."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Integers, Mask


@dataclass(frozen=True, slots=True)
class Habit:
    """How often somebody entered one symbol."""

    entries: int
    decisions: int
    """Sessions before which nothing of it was held, those of the entries included."""

    @property
    def chance(self) -> float:
        """Of entering when nothing is held. Never 1, so that other choices than the first sessions' stay open."""
        return min(self.entries, self.decisions - 0.5) / self.decisions


def draw_entries(again: Integers, habit: Habit, *, draws: int, random: np.random.Generator) -> Mask:
    """Where a position is entered in each draw, (n_sessions, draws), as often as by habit, or as there is room for.

    `again` (n_sessions,): the first session that may be entered in after a position that is entered then, n_sessions
    for none, -1 where it cannot be entered. A coin of the habit's chance falls before every session that finds nothing
    held; of all that may come of it, those with the habit's number of entries are drawn, each as often as its chance
    among them says. A choice that gave all sets of sessions the same chance would prefer short holdings, which are the
    ones that were stopped.
    """
    n_sessions = len(again)
    chances = _log_chances(again, habit)
    left = np.full(draws, _feasible(chances[0], habit.entries))
    free_from = np.zeros(draws, dtype=np.int64)
    entered = np.zeros((n_sessions, draws), dtype=np.bool_)
    for session in np.flatnonzero(again >= 0).tolist():
        ready = np.flatnonzero((free_from <= session) & (left > 0))
        wanted = left[ready]
        ahead = np.log(habit.chance) + chances[again[session], wanted - 1]
        chosen = ready[random.random(len(ready)) < np.exp(ahead - chances[session, wanted])]
        entered[session, chosen] = True
        left[chosen] -= 1
        free_from[chosen] = again[session]
    return entered


def _log_chances(again: Integers, habit: Habit) -> Floats:
    """Logarithm of the chance of k entries from each session on, when none is held, (n_sessions + 1, entries + 1)."""
    n_sessions = len(again)
    enter, pass_by = np.log(habit.chance), np.log1p(-habit.chance)
    chances = np.full((n_sessions + 1, habit.entries + 1), -np.inf)
    chances[n_sessions, 0] = 0.0
    for session in range(n_sessions - 1, -1, -1):
        if again[session] < 0:
            chances[session] = chances[session + 1]
            continue
        chances[session] = pass_by + chances[session + 1]
        chances[session, 1:] = np.logaddexp(chances[session, 1:], enter + chances[again[session], :-1])
    return chances


def _feasible(chances: Floats, count: int) -> int:
    """`count`, or the most entries that there is room for."""
    return min(count, int(np.flatnonzero(np.isfinite(chances))[-1]))
