"""`pytorch`: the training step against PyTorch's nn.LSTM: same architecture, segments, batch; one thread each."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ensemble.members.network import run_network
from ensemble.members.specs import LstmSpec
from ensemble.windows import Window
from tests.bench.market import bars_name, last_months, load_panel, month_window
from tests.bench.measure import child, interleaved
from tests.bench.members import wider
from tests.bench.options import Options
from tests.bench.result import Result, Skipped, median_figure, ratio_figure
from tests.bench.step import Epoch, open_epoch

HOW_TO_GET_IT = (
    "PyTorch is for this benchmark only; make an environment of its own (python3 -m venv ENV, "
    "ENV/bin/pip install torch==2.13.0 numpy), then: make bench ONLY=pytorch TORCH=ENV/bin/python"
)
YEARS = 8
SCRIPT = Path(__file__).with_name("torch_step.py")
SAME_WITHIN = 1e-3
"""How far the logits of the two networks may lie apart with the same weights: else they are not the same network."""


def run(options: Options) -> Result:
    """CPU-milliseconds a segment of whole epochs (forward, backward, Adam), in turn. Raises Skipped without PyTorch."""
    if options.torch_python is None:
        raise Skipped(HOW_TO_GET_IT)
    version = _version(options.torch_python)
    _, window = month_window(load_panel(), last_months(1)[0], years=YEARS)
    with child() as pool:
        work = (wider(), window, options.torch_python, options.repetitions or options.pick(5, 9))
        costs = pool.submit(ms_a_segment, *work).result()
    return Result(
        f"{bars_name()}, wider on seven stocks x {YEARS} years, PyTorch {version}",
        (
            median_figure("this project", costs["ours"], "ms a segment"),
            median_figure("PyTorch", costs["torch"], "ms a segment"),
            ratio_figure("PyTorch : this project", costs["torch"], costs["ours"], at_least=1.0),
        ),
    )


def _version(torch_python: Path) -> str:
    """PyTorch's version there. Raises Skipped when there is none."""
    words = [str(torch_python), "-c", "import torch; print(torch.__version__)"]
    try:
        done = subprocess.run(words, env=_bare(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skipped(f"{torch_python} has no PyTorch. {HOW_TO_GET_IT}") from error
    return done.stdout.strip()


def ms_a_segment(spec: LstmSpec, window: Window, torch_python: Path, repetitions: int) -> dict[str, list[float]]:
    """CPU-milliseconds of both sides, round by round. Raises ValueError when they are not the same network."""
    epoch = open_epoch(spec, window)
    with tempfile.TemporaryDirectory() as folder:
        _hand_over(Path(folder), epoch)
        words = [str(torch_python), str(SCRIPT), folder]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_bare()) as torch:
            try:
                apart = _read(torch)
                if not apart < SAME_WITHIN:
                    raise ValueError(f"logits lay {apart:.2g} apart; both networks must give the same.")
                sides: dict[str, Callable[[], float]] = {
                    "ours": lambda: _ours(epoch),
                    "torch": lambda: 1000 * _asked(torch) / epoch.n_segments,
                }
                interleaved(sides, 1)  # compiles, fills caches
                return interleaved(sides, repetitions)
            finally:
                torch.kill()


def _ours(epoch: Epoch) -> float:
    start = time.process_time()
    epoch.run()
    return 1000 * (time.process_time() - start) / epoch.n_segments


def _asked(torch: subprocess.Popen[str]) -> float:
    assert torch.stdin is not None
    torch.stdin.write("epoch\n")
    torch.stdin.flush()
    return _read(torch)


def _read(torch: subprocess.Popen[str]) -> float:
    assert torch.stdout is not None
    line = torch.stdout.readline()
    if not line:
        raise RuntimeError("PyTorch's side ended; its message stands above.")
    return float(line)


def _bare() -> dict[str, str]:
    """The environment without what would lead another interpreter to this one's packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _hand_over(folder: Path, epoch: Epoch) -> None:
    """Segments, weights and what this project's network makes of them, time first."""
    spec, whole = epoch.spec, epoch.whole()
    head = np.random.default_rng(0).normal(size=epoch.trainer.weights["head_kernel"].shape)
    weights = epoch.trainer.weights | {"head_kernel": head.astype(np.float32)}  # a fresh head is silent
    first = whole.inputs[:, : spec.segments_per_step]
    log_odds = run_network(weights, first, look_back=spec.sequence_steps, asking=spec.learned_steps).log_odds
    np.savez(folder / "segments.npz", inputs=whole.inputs, skip=whole.skip, labels=whole.labels)
    np.savez(folder / "weights.npz", allow_pickle=False, **weights)
    np.save(folder / "logits.npy", log_odds)
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
