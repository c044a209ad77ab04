"""What each policy of promotion would have given: `python -m tests.bench.promotion CONFIG FROM TO NOW`.

Prints Markdown for docs/models.md. FROM and TO are months, as in 2016-01; a backtest of the same configuration from
FROM to TO has to be made before, with policy "newest": here its versions are asked about later months, and nothing is
trained. Years to 2018 are for choosing, those after it for the final table alone.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.invocation import Invocation, clock_at, services_of
from daemon.sessions.desk import Desk, home_calendar, open_desk
from ensemble.arrays import Floats, Mask
from ensemble.evaluation.promotion import PromotionOptions, hold_trial, is_promoted
from ensemble.labels import LABELS, label_horizon
from ensemble.stacking.comparison import Comparison, compare, log_losses
from ensemble.windows import known_labels

CHOSEN_UNTIL = "2018-12"
SEEN_BEFORE = 12
"""Months at the beginning in which a policy finds its feet, and the oldest age of a table of ages; in no figure."""


@dataclass
class Versions:
    """The monthly versions of a backtest, asked about any later month."""

    desk: Desk
    _said: dict[tuple[str, str], Floats] = field(default_factory=dict)

    def said(self, version: str, month: str) -> Floats:
        """Log-odds of the version of one month about the sessions of another: (n_symbols, n_rows, n_labels)."""
        if (version, month) not in self._said:
            _, odds = self.desk.factory.month_odds(month, trained_for=version)
            self._said[version, month] = self.desk.model(version).combiner.log_odds(odds)
        return self._said[version, month]

    def rows(self, month: str) -> slice:
        """Of the panel."""
        return self.desk.factory.fold(month).test

    def outcomes(self, month: str, *, known: bool) -> Floats:
        """What came of the month; only what was `known` when it ended, or all."""
        rows, limits = self.rows(month), self.desk.services.settings.labels.barrier.limits
        before = rows.stop if known else len(self.desk.panel.sessions)
        return known_labels(self.desk.panel, rows, before=before, limits=limits).astype(np.float64)

    def spoken_of(self, month: str) -> Mask:
        """Where a forecast was made."""
        return self.desk.panel.bar_age[:, self.rows(month)] >= 0

    def horizon(self, label: str) -> int:
        """Sessions that it reaches over."""
        return label_horizon(label, self.desk.services.settings.labels.barrier.limits) + 1


def champions(versions: Versions, months: Sequence[str], options: PromotionOptions, label: str) -> dict[str, str]:
    """Month -> the month whose version serves it, by the daemon's own rules."""
    if options.policy == "newest":
        return {month: month for month in months}
    column, serving = LABELS.index(label), {months[0]: months[0]}
    for before, month in pairwise(months):
        champion = serving[before]
        if champion != before:  # the challenger of `before` had its trial in it
            trial = hold_trial(
                versions.said(before, before)[..., column],
                versions.said(champion, before)[..., column],
                versions.outcomes(before, known=True)[..., column],
                said=versions.spoken_of(before),
                horizon=versions.horizon(label),
            )
            age = pd.Period(month, "M").ordinal - pd.Period(champion, "M").ordinal + 1
            champion = before if is_promoted(trial, options, champion_age_months=age) else champion
        serving[month] = champion
    return serving


def losses(versions: Versions, serving: Mapping[str, str], label: str) -> Floats:
    """Log loss of all sessions of the months of `serving`, (n_symbols, n_sessions), NaN unknown."""
    column = LABELS.index(label)
    blocks = []
    for month, version in serving.items():
        outcomes = np.where(versions.spoken_of(month), versions.outcomes(month, known=False)[..., column], np.nan)
        blocks.append(log_losses(versions.said(version, month)[..., column], outcomes))
    return np.concatenate(blocks, axis=1)


POLICIES = (
    {"policy": "newest"},
    {"policy": "unless_worse", "max_p_value": 0.2},
    {"policy": "unless_worse", "max_p_value": 0.05},
    {"policy": "better", "max_p_value": 0.5},
    {"policy": "better", "max_p_value": 0.5, "max_age_months": 6},
    {"policy": "better", "max_p_value": 0.05},
    {"policy": "better", "max_p_value": 0.05, "max_age_months": 6},
)
"""Those that are compared; "unless_worse" at 0.5 is "better" at 0.5."""


def compared(versions: Versions, serving: Mapping[str, str], months: Sequence[str], label: str) -> Comparison:
    """Beside the newest of each of `months`."""
    newest, other = ({month: side(month) for month in months} for side in (str, serving.__getitem__))
    return compare(losses(versions, other, label), losses(versions, newest, label), horizon=versions.horizon(label))


def ages_table(versions: Versions, spans: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What a version loses by its age: log loss in thousandths of a nat above that of the newest."""
    yield f"| age, months | {' | '.join(f'{label}, {name}' for name in spans for label in LABELS)} |"
    yield f"|--:|{'--:|' * len(spans) * len(LABELS)}"
    for age in (2, 3, 4, 6, 12):
        cells = []
        for span in spans.values():
            serving = {month: str(pd.Period(month, "M") - (age - 1)) for month in span}
            for label in LABELS:
                found = compared(versions, serving, span, label)
                cells.append(f"{1000 * (found.loss - found.incumbent_loss):+.2f}")
        yield f"| {age} | {' | '.join(cells)} |"


def trials_line(versions: Versions, span: Sequence[str], label: str) -> str:
    """How often the newer of two neighbouring versions was better in its first month."""
    column, won, proven, disproven = LABELS.index(label), 0, 0, 0
    for month in span:
        trial = hold_trial(
            versions.said(month, month)[..., column],
            versions.said(str(pd.Period(month, "M") - 1), month)[..., column],
            versions.outcomes(month, known=True)[..., column],
            said=versions.spoken_of(month),
            horizon=versions.horizon(label),
        )
        won += trial.comparison.loss < trial.comparison.incumbent_loss
        proven += trial.comparison.p_value < 0.05
        disproven += trial.worse_p_value < 0.05
    return f"| {label} | {len(span)} | {won} | {proven} | {disproven} |"


def policies_table(
    versions: Versions, months: Sequence[str], spans: Mapping[str, Sequence[str]], label: str
) -> Iterator[str]:
    """Each policy beside the newest."""
    heads = (f"{name}: log loss | above newest, thousandths | better, p | changes" for name in spans)
    yield f"| policy | {' | '.join(heads)} |"
    yield f"|---|{'--:|' * 4 * len(spans)}"
    for policy in POLICIES:
        options = PromotionOptions.model_validate(policy)
        serving = champions(versions, months, options, label)
        cells = []
        for span in spans.values():
            found = compared(versions, serving, span, label)
            changes = sum(serving[month] != serving[str(pd.Period(month, "M") - 1)] for month in span)
            above = 1000 * (found.loss - found.incumbent_loss)
            cells.append(f"{found.loss:.4f} | {above:+.2f} | {found.p_value:.2f} | {changes}")
        yield f"| {_named(options)} | {' | '.join(cells)} |"


def _named(options: PromotionOptions) -> str:
    if options.policy == "newest":
        return "newest"
    return f"{options.policy}, max_p_value {options.max_p_value:g}, max_age_months {options.max_age_months}"


def report(versions: Versions, months: Sequence[str]) -> Iterator[str]:
    """All tables."""
    counted = months[SEEN_BEFORE:]
    early = [month for month in counted if month <= CHOSEN_UNTIL]
    spans = {f"{early[0]} to {early[-1]}": early}
    late = [month for month in counted if month > CHOSEN_UNTIL]
    spans |= {f"{late[0]} to {late[-1]}": late} if late else {}
    for name, span in spans.items():
        yield f"\n### Trials, {name}\n"
        yield "| label | trials | newer better | beyond luck (p .05) | worse beyond luck |"
        yield "|---|--:|--:|--:|--:|"
        yield from map(partial(trials_line, versions, span), LABELS)
    yield "\n### Age\n"
    yield from ages_table(versions, spans)
    for label in LABELS:
        yield f"\n### Policies, {label}\n"
        yield from policies_table(versions, months, spans, label)


def main(config: str, first: str, last: str, now: str) -> None:
    """Asks the versions of the months first to last."""
    months = [str(month) for month in pd.period_range(first, last, freq="M")]
    with services_of(Invocation(Path(config), debug=False), clock_at(now), quiet=True) as services:
        calendar = home_calendar(services.settings, services.clock.now())
        sessions = calendar.sessions[calendar.sessions <= pd.Timestamp(last) + pd.offsets.MonthEnd(0)]
        versions = Versions(open_desk(services, calendar, last=sessions[-1]))
        for line in report(versions, months):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(*sys.argv[1:5])
