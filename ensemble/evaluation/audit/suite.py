"""All checks of the audit, in the order in which they cost more."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.cuts import as_of, future_corruption, truncation
from ensemble.evaluation.audit.delay import one_day_delay
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.null import shuffled_against_purged, sign_flip
from ensemble.evaluation.audit.planted import degenerate_model, planted_signal
from ensemble.evaluation.audit.provenance import label_corruption, label_overlap, provenance
from ensemble.evaluation.audit.rescoring import rescoring
from ensemble.evaluation.audit.restatement import restatement
from ensemble.evaluation.audit.warm_up import warm_up
from ensemble.windows import WindowError


@dataclass(frozen=True, slots=True)
class Check:
    """One question that the audit asks."""

    name: str
    run: Callable[[Bench], Finding]

    def __call__(self, bench: Bench) -> Finding:
        """Its answer; inconclusive where history is too short to ask."""
        try:
            return self.run(bench)
        except WindowError as error:
            return Finding(self.name, Verdict.INCONCLUSIVE, str(error))


CHECKS = (
    Check("provenance", provenance),
    Check("label overlap", label_overlap),
    Check("independent rescoring", rescoring),
    Check("as-of", as_of),
    Check("truncation", truncation),
    Check("future corruption", future_corruption),
    Check("label corruption", label_corruption),
    Check("restatement", restatement),
    Check("warm-up drift", warm_up),
    Check("sign-flip null", sign_flip),
    Check("shuffled against purged", shuffled_against_purged),
    Check("planted signal", planted_signal),
    Check("one-day delay", one_day_delay),
    Check("degenerate model", degenerate_model),
)


def audit(bench: Bench, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """One finding after the other, so that a reader sees how far it is."""
    for check in checks:
        yield check(bench)


def named(names: Collection[str]) -> tuple[Check, ...]:
    """The checks of these names, in their order; all without names. Raises ValueError for a name that is none."""
    known = [check.name for check in CHECKS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no check; take some of {', '.join(known)}.")
    return tuple(check for check in CHECKS if not names or check.name in names)
