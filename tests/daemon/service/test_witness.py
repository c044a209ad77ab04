"""What the bars say of the clock: how many sessions without one it takes until nothing newer is decided."""

import pandas as pd
import pytest

from daemon.service.clock_watch import ClockError, Trust
from daemon.service.witness import MOST_UNSEEN_SESSIONS, Witness
from daemon.sessions.due import Task
from tests.daemon.sessions.test_due import TABLE, ist, names

SESSIONS = TABLE.calendar.sessions
FRIDAY = pd.Timestamp("2021-10-01")


def believed(now: str, trust: Trust, *, oldest_bar: int = 1, settled: int = 0) -> list[str]:
    """By a ledger that settled nothing since Friday (or `settled` sessions more) and bars up to that day."""
    done = [session.date() for session in SESSIONS if session <= FRIDAY]
    more = [session.date() for session in SESSIONS if session > FRIDAY][:settled]
    tasks = TABLE.due(ist(now), decided=[*done, *more], settled=done)
    return names(Witness(TABLE, ist(now), FRIDAY).believed(tasks, trust, oldest_bar=oldest_bar))


@pytest.mark.parametrize("trust", Trust)
def test_before_the_first_open_without_a_bar_every_clock_is_believed(trust: Trust) -> None:
    assert believed("2021-10-04 08:50", trust) == ["decide 10-04"]


def test_at_a_start_a_session_that_is_over_without_a_bar_keeps_from_deciding_beyond_it() -> None:
    assert believed("2021-10-04 10:00", Trust.UNPROVEN) == ["decide 10-04"]
    for now in ("2021-10-04 17:00", "2021-10-05 08:50"):
        with pytest.raises(ClockError, match=r"no bar has borne out since the start; none is decided .*timedatectl"):
            believed(now, Trust.UNPROVEN)
    assert believed("2021-10-05 08:50", Trust.BORNE_OUT) == ["decide 10-04", "settle 10-04", "decide 10-05"]


def test_bars_that_are_acted_on_when_they_are_older_may_be_missing_longer() -> None:
    assert believed("2021-10-05 08:50", Trust.UNPROVEN, oldest_bar=2)[-1] == "decide 10-05"
    with pytest.raises(ClockError):
        believed("2021-10-06 08:50", Trust.UNPROVEN, oldest_bar=2)


def test_what_only_waits_for_its_bar_is_no_reason_to_disbelieve() -> None:
    assert believed("2021-10-04 17:00", Trust.UNPROVEN, settled=1) == ["settle 10-04"]


def test_a_clock_that_was_moved_is_believed_until_a_session_opens_without_a_bar() -> None:
    with pytest.raises(ClockError, match="by a clock that was moved forward"):
        believed("2021-10-04 10:00", Trust.DOUBTED)


def test_after_many_sessions_without_a_bar_no_clock_is_believed() -> None:
    ahead = SESSIONS[SESSIONS > FRIDAY]
    enough, too_many = (
        f"{ahead[number]:%Y-%m-%d} 08:50" for number in (MOST_UNSEEN_SESSIONS - 1, MOST_UNSEEN_SESSIONS)
    )
    assert believed(enough, Trust.BORNE_OUT)
    with pytest.raises(ClockError):
        believed(too_many, Trust.BORNE_OUT)


def test_what_has_bars_is_done_all_the_same() -> None:
    tasks = [Task("decide", FRIDAY, ist("2021-10-01 08:45")), Task("decide", SESSIONS[-1], ist("2021-11-30 08:45"))]
    witness = Witness(TABLE, ist("2021-11-30 08:50"), FRIDAY)
    assert witness.believed(tasks, Trust.UNPROVEN, oldest_bar=1) == tasks[:1]
    assert witness.missing == len(SESSIONS[(SESSIONS > FRIDAY) & (SESSIONS[-1] > SESSIONS)])
