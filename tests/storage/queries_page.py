"""The queries in docs/queries.md, between two marks: `python -m tests.storage.queries_page` writes them."""

from collections.abc import Iterator
from pathlib import Path

from storage.queries import canned_queries

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
BEGIN, END = "<!-- queries: begin -->", "<!-- queries: end -->"


def with_queries(page: str) -> str:
    """The page with its queries replaced. Raises ValueError when a mark is missing."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{PAGE.name} must hold each of the lines {BEGIN} and {END} once; put them back.")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n{chr(10).join(_sections())}\n\n{END}{after}"


def _sections() -> Iterator[str]:
    for one in canned_queries():
        yield f"### {one.question}\n\n`db ask {one.name}`. {one.note}\n\n```sql\n{one.sql}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(with_queries(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
