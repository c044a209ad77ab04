"""Any client in the process that lives for one fetch."""

import multiprocessing
from datetime import date
from pathlib import Path

from storage.feeds.child import Order, Terms, fetch_in_child
from storage.feeds.feed import FeedDown, FeedError, History
from tests.storage.feeds import clients

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)


def order(*symbols: str) -> Order:
    return Order(symbols, FIRST, LAST, Terms(1, 1.0, None))


def test_answers_come_in_the_order_that_was_asked_for() -> None:
    answers = fetch_in_child(clients.backwards, order("A", "B", "../C", "A"), provider="fake", timeout_s=60)
    assert list(answers) == ["A", "B", "../C"]
    assert isinstance(answers["A"], History)
    assert type(answers["B"]) is FeedError
    assert str(answers["B"]) == "no B"
    assert isinstance(answers["../C"], FeedError)


def test_a_client_that_takes_too_much_memory_ends_and_the_machine_does_not(tmp_path: Path) -> None:
    answers = fetch_in_child(clients.greedy, order("A", "B"), provider="fake", timeout_s=60)
    assert isinstance(answers["A"], History)
    assert isinstance(answers["B"], FeedDown)
    assert "fake gave no bars of B: the process that asked ended early" in str(answers["B"])
    assert not multiprocessing.active_children()


def test_the_folder_of_a_client_is_gone_when_the_fetch_is_over() -> None:
    answers = fetch_in_child(clients.litters, order("A"), provider="fake", timeout_s=60)
    folder = Path(str(answers["A"]))
    assert folder.name.startswith("fake-feed-")
    assert not folder.exists()
