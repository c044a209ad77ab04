"""One member to train: what goes in, under which name the result is kept, and how it is read back."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ensemble.members.fitted import Files, FittedMember
from ensemble.members.lstm import Lstm
from ensemble.members.specs import LstmSpec, MemberSpec, TreesSpec, training_settings
from ensemble.windows import Window


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A member's spec and the window it learns from; `key` is the name of the result."""

    spec: MemberSpec
    window: Window
    key: str


def task_key(spec: MemberSpec, seed_number: int, *, window_digest: str, code_version: str) -> str:
    """SHA-256 of all that a trained member depends on, hexadecimal; its random numbers are seeded from it.

    In it are the spec's `training_settings`; the number of the seed, from 0; `window_digest`, that is the sessions and
    bars that the window was built from, as ratios that a restatement leaves alone (`bar_ratios`), the configured
    symbols and decision time, and the barrier that the labels stand on; and `code_version`, that is the source of the
    features, labels and members, and the versions of the libraries. Not in it: the machine, how many workers there
    are, and what only comes after training, such as stack and thresholds.
    """
    recipe = json.dumps([training_settings(spec), seed_number, window_digest, code_version], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()


def fit_member(task: TrainingTask) -> Files:
    """Trains the member, its seed taken from the key; runs in a worker process. Raises TrainingError when it cannot."""
    seed = int(task.key[:8], 16)
    if isinstance(task.spec, LstmSpec):
        return _fit_lstm(task.spec, task.window, seed).files()
    if isinstance(task.spec, TreesSpec):
        from ensemble.members.boosted import fit_boosted

        return fit_boosted(task.spec, task.window, seed=seed).files()
    from ensemble.members.logit import fit_logit

    return fit_logit(task.spec, task.window).files()


def _fit_lstm(spec: LstmSpec, window: Window, seed: int) -> Lstm:
    if spec.training == "published":
        from ensemble.members.published import fit_published

        return fit_published(spec, window, seed=seed)
    from ensemble.members.panel_training import fit_panel

    return fit_panel(spec, window, seed=seed)


def load_member(files: Files) -> FittedMember:
    """The member that `fit_member` returned as files. Raises ValueError for files of no known kind."""
    from ensemble.members.boosted import load_boosted
    from ensemble.members.logit import load_logit
    from ensemble.members.lstm import load_lstm

    loaders: Mapping[str, Callable[[Files], FittedMember]] = {
        "lstm": load_lstm,
        "logit": load_logit,
        "lightgbm": load_boosted,
    }
    kind = json.loads(files["member.json"]).get("kind")
    if kind not in loaders:
        raise ValueError(f"the stored member's kind is {kind!r}; it must be one of {', '.join(loaders)}.")
    return loaders[kind](files)
