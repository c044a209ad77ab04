"""The search itself: the only importer of Optuna. It keeps nothing: what it proposes follows from the trials before.

So a search that was interrupted goes on as if it had not been, and the ledger of trials is its only record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ensemble.evaluation.search_space import Figure, Params, Space

if TYPE_CHECKING:
    import optuna

RANDOM_TRIALS = 10
"""So many trials are drawn blindly before the search learns from them, the presets counted."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that has ended."""

    params: Params
    loss: float | None
    """None when it was given up early or failed."""
    progress: Sequence[float] = ()
    """Its mean loss after each look; of a failed one none."""


def propose(space: Space, tried: Sequence[Tried], *, seed: int) -> dict[str, Any]:
    """The figures to try next, chosen by Optuna's tree-structured Parzen estimator (Bergstra et al. 2011).

    Equal arguments give equal figures.
    """
    study = _study(space, tried, seed=seed + len(tried))
    trial = study.ask()
    kind = trial.suggest_categorical("kind", list(space))
    return {"kind": kind} | {
        f"{kind}.{name}": _suggested(trial, f"{kind}.{name}", figure) for name, figure in space[kind].items()
    }


def is_hopeless(progress: Sequence[float], tried: Sequence[Tried]) -> bool:
    """Whether the loss after the last look is above the median of the complete trials' after the same one.

    The median stopping rule of Golovin et al. (2017), on the loss as it stands: Optuna's own takes the best of all
    looks so far, and each look is at other sessions, which may be easier. False while there is no complete trial.
    """
    place = len(progress) - 1
    others = [one.progress[place] for one in tried if one.loss is not None and len(one.progress) > place]
    return bool(others) and progress[-1] > median(others)


def _study(space: Space, tried: Sequence[Tried], *, seed: int) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)
    study = optuna.create_study(direction="minimize", sampler=sampler, pruner=optuna.pruners.NopPruner())
    for one in tried:
        study.add_trial(_frozen(space, one))
    return study


def _frozen(space: Space, tried: Tried) -> "optuna.trial.FrozenTrial":
    from optuna.trial import TrialState, create_trial

    kind = tried.params["kind"]
    states = {True: TrialState.PRUNED, False: TrialState.FAIL}
    return create_trial(
        state=TrialState.COMPLETE if tried.loss is not None else states[bool(tried.progress)],
        value=tried.loss,
        params=dict(tried.params),
        distributions={"kind": _kinds(space)} | _distributions(kind, space[kind]),
        intermediate_values=dict(enumerate(tried.progress)),
    )


def _suggested(trial: "optuna.Trial", name: str, figure: Figure) -> float:
    if figure.is_whole:
        step = int(figure.step or 1)
        return trial.suggest_int(name, int(figure.low), int(figure.high), step=step, log=figure.log)
    return trial.suggest_float(name, figure.low, figure.high, step=figure.step, log=figure.log)


def _kinds(space: Space) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(list(space))


def _distributions(kind: str, figures: Mapping[str, Figure]) -> "dict[str, optuna.distributions.BaseDistribution]":
    return {f"{kind}.{name}": _distribution(figure) for name, figure in figures.items()}


def _distribution(figure: Figure) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    if figure.is_whole:
        return IntDistribution(int(figure.low), int(figure.high), log=figure.log, step=int(figure.step or 1))
    return FloatDistribution(figure.low, figure.high, log=figure.log, step=figure.step)
