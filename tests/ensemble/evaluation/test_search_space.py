from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.evaluation.search_space import Figure, SweepOptions, first_specs, params_of, search_space, spec_of
from ensemble.members.specs import PRESETS, LstmSpec

TRAININGS: tuple[Literal["panel", "published"], ...] = ("panel", "published")


def values(figure: Figure) -> st.SearchStrategy[float]:
    if figure.is_whole:
        step = int(figure.step or 1)
        return st.integers(0, int(figure.high - figure.low) // step).map(lambda place: int(figure.low) + place * step)
    return st.floats(figure.low, figure.high)


@pytest.mark.parametrize("training", TRAININGS)
@given(data=st.data())
def test_every_point_of_the_space_is_a_member_and_comes_back_from_it(
    training: Literal["panel", "published"], data: st.DataObject
) -> None:
    options = SweepOptions(training=training, seeds=3)
    space = search_space(options)
    kind = data.draw(st.sampled_from(sorted(space)))
    params = {"kind": kind} | {
        f"{kind}.{name}": data.draw(values(figure), label=name) for name, figure in space[kind].items()
    }
    spec = spec_of(params, "trial-7", options)
    assert params_of(spec, options) == params
    assert (spec.name, spec.kind) == ("trial-7", kind)
    assert spec.seeds == (1 if kind == "logit" else 3)


@pytest.mark.parametrize("training", TRAININGS)
def test_it_begins_with_the_presets_and_each_lies_inside_the_space(training: Literal["panel", "published"]) -> None:
    options = SweepOptions(training=training)
    specs = first_specs(options)
    assert [spec.name for spec in specs] == list(PRESETS)
    for spec in specs:
        params = params_of(spec, options)
        assert params_of(spec_of(params, spec.name, options), options) == params
        for name, figure in search_space(options)[spec.kind].items():
            value = params[f"{spec.kind}.{name}"]
            assert figure.low <= value <= figure.high
            if figure.step:
                steps = (value - figure.low) / figure.step
                assert steps == pytest.approx(round(steps), abs=1e-9)


def test_only_the_kinds_that_are_asked_for_are_tried() -> None:
    options = SweepOptions(kinds=("logit", "lightgbm"))
    assert [spec.name for spec in first_specs(options)] == ["logit", "lightgbm"]
    assert set(search_space(options)) == {"logit", "lightgbm"}


def test_layers_halve() -> None:
    options = SweepOptions(kinds=("lstm",))
    spec = spec_of(params_of(first_specs(options)[0], options) | {"lstm.width": 96, "lstm.layers": 2}, "t", options)
    assert isinstance(spec, LstmSpec)
    assert spec.units == (96, 48)
