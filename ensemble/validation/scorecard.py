"""Findings beside a list of what is known to be wrong: what was found of it, and what was found besides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from ensemble.validation.findings import BELOW_ZERO, GAP, INCONSISTENT, JUMP, MISSING, Finding
from ensemble.validation.rules import Refusal

LISTED_AS: Mapping[str, frozenset[str]] = {
    "zero_volume_row": frozenset({Refusal.NOT_A_SESSION, Refusal.NO_VOLUME, Refusal.FROZEN}),
    "misscaled": frozenset({Refusal.MISSCALED, Refusal.MOVE_LIMIT, Refusal.NOT_A_SESSION, Refusal.NO_VOLUME}),
    "bad_tick": frozenset({Refusal.BAD_TICK, Refusal.MOVE_LIMIT, Refusal.MISSCALED}),
    "jump": frozenset({JUMP, Refusal.MISSCALED, Refusal.BAD_TICK, Refusal.MOVE_LIMIT, Refusal.NOT_A_SESSION}),
    "demerger_factor": frozenset({JUMP}),
    "ohlc_inconsistent": frozenset({INCONSISTENT, Refusal.RANGE, Refusal.BAD_TICK}),
    "missing_session": frozenset({MISSING, GAP}),
    "gap": frozenset({GAP, MISSING}),
    "negative_price": frozenset({BELOW_ZERO}),
}
"""What the kinds of an anomaly list are called here; a kind that is not among them may be found as anything."""


@dataclass(frozen=True, slots=True)
class Score:
    """How much of one kind of the list was found in one symbol, and how much of what was found is on the list."""

    symbol: str
    kind: str
    listed: int
    missed: tuple[date, ...]
    unlisted: int
    """Findings of what this kind is called that no row of the list names; counted with the first kind they fit."""

    @property
    def recall(self) -> float:
        """Found of what is listed."""
        return 1 - len(self.missed) / self.listed if self.listed else float("nan")

    @property
    def precision(self) -> float:
        """Listed of what was found."""
        found = self.listed - len(self.missed)
        return found / (found + self.unlisted) if found + self.unlisted else float("nan")


def score(findings: Sequence[Finding], listed: pd.DataFrame, symbol: str) -> tuple[list[Score], list[Finding]]:
    """Each kind of the list (columns Symbol, Date, Kind) that `symbol` has, and the findings that it does not list.

    A list of returns names a bad bar and the good one after it, at which the price came back: either is found by the
    bad bar. `findings` are those of `symbol`.
    """
    own = listed[listed["Symbol"] == symbol]
    used: set[int] = set()
    missed: dict[str, list[date]] = {}
    for kind, day in zip(own["Kind"], pd.DatetimeIndex(own["Date"]).date, strict=True):
        hits = [at for at, finding in enumerate(findings) if _names(finding, kind, day)]
        used.update(hits)
        missed.setdefault(kind, []).extend([] if hits else [day])
    unlisted = [finding for at, finding in enumerate(findings) if at not in used]
    fits = [_first_kind(finding, missed) for finding in unlisted]
    return [
        Score(symbol, kind, int((own["Kind"] == kind).sum()), tuple(days), fits.count(kind))
        for kind, days in sorted(missed.items())
    ], unlisted


def _names(finding: Finding, kind: str, day: date) -> bool:
    called = LISTED_AS.get(kind)
    return day in (finding.session, finding.back) and (called is None or finding.kind in called)


def _first_kind(finding: Finding, kinds: Mapping[str, object]) -> str | None:
    return next((kind for kind in LISTED_AS if kind in kinds and finding.kind in LISTED_AS[kind]), None)
