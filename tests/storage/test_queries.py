"""The questions that come along: each is shown once, in docs/queries.md as well, and explains itself."""

from pathlib import Path

import storage.queries
from storage.queries import ORDER, canned_queries
from tests.storage.queries_page import PAGE, with_queries


def test_the_page_holds_the_queries_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_queries(page) == page, "`python -m tests.storage.queries_page` brings it up to the files"


def test_every_file_is_a_question_with_a_note() -> None:
    folder = Path(storage.queries.__file__).parent
    assert sorted(ORDER) == sorted(file.stem for file in folder.glob("*.sql"))
    for one in canned_queries():
        assert one.question.endswith("?")
        assert len(one.note) > 20
        assert one.sql.lstrip().startswith(("SELECT", "WITH"))
