"""What a person sees of a sweep: every trial, and what is left of the best once it counts that it was chosen."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from daemon.console.tables import new_table, open_console, print_json
from daemon.sweeps.results import results_of, selection_of, write_results
from daemon.sweeps.study import Study, spec_in
from ensemble.counted import counted
from ensemble.evaluation.search_space import SweepOptions, params_of
from ensemble.evaluation.selection import Selection
from storage.trial_store import Trial


def show_sweep(study: Study, folder: Path, *, as_json: bool) -> None:
    """The trials, the best first, and the verdict on the best; the files of it in `folder`."""
    selection = selection_of(study)
    paths = write_results(study, selection, folder)
    if as_json:
        print_json(results_of(study, selection))
        return
    console = open_console()
    wanted, held_out = study.wanted, study.services.settings.evaluation.holdout_from
    reserved = f", nothing from {held_out} on" if held_out else ""
    trials = counted(len(study.trials), "trial")
    title = f"{wanted.label}, {wanted.first} to {wanted.last}: {trials}, out of sample{reserved}"
    console.print(_trial_table(console, study, title))
    for line in verdict_lines(selection, study.trials):
        console.print(line, soft_wrap=True)
    console.print("Written: " + ", ".join(str(path) for path in paths), soft_wrap=True)


def verdict_lines(selection: Selection | None, trials: Sequence[Trial]) -> list[str]:
    """What can be said of the best trial, in sentences."""
    if selection is None:
        return ["No trial is complete, so there is nothing to choose."]
    best = next(trial for trial in trials if trial.trial_id == selection.best)
    side, deflated = "below" if selection.gain >= 0 else "above", selection.deflated
    lines = [
        f"Best: trial {best.number}, {best.settings['name']}, its log loss {abs(selection.gain):.4f} {side} that of "
        f"the base rate known at the time ({counted(selection.sessions, 'session', ',')}).",
        f"Chosen from {counted(deflated.trials, 'trial', '.0f')} ever made for this label, worth "
        f"{selection.independent:.1f} independent ones.",
        f"Deflated Sharpe ratio {deflated.probability:.3f}: it gains {deflated.sharpe:.3f} deviations a session, the "
        f"best of as many without skill would gain {deflated.benchmark:.3f}.",
        f"Superior to the base rate, the search counted: p = {selection.superiority.p_value:.3f} (Hansen's SPA).",
    ]
    if selection.overfitting is not None:
        lines.append(
            f"Probability of backtest overfitting {selection.overfitting.probability:.2f}: how often the best in one "
            "half of the sessions was among the worse half of the trials in the other."
        )
    return [*lines, _verdict(selection)]


def _verdict(selection: Selection) -> str:
    if selection.is_superior and selection.overfitting is None:
        return "It is better than the base rate; too little is complete to say whether choosing it chose something."
    if selection.is_proven:
        return "What was chosen is better than the base rate, and choosing it chose something."
    if selection.is_superior:
        return "The members are better than the base rate, but this one need not be better than the others."
    return "Nothing is proven: the best of as many without skill may look like this."


def _trial_table(console: Console, study: Study, title: str) -> Table:
    columns = ("member", "figures", "state", "trial", "sessions", "log loss", "base rate's", "AUC", "right %")
    table = new_table(console, title, *columns, left=3)
    for trial in sorted(study.trials, key=lambda trial: (trial.state, trial.scores.log_loss or 0.0)):
        scores = trial.scores
        table.add_row(
            str(trial.settings["name"]),
            _figures(trial, study.services.settings.sweep),
            str(trial.state),
            str(trial.number),
            str(scores.sessions or ""),
            _decimals(scores.log_loss, 4),
            _decimals(scores.base_log_loss, 4),
            _decimals(scores.auc, 3),
            "" if scores.right_share is None else f"{100 * scores.right_share:.1f}",
        )
    return table


def _figures(trial: Trial, options: SweepOptions) -> str:
    """As in "lstm: width 192, layers 3, dropout 0.35"."""
    params = params_of(spec_in(trial), options)
    kind = params.pop("kind")
    return f"{kind}: " + ", ".join(f"{name.removeprefix(f'{kind}.')} {value:.4g}" for name, value in params.items())


def _decimals(value: float | None, count: int) -> str:
    return "" if value is None else f"{value:.{count}f}"
