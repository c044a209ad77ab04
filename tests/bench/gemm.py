"""`gemm`: how much of the processor's matrix-product peak the training step reaches, one thread each."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from ensemble.members.specs import LstmSpec
from ensemble.windows import Window
from tests.bench.market import bars_name, last_months, load_panel, month_window
from tests.bench.measure import child, interleaved
from tests.bench.members import wider
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure
from tests.bench.step import open_epoch

STEP = "training step"
YEARS = 8
SIZES = (256, 512, 1024, 2048)
PRODUCT_FLOPS = 4e9
"""Small matrices are multiplied until this much is done: a tenth of a second, which the clock can tell."""


def run(options: Options) -> Result:
    """Useful operations a second of whole epochs, against the best sgemm of NumPy and TensorFlow in the same round."""
    _, window = month_window(load_panel(), last_months(1)[0], years=YEARS)
    with child() as pool:
        rates = pool.submit(gflops, wider(), window, options.repetitions or options.pick(5, 9)).result()
    return Result(f"{bars_name()}, wider on seven stocks x {YEARS} years", figures(rates))


def figures(rates: Mapping[str, list[float]]) -> tuple[Figure, ...]:
    """The step, each library's best size, and the step's share of the better one's figure in the same round."""
    best = {library: _best(rates, library) for library in ("NumPy", "TensorFlow")}
    peak = max(best.values(), key=lambda name: median(rates[name]))
    return (
        median_figure(STEP, rates[STEP], "GFLOP/s"),
        *(median_figure(f"best sgemm of {library}", rates[name], "GFLOP/s") for library, name in best.items()),
        ratio_figure("training step : peak", rates[STEP], rates[peak], at_least=0.5),
    )


def gflops(spec: LstmSpec, window: Window, repetitions: int) -> dict[str, list[float]]:
    """Billions of operations a second of an epoch and of square products of both libraries, round by round."""
    epoch = open_epoch(spec, window)
    epoch.run()
    sides = {STEP: partial(_rate, epoch.run, epoch.flops)}
    for size in SIZES:
        times = max(round(PRODUCT_FLOPS / (2 * size**3)), 1)
        for library, product in (("NumPy", _numpy_product(size)), ("TensorFlow", _tensorflow_product(size))):
            product()
            sides[f"{library} {size}"] = partial(_rate, partial(_repeat, product, times), 2 * size**3 * times)
    return interleaved(sides, repetitions)


def _best(rates: Mapping[str, list[float]], library: str) -> str:
    """The size with the highest median; the highest single figure would be the luckiest one."""
    return max((name for name in rates if name.startswith(library)), key=lambda name: median(rates[name]))


def _rate(work: Callable[[], object], flops: float) -> float:
    """GFLOP a CPU-second: a second thread would count against it."""
    start = time.process_time()
    work()
    return flops / (time.process_time() - start) / 1e9


def _repeat(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


def _numpy_product(size: int) -> Callable[[], object]:
    left, right = np.random.default_rng(size).normal(size=(2, size, size)).astype(np.float32)
    return lambda: left @ right


def _tensorflow_product(size: int) -> Callable[[], object]:
    with _deaf():
        import tensorflow as tf

        with suppress(RuntimeError):  # set with the first size
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        left, right = tf.random.stateless_normal((2, size, size), seed=(size, 0))
    return lambda: tf.matmul(left, right).numpy()


@contextmanager
def _deaf() -> Iterator[None]:
    """Nothing reaches standard error, where TensorFlow's library says how it was built, whatever it is told."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
