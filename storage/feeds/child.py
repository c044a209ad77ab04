"""A client of a provider, in a process of its own that lives for one fetch.

What a client caches, leaks or hangs on ends with it: the process is killed when its time is up, its folder is
removed, and its memory is bounded. It sends each symbol's answer when it has it.
"""

import logging
import multiprocessing
import resource
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from multiprocessing.connection import Connection
from typing import NamedTuple

from storage.feeds.feed import FeedDown, FeedError, History, check_symbol

MOST_MEMORY = 1 << 30
"""Bytes of data that the process may have; the client with all it imports takes a sixth."""


class Terms(NamedTuple):
    """How a client is to ask."""

    at_once: int
    """Symbols at the same time."""
    request_timeout_s: float
    mirror: str | None
    """Base URL that requests go to in place of the provider's, as BASE/host/path."""


class Order(NamedTuple):
    """What a client is to fetch."""

    symbols: tuple[str, ...]
    first: date
    last: date
    terms: Terms
    zones: tuple[tuple[str, str], ...] = ()
    """Symbols whose time zone is known from an earlier answer."""
    folder: str = ""
    """Of this process alone, for whatever the client caches."""


Answer = tuple[str, History | FeedError]
Client = Callable[[Order], Iterator[Answer]]
"""A function of a module, so that another process can find it."""


def fetch_in_child(client: Client, order: Order, *, provider: str, timeout_s: float) -> dict[str, History | FeedError]:
    """An answer for each symbol, in their order, within `timeout_s`; what did not come is a FeedDown that says why."""
    answers = _unusable(order.symbols)
    usable = tuple(dict.fromkeys(symbol for symbol in order.symbols if symbol not in answers))
    if usable:
        # The parent owns the folder: a child that is killed clears up nothing.
        with tempfile.TemporaryDirectory(prefix=f"{provider}-feed-", ignore_cleanup_errors=True) as folder:
            came, reason = _ask(client, order._replace(symbols=usable, folder=folder), timeout_s)
        lacking = {symbol: FeedDown(f"{provider} gave no bars of {symbol}: {reason}") for symbol in usable}
        answers |= lacking | came
    return {symbol: answers[symbol] for symbol in order.symbols}


def _unusable(symbols: Sequence[str]) -> dict[str, History | FeedError]:
    refused: dict[str, History | FeedError] = {}
    for symbol in symbols:
        try:
            check_symbol(symbol)
        except FeedError as error:
            refused[symbol] = error
    return refused


def _ask(client: Client, order: Order, timeout_s: float) -> tuple[dict[str, History | FeedError], str]:
    # Not forked: the daemon has threads, and a fork of a threaded process may deadlock.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(sender, client, order), daemon=True, name="feed")
    child.start()
    sender.close()
    try:
        return _collect(receiver, len(order.symbols), timeout_s)
    finally:
        child.kill()
        child.join()
        receiver.close()


def _collect(receiver: Connection, count: int, timeout_s: float) -> tuple[dict[str, History | FeedError], str]:
    """What came before the deadline, and why nothing more did."""
    answers: dict[str, History | FeedError] = {}
    deadline = time.monotonic() + timeout_s
    while len(answers) < count:
        if not receiver.poll(max(0.0, deadline - time.monotonic())):
            return answers, f"it took over feed.timeout_s = {timeout_s:g} s; run again, or allow more."
        try:
            symbol, answer = receiver.recv()
        except EOFError:
            return answers, "the process that asked ended early; run again, with --debug if it stays so."
        answers[symbol] = answer
    return answers, ""


def _run(sender: Connection, client: Client, order: Order) -> None:
    """The child: one answer after the other."""
    # Ctrl-C reaches the whole process group; the parent answers it, and kills this child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    # Every failure is a value here; clients and their helpers would say it once more on standard error.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    for answer in client(order):
        sender.send(answer)
    sender.close()
