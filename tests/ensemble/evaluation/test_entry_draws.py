"""The draws are compared with all that may happen, counted out."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.arrays import Integers
from ensemble.evaluation.entry_draws import Habit, draw_entries

RANDOM = np.random.default_rng


def after(leaves: list[int]) -> Integers:
    """First session that may be entered in after a position that leaves then."""
    return np.array([min(left + 1, len(leaves)) if left >= 0 else -1 for left in leaves])


def possible(leaves: list[int], entries: int) -> list[tuple[int, ...]]:
    """Every choice of sessions whose positions do not meet."""
    enterable = [session for session, left in enumerate(leaves) if left >= 0]
    return [
        chosen
        for chosen in combinations(enterable, entries)
        if all(leaves[one] < following for one, following in pairwise(chosen))
    ]


def coins(leaves: list[int], chosen: tuple[int, ...], chance: float) -> float:
    """How likely tossing a coin whenever nothing is held comes to exactly this choice."""
    likelihood, free_from = 1.0, 0
    for session, left in enumerate(leaves):
        if session < free_from or left < 0:
            continue
        likelihood *= chance if session in chosen else 1 - chance
        free_from = left + 1 if session in chosen else free_from
    return likelihood


@pytest.mark.parametrize("entries", [1, 2, 3])
def test_every_choice_comes_as_often_as_coins_would_make_it(entries: int) -> None:
    leaves, habit = [2, 1, -1, 5, 4, 9, 6, 9, 10, 9], Habit(entries, 5)
    drawn = draw_entries(after(leaves), habit, draws=40_000, random=RANDOM(1))
    found: dict[tuple[int, ...], int] = {}
    for column in drawn.T:
        key = tuple(np.flatnonzero(column).tolist())
        found[key] = found.get(key, 0) + 1
    weights = {chosen: coins(leaves, chosen, entries / 5) for chosen in possible(leaves, entries)}
    assert set(found) <= set(weights)
    for chosen, weight in weights.items():
        expected = weight / sum(weights.values())
        error = 4 * np.sqrt(expected * (1 - expected) / 40_000)
        assert found.get(chosen, 0) / 40_000 == pytest.approx(expected, abs=error)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12), st.integers(1, 6), st.integers(0)
)
def test_so_many_positions_are_entered_as_there_is_room_for_and_no_two_meet(
    spans: list[tuple[int, bool]], entries: int, seed: int
) -> None:
    count = len(spans)
    leaves = [min(place + span, count) if enterable else -1 for place, (span, enterable) in enumerate(spans)]
    drawn = draw_entries(after(leaves), Habit(entries, max(entries, 3)), draws=5, random=RANDOM(seed))
    room = max(size for size in range(entries + 1) if possible(leaves, size))
    for column in drawn.T:
        chosen = tuple(np.flatnonzero(column).tolist())
        assert len(chosen) == room
        assert chosen in possible(leaves, room)


def test_short_holdings_are_drawn_as_often_as_long_ones_when_the_market_deals_them_at_random() -> None:
    """Half of the positions last one session, half of them nine; who is in the market half of the time meets both."""
    leaves = np.arange(3000) + RANDOM(2).choice([0, 8], 3000)
    drawn = draw_entries(after(leaves.tolist()), Habit(300, 3000 - 300 * 4), draws=50, random=RANDOM(3))
    lasts = (leaves - np.arange(3000) + 1)[:, None]
    assert (drawn * lasts).sum() / drawn.sum() == pytest.approx(5.0, abs=0.25)


def test_entries_are_spread_over_the_whole_range() -> None:
    drawn = draw_entries(after([place + 2 for place in range(1000)]), Habit(50, 900), draws=400, random=RANDOM(4))
    tenths = drawn.reshape(10, 100, 400).sum(axis=(1, 2)) / drawn.sum()
    assert tenths == pytest.approx(np.full(10, 0.1), abs=0.012)


def test_who_enters_whenever_nothing_is_held_still_has_other_choices() -> None:
    assert Habit(4, 4).chance < 1
    drawn = draw_entries(after(list(range(10))), Habit(4, 4), draws=50, random=RANDOM(5))
    assert set(drawn.sum(axis=0)) == {4}
