"""When a provider is left in peace: after failures in a row, or one refusal, for longer each time.

A breaker of one's own and none of the kept libraries (pybreaker, purgatory), for they read the clock themselves and
count in memory: here the instant is passed in and the state is a record, so that it outlives the process, and a week
can pass in a test. What it must not do is make a decision late: it opens for one try at every instant that matters.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from storage.feed_store import FeedState
from storage.feeds.feed import FeedDown, FeedRefused

MOST_FAILURES = 3
"""In a row; the provider is shut at the last of them."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(minutes=10)
"""How long it is shut at first, and at most, each time twice as long: a network comes back when it does."""
SHORTEST_REFUSED, LONGEST_REFUSED = timedelta(minutes=15), timedelta(hours=4)
"""The same after "too many requests", which more requests only prolong."""
JITTER = 0.2
"""A wait is longer or shorter by up to this share, so that not everybody comes back at once."""


def is_shut(state: FeedState, now: datetime) -> bool:
    """The provider is not to be asked at `now`. A wait longer than any comes from a clock that was wrong."""
    return state.shut_until is not None and now < state.shut_until <= now + LONGEST_REFUSED * (1 + JITTER)


def worked(state: FeedState) -> FeedState:
    """The state once the provider has answered."""
    return replace(state, failures=0, failing_since=None, shut_until=None, why="")


def failed(state: FeedState, error: FeedDown, now: datetime, *, needed: Iterable[datetime] = ()) -> FeedState:
    """The state once it has not. `needed`: instants at which it has to be asked again, come what may."""
    failures = state.failures + 1
    refused = isinstance(error, FeedRefused)
    shut_until = None
    if refused or failures >= MOST_FAILURES:
        wait = _wait(state.provider, failures, now, refused=refused)
        shut_until = min([now + wait, *(at for at in needed if at > now)])
    since = state.failing_since or now
    return replace(state, failures=failures, failing_since=since, shut_until=shut_until, why=str(error))


def _wait(provider: str, failures: int, now: datetime, *, refused: bool) -> timedelta:
    doubled = failures - (1 if refused else MOST_FAILURES)
    shortest, longest = (SHORTEST_REFUSED, LONGEST_REFUSED) if refused else (SHORTEST, LONGEST)
    wait_s = min(shortest.total_seconds() * 2.0 ** min(doubled, 20), longest.total_seconds())
    # Drawn by the instant: it differs from one machine to the next, and a replay gets the same.
    draw = random.Random(f"{provider} {now.isoformat()}").uniform(1 - JITTER, 1 + JITTER)
    return timedelta(seconds=wait_s * draw)
