"""Which runs one desk replays: a bar that came in between parts those that would have looked at it from the others."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from daemon.config.settings import Settings
from daemon.verifying.plan import Needs, Sighting, Step, batches
from storage.run_store import Run, RunStatus

SETTINGS = Settings.model_validate(
    {"market": {"symbols": ["AAA.NS"], "peers": ["BBB.NS"], "context": {"XNYS": ["ETF"], "XNSE": ["^INDEX"]}}}
)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of October 2021, UTC; a session of the NSE is decided at 03:15 and settled at 11:00."""
    return datetime(2021, 10, day, hour, minute, tzinfo=UTC)


def step(kind: str, day: int, known_at: datetime, *, model: str | None = None, configuration: str = "one") -> Step:
    run = Run("live", kind, date(2021, 10, day), RunStatus.DONE, known_at, known_at)
    return Step(replace(run, configuration=configuration, bars_known_at=known_at, events_known=0), model)


DAYS = (
    step("decide", 5, at(5, 3, 15), model="a"),
    step("settle", 5, at(5, 11)),
    step("decide", 6, at(6, 3, 15), model="a"),
    step("settle", 6, at(6, 11)),
    step("decide", 7, at(7, 3, 15), model="a"),
)
USUAL: tuple[Sighting, ...] = (
    (at(5, 11), "AAA.NS", date(2021, 10, 5)),
    (at(5, 11), "^INDEX", date(2021, 10, 5)),
    (at(6, 3, 15), "ETF", date(2021, 10, 5)),
    (at(6, 11), "AAA.NS", date(2021, 10, 6)),
    (at(7, 3, 15), "ETF", date(2021, 10, 6)),
)


@pytest.fixture(scope="module")
def needs() -> dict[str, Needs]:
    one = Needs(SETTINGS, at(8, 0))
    return {"one": one, "two": one}


def sizes(steps: tuple[Step, ...], sightings: tuple[Sighting, ...], needs: dict[str, Needs]) -> list[int]:
    made = list(batches(steps, sorted(sightings), needs))
    assert tuple(one for batch in made for one in batch.steps) == steps
    assert all(batch.known_at == batch.steps[-1].known_at for batch in made)
    return [len(batch.steps) for batch in made]


def test_bars_that_come_in_when_they_are_due_part_nothing(needs: dict[str, Needs]) -> None:
    assert sizes(DAYS, USUAL, needs) == [5]
    assert sizes(DAYS, (), needs) == [5]
    assert sizes((), USUAL, needs) == []


@pytest.mark.parametrize("symbol", ["AAA.NS", "BBB.NS", "ETF", "^INDEX"])
@pytest.mark.parametrize("session", [date(2021, 10, 4), date(2018, 1, 2)])
def test_a_bar_that_was_corrected_or_came_late_parts_the_runs_before_it_from_those_after(
    symbol: str, session: date, needs: dict[str, Needs]
) -> None:
    assert sizes(DAYS, (*USUAL, (at(6, 3), symbol, session)), needs) == [2, 3]


def test_a_correction_after_the_newest_run_parts_nothing(needs: dict[str, Needs]) -> None:
    assert sizes(DAYS, (*USUAL, (at(7, 4), "AAA.NS", date(2021, 10, 4))), needs) == [5]


def test_a_settlement_without_its_bar_is_parted_from_what_came_when_it_had_come(needs: dict[str, Needs]) -> None:
    late = (at(6, 3), "AAA.NS", date(2021, 10, 5))
    assert sizes(DAYS, (late, *USUAL[1:]), needs) == [2, 3]


def test_a_bar_that_nobody_looks_at_parts_nothing(needs: dict[str, Needs]) -> None:
    assert sizes(DAYS, (*USUAL, (at(6, 3), "OTHER", date(2021, 10, 4))), needs) == [5]


def test_another_configuration_or_model_is_another_batch_and_a_run_without_a_model_joins_either(
    needs: dict[str, Needs],
) -> None:
    other = (*DAYS[:2], replace(DAYS[2], model_id="b"), *DAYS[3:])
    assert sizes(other, USUAL, needs) == [2, 2, 1]
    changed = replace(DAYS[4], run=replace(DAYS[4].run, configuration="two"))
    assert sizes((*DAYS[:4], changed), USUAL, needs) == [4, 1]
    nothing_said = (*DAYS[:2], replace(DAYS[2], model_id=None), *DAYS[3:])
    assert sizes(nothing_said, USUAL, needs) == [5]
