"""What is tried next follows from what was tried before, and from nothing else."""

import pytest

from daemon.sweeps.search import Tried, is_hopeless, propose
from ensemble.evaluation.search_space import SweepOptions, first_specs, params_of, search_space, spec_of

OPTIONS = SweepOptions()
SPACE = search_space(OPTIONS)


def searched(count: int, *, seed: int = 0, kinds: tuple[str, ...] = ("logit",)) -> list[Tried]:
    """A search for the penalty 100, the nearer the better."""
    space = {kind: SPACE[kind] for kind in kinds}
    tried: list[Tried] = []
    while len(tried) < count:
        params = propose(space, tried, seed=seed)
        loss = abs(params["logit.penalty"] - 100) / 100
        tried.append(Tried(params, loss, (loss,)))
    return tried


def test_equal_pasts_propose_the_same_and_another_seed_something_else() -> None:
    past = [Tried(params_of(spec, OPTIONS), 0.69, (0.69,)) for spec in first_specs(OPTIONS)]
    assert propose(SPACE, past, seed=1) == propose(SPACE, past, seed=1)
    assert propose(SPACE, past, seed=1) != propose(SPACE, past, seed=2)
    assert propose(SPACE, past, seed=1) != propose(SPACE, past[:-1], seed=1)


def test_a_search_that_goes_on_from_its_record_is_the_search_that_was_not_interrupted() -> None:
    whole = searched(14)
    rest = list(whole[:9])
    while len(rest) < 14:
        params = propose({"logit": SPACE["logit"]}, rest, seed=0)
        loss = abs(params["logit.penalty"] - 100) / 100
        rest.append(Tried(params, loss, (loss,)))
    assert rest == whole


def test_it_learns_where_the_loss_is_low() -> None:
    found = [one.loss for one in searched(40) if one.loss is not None]
    assert min(found[20:]) < 0.2
    assert sorted(found[20:])[10] < sorted(found[:10])[5]


def test_every_proposal_is_a_member_of_the_space() -> None:
    tried: list[Tried] = []
    states: tuple[tuple[float | None, tuple[float, ...]], ...] = ((0.7, (0.71, 0.7)), (None, (0.72,)), (None, ()))
    for number in range(12):
        params = propose(SPACE, tried, seed=3)
        assert params_of(spec_of(params, "one", OPTIONS), OPTIONS) == params
        tried.append(Tried(params, *states[number % 3]))
    assert {one.params["kind"] for one in tried} == set(SPACE)


@pytest.mark.parametrize(
    ("progress", "expected"), [((0.72,), True), ((0.71,), False), ((0.60, 0.70), True), ((0.80, 0.68), False)]
)
def test_a_trial_is_given_up_when_it_stands_worse_than_half_of_the_complete_ones_did(
    progress: tuple[float, ...], expected: bool
) -> None:
    # The second look is at easier sessions than the first.
    complete = [Tried({}, losses[-1], losses) for losses in ((0.70, 0.67), (0.71, 0.68), (0.73, 0.69))]
    given_up = Tried({}, None, (0.5,))
    assert is_hopeless(progress, [*complete, given_up]) is expected


def test_nothing_is_given_up_before_there_is_something_to_compare_with() -> None:
    assert not is_hopeless((9.0,), [])
    assert not is_hopeless((9.0,), [Tried({}, None, (0.5,))])
