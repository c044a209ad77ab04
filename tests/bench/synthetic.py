"""What the ensemble finds in markets whose best possible forecast is known: `python -m tests.bench.synthetic --help`.

Prints Markdown for docs/synthetic.md. Everything is in memory; members are trained anew every `step_sessions` and not
every month, which the daemon does, because the coupling of a synthetic market does not change.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from ensemble.arrays import Floats
from ensemble.evaluation.forward_test import forward_test
from ensemble.evaluation.roc_area import AreaDifference, compare_fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.significance import session_losses
from ensemble.evaluation.synthetic import ORACLE_LABELS, SyntheticMarket, SyntheticOptions, simulate_market
from ensemble.evaluation.synthetic.bound import oracle_scored, recover
from ensemble.evaluation.verdict import Verdict, judge_all
from ensemble.features.matrix import build_panel
from ensemble.labels import LABELS, label_horizon
from ensemble.members.specs import LogitSpec, MemberEntry, MemberSpec, TreesSpec
from ensemble.members.tasks import TrainingTask, fit_member, load_member, task_key
from ensemble.model import member_odds
from ensemble.panel import Panel
from ensemble.stacking.combiner import StackOptions, fit_combiner
from ensemble.stacking.history import History, MemberOdds
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold, known_labels, training_window

MEAN, SPOKEN, REFERENCE = "mean of log-odds", "what serves", "logit"
WINDOW_SESSIONS, MIN_SESSIONS = 2000, 500
"""Eight years, as by default, and what has to precede the first forecast, as by default."""
LIMITS = RiskLimits()


@dataclass(frozen=True, slots=True)
class Plan:
    """Who learns, and how often."""

    members: tuple[MemberSpec, ...] = (LogitSpec(), TreesSpec())
    step_sessions: int = 250
    stack: StackOptions | None = None
    """Who speaks for the members besides their mean; None: nobody."""


def walk(market: SyntheticMarket, plan: Plan) -> dict[str, dict[str, Scored]]:
    """Speaker -> label -> forecasts out of sample and what came of them; each member, their mean, and what serves."""
    panel = build_panel(market.market(LIMITS))
    folds = tuple(_folds(panel, plan.step_sessions))
    parts = [members_say(panel, fold, plan) for fold in folds]
    rows = slice(folds[0].test.start, folds[-1].test.stop)
    odds = joined(parts)
    said = dict(zip(odds.members, odds.log_odds, strict=True)) | {MEAN: odds.mean()}
    if plan.stack is not None:
        said[SPOKEN] = _spoken(panel, folds, parts, plan.stack)
    outcomes = oracle_scored(market)
    return {name: _scored(outcomes, one, rows) for name, one in said.items()}


def _folds(panel: Panel, step: int) -> Iterator[Fold]:
    last = len(panel.sessions)
    for start in range(MIN_SESSIONS, last, step):
        name = f"{panel.sessions[start]:%Y-%m}"
        yield Fold(name, slice(max(start - WINDOW_SESSIONS, 0), start), slice(start, min(start + step, last)))


def members_say(panel: Panel, fold: Fold, plan: Plan) -> MemberOdds:
    """What the members, trained on the fold's training rows, say of its test rows."""
    window = training_window(panel, fold, LIMITS)
    members = {}
    for spec in plan.members:
        keys = [task_key(spec, seed, window_digest=fold.month, code_version="") for seed in range(spec.seeds)]
        members[spec.name] = [load_member(fit_member(TrainingTask(spec, window, key))) for key in keys]
    return member_odds(members, panel, fold.test)


def joined(parts: Sequence[MemberOdds]) -> MemberOdds:
    """One after the other."""
    return MemberOdds(
        parts[0].members,
        np.concatenate([one.log_odds for one in parts], axis=2),
        parts[0].condition_names,
        np.concatenate([one.conditions for one in parts], axis=1),
    )


def _spoken(panel: Panel, folds: Sequence[Fold], parts: Sequence[MemberOdds], stack: StackOptions) -> Floats:
    """Log-odds of the combiner that each fold's past lets speak; with the first fold, which has none, the mean's."""
    said = []
    for place, fold in enumerate(folds):
        if place == 0:
            said.append(parts[0].mean())
            continue
        rows = slice(folds[0].test.start, fold.test.start)
        sessions = panel.sessions[rows]
        month = (sessions.year * 12 + sessions.month).to_numpy()
        keep = month > month[-1] - stack.history_months
        kept = slice(rows.stop - int(keep.sum()), rows.stop)
        history = History(
            joined(parts[:place]).rows(slice(kept.start - rows.start, kept.stop - rows.start)),
            panel.sessions[kept],
            known_labels(panel, kept, before=kept.stop, limits=LIMITS),
            month=np.unique(month[keep], return_inverse=True)[1],
            ends=tuple(label_horizon(label, LIMITS) for label in LABELS),
        )
        said.append(fit_combiner(history, stack, seed=0).log_odds(parts[place]))
    return np.concatenate(said, axis=1)


def _scored(outcomes: Mapping[str, Scored], log_odds: Floats, rows: slice) -> dict[str, Scored]:
    """`log_odds` (n_symbols, n_rows, n_labels) as forecasts of the labels that have an oracle."""
    found = {}
    for label, one in outcomes.items():
        probability = np.full(one.probability.shape, np.nan)
        probability[:, rows] = 1 / (1 + np.exp(-log_odds[..., LABELS.index(label)]))
        found[label] = one.saying(probability)
    return found


def preset(name: str, seeds: int = 1) -> MemberSpec:
    """A preset as shipped, but for the number of seeds."""
    given = {"preset": name} | ({} if name in ("logit", "lightgbm") else {"seeds": seeds})
    member: MemberSpec = TypeAdapter(MemberEntry).validate_python(given)
    return member


@dataclass(frozen=True, slots=True)
class Claim:
    """What the report card makes of one label in one market."""

    auc: float
    """Averaged over folds."""
    forward: float
    """The area of the forward test, told the true base rate: one half."""
    edge: bool
    """Whether an edge is claimed at the 5 % level, three labels having been looked at."""


def claims(market: SyntheticMarket, plan: Plan, speaker: str = MEAN) -> dict[str, Claim]:
    """Label -> what is claimed about the speaker's forecasts of it."""
    said = walk(market, plan)[speaker]
    return {
        label: Claim(one.auc.value, _forward(said[label]), one.verdict is Verdict.EDGE)
        for label, one in judge_all(said).items()
    }


def _forward(scored: Scored) -> float:
    return forward_test(scored, np.full(scored.outcome.shape, 0.5)).area


def better_than_reference(said: Mapping[str, Mapping[str, Scored]], speaker: str, label: str) -> AreaDifference:
    """By how much the speaker's fold-averaged AUC is above the ridge-logit's."""
    return compare_fold_auc(said[speaker][label], said[REFERENCE][label].probability)


def saved_against_reference(said: Mapping[str, Mapping[str, Scored]], speaker: str, label: str) -> float:
    """By how much the speaker's mean log loss, sessions as units, is below the ridge-logit's."""
    mine, reference = (session_losses(said[name][label]) for name in (speaker, REFERENCE))
    return float(np.nanmean(reference) - np.nanmean(mine))


@dataclass(frozen=True, slots=True)
class Finding:
    """One speaker in one market; figures by label (n_labels,)."""

    shares: tuple[float, ...]
    """Of the oracle's excess AUC."""
    gains: tuple[float, ...]
    saved: tuple[float, ...]
    beyond: int
    """Labels with an AUC beyond the oracle's."""


def findings(market: SyntheticMarket, plan: Plan) -> dict[str, Finding]:
    """Speaker -> what it finds in the market."""
    said = walk(market, plan)
    return {speaker: _finding(market, said, speaker) for speaker in said}


def _finding(market: SyntheticMarket, said: Mapping[str, Mapping[str, Scored]], speaker: str) -> Finding:
    found = [recover(said[speaker][label], market) for label in ORACLE_LABELS]
    return Finding(
        tuple(one.share for one in found),
        tuple(better_than_reference(said, speaker, label).difference for label in ORACLE_LABELS),
        tuple(saved_against_reference(said, speaker, label) for label in ORACLE_LABELS),
        sum(one.beyond for one in found),
    )


def print_recovery(options: SyntheticOptions, plan: Plan, seeds: Sequence[int]) -> None:
    """One row a speaker: the share of the oracle's excess AUC that it finds; means over seeds and standard errors."""
    runs = [findings(simulate_market(options.model_copy(update={"seed": seed})), plan) for seed in seeds]
    write(f"\nAUC {options.auc}, {options.years} years, {options.symbols} symbols, {len(seeds)} markets\n")
    write(
        "| | " + " | ".join(ORACLE_LABELS) + " | AUC above the ridge-logit's | log loss below it | beyond the oracle |"
    )
    write("|---" * (len(ORACLE_LABELS) + 4) + "|")
    for speaker in runs[0]:
        found = [run[speaker] for run in runs]
        cells = [_mean(column, 2) for column in np.array([one.shares for one in found]).T]
        for differences in (np.array([one.gains for one in found]), np.array([one.saved for one in found])):
            cells += [", ".join(_mean(column, 4, signed=True) for column in differences.T)]
        write(f"| {speaker} | " + " | ".join(cells) + f" | {sum(one.beyond for one in found)} |")


def print_nulls(options: SyntheticOptions, plan: Plan, seeds: Sequence[int]) -> None:
    """Fold-averaged AUC of the mean over null markets, and how many claimed an edge."""
    runs = [claims(simulate_market(options.model_copy(update={"auc": 0.5, "seed": seed})), plan) for seed in seeds]
    claimed = sum(any(one.edge for one in run.values()) for run in runs)
    write(f"\n{len(seeds)} null markets, {options.years} years, {options.symbols} symbols: {claimed} claim an edge")
    for label in ORACLE_LABELS:
        auc, forward = np.array([(run[label].auc, run[label].forward) for run in runs]).T
        write(f"- {label}: AUC over folds {_mean(auc, 4)}, forward {_mean(forward, 4)}")


def _mean(values: Floats, decimals: int, *, signed: bool = False) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():{'+' if signed else ''}.{decimals}f} ±{error:.{decimals}f}"


def write(line: str) -> None:
    """To standard output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> None:
    """One table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.synthetic", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--auc", type=float, default=0.65, help="0.5 tests nulls")
    parser.add_argument("--years", type=int, default=15)
    parser.add_argument("--symbols", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3, help="markets, counted from seed 0")
    parser.add_argument("--step", type=int, default=250, help="sessions between two trainings")
    parser.add_argument("--members", default="logit,lightgbm", help="presets")
    parser.add_argument("--stack", action="store_true", help="also what serves")
    given = parser.parse_args(words)
    members = tuple(preset(name) for name in given.members.split(","))
    plan = Plan(members, given.step, StackOptions() if given.stack else None)
    options = SyntheticOptions(auc=given.auc, years=given.years, symbols=given.symbols)
    table = print_nulls if given.auc == 0.5 else print_recovery
    table(options, plan, range(given.seeds))


if __name__ == "__main__":
    main(sys.argv[1:])
