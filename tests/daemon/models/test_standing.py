"""Which version serves follows from what happened to all of them, and from nothing else."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.models.standing import Standing, is_refused, standing_at
from storage.promotion_store import ModelEvent, ModelEventKind

AT = datetime(2021, 10, 1, 3, tzinfo=UTC)
MONDAY, TUESDAY = date(2021, 10, 4), date(2021, 10, 5)


def event(kind: str, model_id: str, session: date = MONDAY, *, recipe: str = "", actor: str = "somebody") -> ModelEvent:
    return ModelEvent(AT, session, ModelEventKind(kind), model_id, recipe=recipe, actor=actor)


def standing(*events: ModelEvent, session: date = TUESDAY) -> Standing:
    return standing_at(events, session, recipe="ours")


def test_whoever_was_promoted_last_serves_and_the_one_before_can_be_gone_back_to() -> None:
    now = standing(event("promoted", "sep"), event("promoted", "oct"))
    assert (now.champion, now.predecessor) == ("oct", "sep")
    back = now.after(event("rolled_back", "sep"))
    assert (back.champion, back.predecessor) == ("sep", None)
    assert "oct" in back.considered  # or the policy would promote it again at once


def test_rolling_back_twice_goes_back_two_versions() -> None:
    now = standing(*(event("promoted", name) for name in ("aug", "sep", "oct")), event("rolled_back", "sep"))
    assert (now.champion, now.predecessor) == ("sep", "aug")


def test_an_event_counts_from_its_session_on() -> None:
    events = [event("promoted", "sep"), event("promoted", "oct", TUESDAY)]
    assert standing(*events, session=MONDAY).champion == "sep"
    assert standing(*events, session=TUESDAY).champion == "oct"


def test_other_settings_begin_anew_and_what_a_person_commanded_counts_for_all() -> None:
    policy = [event("promoted", "sep", recipe="theirs"), event("promoted", "oct", recipe="ours")]
    assert standing(*policy).served == ("oct",)
    assert standing(*policy, event("promoted", "sep")).served == ("oct", "sep")


def test_a_pin_stays_until_it_is_let_go_and_a_rollback_lets_it_go() -> None:
    pinned = standing(event("promoted", "sep"), event("pinned", "oct"))
    assert (pinned.champion, pinned.pinned) == ("oct", True)
    assert not pinned.after(event("unpinned", "oct")).pinned
    back = pinned.after(event("rolled_back", "sep"))
    assert (back.champion, back.pinned) == ("sep", False)


def test_what_the_policy_says_while_a_version_is_pinned_changes_nothing() -> None:
    pinned = standing(event("pinned", "sep"))
    for kind in ("promoted", "tried", "held", "kept"):
        assert pinned.after(event(kind, "oct", actor="policy")) == pinned
    assert pinned.after(event("promoted", "oct")).champion == "oct"  # a person may


def test_a_damaged_version_gives_way_and_may_come_back_once_it_is_whole() -> None:
    now = standing(event("promoted", "sep"), event("pinned", "oct"), event("refused", "oct"))
    assert (now.champion, now.pinned, now.refused) == ("sep", False, frozenset({"oct"}))
    assert "oct" not in now.considered
    again = now.after(event("promoted", "oct"))
    assert (again.champion, again.refused) == ("oct", frozenset())
    assert is_refused([event("promoted", "oct"), event("refused", "oct"), event("promoted", "sep")], "oct")
    assert not is_refused([event("refused", "oct"), event("promoted", "oct")], "oct")


@pytest.mark.parametrize("end", ["promoted", "kept", "held"])
def test_a_trial_ends_with_what_the_policy_says_of_it(end: str) -> None:
    tried = standing(event("promoted", "sep"), event("tried", "oct"))
    assert (tried.champion, tried.on_trial) == ("sep", frozenset({"oct"}))
    ended = tried.after(event("judged", "oct")).after(event(end, "oct"))
    assert (ended.on_trial, ended.judged) == (frozenset(), frozenset({"oct"}))
    assert ended.champion == ("oct" if end == "promoted" else "sep")


@given(
    st.lists(
        st.builds(
            event,
            st.sampled_from([*ModelEventKind]),
            st.sampled_from(["aug", "sep", "oct"]),
        ),
        max_size=30,
    )
)
def test_no_version_stands_twice_and_a_refused_one_never_serves(events: list[ModelEvent]) -> None:
    now = standing(*events)
    assert len(set(now.served)) == len(now.served)
    assert not now.refused & set(now.served)
    assert now.on_trial <= now.considered
