"""The history of measurements: one line of JSON a run, docs/benchmarks/history.jsonl."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.bench.result import Figure, Result

ROOT = Path(__file__).parents[2]
HISTORY = ROOT / "docs" / "benchmarks" / "history.jsonl"
LIBRARIES = ("numpy", "pandas", "scikit-learn", "lightgbm", "keras", "tensorflow", "tensorflow-cpu", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Record:
    """One run of the suite, or of part of it, and the machine it ran on."""

    measured_at: str
    """UTC, ISO."""
    commit: str
    """Short; with "+" behind it where files were changed since."""
    size: str
    """"default" or "full"."""
    cpu: str
    cores: int
    python: str
    libraries: Mapping[str, str]
    results: Mapping[str, Result]
    load: float | None = None
    """How many processes wanted a core at the end, the minute's mean; None where it was not noted."""


def record_now(results: Mapping[str, Result], *, full: bool) -> Record:
    """A record of `results` on this machine at this commit."""
    return Record(
        measured_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        commit=_commit(),
        size="full" if full else "default",
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        libraries=_versions(),
        results=dict(results),
        load=round(os.getloadavg()[0], 2),
    )


def to_line(record: Record) -> str:
    """The record as one line of JSON; what a figure does not have is left out."""
    content = asdict(record)
    content["results"] = {
        name: {"setting": result.setting, "figures": [_plain(figure) for figure in result.figures]}
        for name, result in record.results.items()
    }
    if content["load"] is None:
        del content["load"]
    return json.dumps(content, allow_nan=False)


def _plain(figure: Figure) -> dict[str, str | float]:
    """Without what it does not have; six digits say more than any measurement knows."""
    values = {key: value for key, value in asdict(figure).items() if value is not None}
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}


def from_line(line: str) -> Record:
    """The record that `to_line` wrote. Raises ValueError or TypeError for anything else."""
    content: dict[str, Any] = json.loads(line)
    results = {
        name: Result(result["setting"], tuple(Figure(**figure) for figure in result["figures"]))
        for name, result in content.pop("results").items()
    }
    return Record(**content, results=results)


def read_history(path: Path = HISTORY) -> list[Record]:
    """All records, oldest first."""
    if not path.exists():
        return []
    return [from_line(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append_record(record: Record, path: Path = HISTORY) -> None:
    """Adds the record; what stands there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(to_line(record) + "\n")


def newest_by_benchmark(records: Sequence[Record], names: Iterable[str]) -> dict[str, Record]:
    """For each benchmark that was ever recorded the newest record that holds it; a full one before a default one."""
    newest: dict[str, Record] = {}
    for name in names:
        having = [record for record in records if name in record.results]
        if having:
            newest[name] = max(having, key=lambda record: (record.size == "full", record.measured_at))
    return newest


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if git("status", "--porcelain", "-uno") else "")


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
