"""Medians, ratios and goals are what their names say."""

import pytest

from tests.bench import gemm
from tests.bench.measure import interleaved
from tests.bench.memory import slope
from tests.bench.result import Figure, median_figure, ratio_figure
from tests.bench.throughput import Arrivals


def test_a_ratio_is_taken_within_each_repetition_before_the_median() -> None:
    figure = ratio_figure("a : b", [10.0, 40.0, 90.0], [1.0, 2.0, 3.0], at_least=20)
    assert (figure.low, figure.value, figure.high) == (10, 20, 30)
    assert figure.unit == "x"


def test_a_ratio_of_unpaired_repetitions_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio_figure("a : b", [1.0, 2.0], [1.0])


def test_a_median_keeps_the_lowest_and_the_highest() -> None:
    figure = median_figure("a", [3.0, 1.0, 8.0], "s")
    assert (figure.low, figure.value, figure.high) == (1, 3, 8)
    assert figure.goal == ""


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (Figure("a", 20.0, "x", at_least=20), ">= 20 x: reached"),
        (Figure("a", 19.9, "x", at_least=20), ">= 20 x: missed"),
        (Figure("a", 1.0, "MB", at_most=1), "<= 1 MB: reached"),
        (Figure("a", 1.1, "MB", at_most=1), "<= 1 MB: missed"),
        (Figure("a", float("nan"), "x", at_least=20), ">= 20 x: missed"),
        (Figure("a", 0.0, "", at_most=0), "<= 0: reached"),
    ],
)
def test_a_goal_says_whether_it_is_reached(figure: Figure, said: str) -> None:
    assert figure.goal == said


def test_sides_take_turns_and_neither_always_goes_first() -> None:
    order = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    runs = interleaved({"a": lambda: side("a"), "b": lambda: side("b")}, 3)
    assert "".join(order) == "abbaab"
    assert runs == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_growth_is_the_slope_of_a_line_whatever_the_level() -> None:
    assert slope([100.0, 100.3, 100.6, 100.9]) == pytest.approx(0.3)
    assert slope([5.0, 5.0, 5.0]) == pytest.approx(0)


@pytest.mark.parametrize(("processes", "rate"), [(1, 0.5), (2, 1.0)])
def test_the_rate_counts_from_each_workers_first_result(processes: int, rate: float) -> None:
    arrivals = Arrivals()
    # One result every two seconds a worker, after ten seconds of loading; the second worker is a second behind.
    arrivals.moments_s = sorted(10.0 + 2 * number + worker for number in range(5) for worker in range(processes))
    assert arrivals.rate(processes) == pytest.approx(rate)


def test_the_peak_is_the_size_with_the_highest_median_not_the_luckiest_figure() -> None:
    rates = {
        "training step": [50.0, 60.0, 55.0],
        "NumPy 256": [90.0, 91.0, 300.0],
        "NumPy 512": [100.0, 120.0, 100.0],
        "TensorFlow 256": [80.0, 80.0, 80.0],
    }
    share = gemm.figures(rates)[-1]
    assert (share.low, share.value, share.high) == (0.5, 0.5, 0.55)
