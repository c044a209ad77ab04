"""What a check of the audit found."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check says; the worst of all checks is the audit's."""

    CLEAN = "clean"
    LEAK = "leak"
    """Something that was not known yet, or not so, changed what was said."""
    INCONCLUSIVE = "inconclusive"
    """The check could not have seen a leak: too little data, or a model that says the same whatever happens."""


EXIT_CODES = {Verdict.CLEAN: 0, Verdict.LEAK: 2, Verdict.INCONCLUSIVE: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's verdict, with the one line that says why."""

    check: str
    verdict: Verdict
    detail: str


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """A leak if there is one, else inconclusive if a check was, else clean. Without findings inconclusive."""
    said = {one.verdict for one in findings} or {Verdict.INCONCLUSIVE}
    return next(one for one in (Verdict.LEAK, Verdict.INCONCLUSIVE, Verdict.CLEAN) if one in said)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 clean, 2 leak, 3 inconclusive."""
    return EXIT_CODES[verdict_of(findings)]
