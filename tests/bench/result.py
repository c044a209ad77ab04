"""What a benchmark says: figures, each with its spread and its goal."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """A median, the lowest and highest repetition behind it, and the goal where there is one."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """As in ">= 20 x: reached"; empty without a goal."""
        if self.at_least is None and self.at_most is None:
            return ""
        sign, bound = (">=", self.at_least) if self.at_least is not None else ("<=", self.at_most)
        bound_and_unit = f"{bound:g} {self.unit}".strip()
        return f"{sign} {bound_and_unit}: {'reached' if self.is_reached else 'missed'}"

    @property
    def is_reached(self) -> bool:
        """True when the value keeps to its goal."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's figures; `setting` says in one line what they were measured on."""

    setting: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a run of the suite, by benchmark: what was measured, and why the others were not."""

    results: dict[str, Result]
    skipped: dict[str, str]
    failed: dict[str, str]


class Skipped(RuntimeError):
    """The benchmark needs something that is not here; the message says how to get it."""


def median_figure(name: str, runs: Sequence[float], unit: str, *, at_most: float | None = None) -> Figure:
    """The median of the repetitions."""
    return Figure(name, median(runs), unit, min(runs), max(runs), at_most=at_most)


def ratio_figure(name: str, top: Sequence[float], bottom: Sequence[float], *, at_least: float | None = None) -> Figure:
    """The median of the ratios within each repetition: what slowed both sides of a pair falls out."""
    ratios = [one / other for one, other in zip(top, bottom, strict=True)]
    return Figure(name, median(ratios), "x", min(ratios), max(ratios), at_least=at_least)
