"""Questions that people ask of the database, each a file of plain SQL that SQLite and PostgreSQL both read.

docs/queries.md, `db ask` and Datasette all show these. The first comment of a file is the question, those that follow
say what to mind.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
ORDER = (
    "todays-signal",
    "newest-forecasts",
    "hit-rate-by-confidence",
    "hit-rate-by-month",
    "forecasts-against-outcomes",
    "members-against-ensemble",
    "open-risk",
    "equity-by-month",
    "trades-by-exit",
    "why-nothing-was-done",
    "what-a-model-said",
    "who-served",
    "runs-that-failed",
    "refused-bars",
    "what-is-this",
)
"""What people ask first comes first."""


@dataclass(frozen=True, slots=True)
class CannedQuery:
    """A question, and the query that answers it."""

    name: str
    question: str
    note: str
    sql: str


@cache
def canned_queries() -> tuple[CannedQuery, ...]:
    """All that come along, in ORDER."""
    return tuple(_read(_FOLDER / f"{name}.sql") for name in ORDER)


def _read(file: Path) -> CannedQuery:
    lines = file.read_text(encoding="utf-8").splitlines()
    said = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    sql = "\n".join(line for line in lines if not line.startswith("-- "))
    return CannedQuery(file.stem, said[0], " ".join(said[1:]), sql)
