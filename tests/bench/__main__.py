"""`make bench`: measures, prints a table, and records a line of history when asked."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.options import Options
from tests.bench.page import write_page
from tests.bench.record import append_record, read_history, record_now
from tests.bench.result import Outcome, Skipped
from tests.bench.suite import BENCHMARKS, Benchmark, chosen
from tests.bench.table import open_console, show


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line; --help says what there is."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of {','.join(BENCHMARKS)}")
    parser.add_argument("--full", action="store_true", help="the sizes of docs/benchmarks.md instead of small ones")
    parser.add_argument("--record", action="store_true", help="append to the history and bring the page up to it")
    parser.add_argument("--repetitions", type=int, metavar="N", help="how often each side is measured")
    parser.add_argument("--months", type=int, metavar="N", help="retrain: months to train and to score")
    parser.add_argument("--torch-python", type=Path, metavar="PATH", help="pytorch: a Python that has PyTorch")
    parser.add_argument("--state", type=Path, metavar="FOLDER", help="walk_forward: keep the models here and go on")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """0 when all was measured or skipped with a reason, 1 when one failed, 2 for a wrong command line."""
    given = arguments(words)
    options = Options(given.full, given.repetitions, given.months, given.torch_python, given.state)
    try:
        names = chosen([name for name in given.only.split(",") if name])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    outcome = measure({name: BENCHMARKS[name] for name in names}, options)
    show(open_console(), outcome)
    if given.record and outcome.results:
        append_record(record_now(outcome.results, full=options.full))
        write_page(read_history())
    return 1 if outcome.failed else 0


def measure(benchmarks: Mapping[str, Benchmark], options: Options) -> Outcome:
    """One after the other; standard error says how far it is."""
    outcome = Outcome({}, {}, {})
    for name, run in benchmarks.items():
        start = time.monotonic()
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        try:
            outcome.results[name] = run(options)
        except Skipped as reason:
            outcome.skipped[name] = str(reason)
        except Exception as error:  # hours of other figures must not be lost with it
            outcome.failed[name] = f"{type(error).__name__}: {error}"
        print(f" {time.monotonic() - start:.0f} s", file=sys.stderr)
    return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
