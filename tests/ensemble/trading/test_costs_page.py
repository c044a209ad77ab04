import pytest

from tests.ensemble.trading.costs_page import PAGE, with_tables


def test_the_tables_of_the_page_are_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page, "`python -m tests.ensemble.trading.costs_page` brings it up to the code"


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="round trips: begin"):
        with_tables("no marks")
