"""The breaker as a law: how long a provider is left in peace, and that it always comes back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.feed_store import FeedState
from storage.feeds.breaker import JITTER, LONGEST, LONGEST_REFUSED, MOST_FAILURES, failed, is_shut, worked
from storage.feeds.feed import FeedDown, FeedRefused

NOW = datetime(2021, 10, 6, 3, 15, tzinfo=UTC)
DOWN, REFUSED = FeedDown("no route"), FeedRefused("429")


def test_three_failures_in_a_row_shut_it_and_two_do_not() -> None:
    state = FeedState("yahoo")
    for number in range(MOST_FAILURES):
        assert not is_shut(state, NOW)
        state = failed(state, DOWN, NOW + timedelta(seconds=number))
    assert is_shut(state, NOW)
    assert state.failing_since == NOW
    assert state.why == "no route"


def test_one_refusal_shuts_it() -> None:
    assert is_shut(failed(FeedState("yahoo"), REFUSED, NOW), NOW)


def test_one_success_opens_it_and_forgets_all_failures() -> None:
    state = worked(failed(FeedState("yahoo", calls=7), REFUSED, NOW))
    assert state == FeedState("yahoo", calls=7)
    assert failed(state, DOWN, NOW).shut_until is None


def test_it_is_never_shut_beyond_an_instant_at_which_it_is_needed() -> None:
    needed = [NOW - timedelta(minutes=1), NOW + timedelta(minutes=5), NOW + timedelta(hours=9)]
    assert failed(FeedState("yahoo"), REFUSED, NOW, needed=needed).shut_until == needed[1]


def test_a_wait_that_a_wrong_clock_has_left_behind_is_none() -> None:
    state = failed(FeedState("yahoo"), REFUSED, NOW + timedelta(days=10_000))
    assert not is_shut(state, NOW)


@given(st.integers(0, 400), st.booleans(), st.integers(0, 10**9))
def test_each_wait_is_twice_the_one_before_give_or_take_the_jitter_and_never_beyond_the_longest(
    failures: int, refused: bool, second: int
) -> None:
    now = NOW + timedelta(seconds=second)
    state = failed(FeedState("yahoo", failures=failures), REFUSED if refused else DOWN, now)
    if state.shut_until is None:
        assert not refused
        assert failures + 1 < MOST_FAILURES
        return
    minutes, longest = (15 * 2**failures, LONGEST_REFUSED) if refused else (2 ** (failures - 2), LONGEST)
    plain = min(timedelta(minutes=min(minutes, 10_000)), longest)
    assert plain * (1 - JITTER) <= state.shut_until - now <= plain * (1 + JITTER)


def test_two_machines_do_not_come_back_at_the_same_instant() -> None:
    moments = [NOW + timedelta(microseconds=number) for number in range(9)]
    assert len({failed(FeedState("yahoo"), REFUSED, moment).shut_until for moment in moments}) == 9
