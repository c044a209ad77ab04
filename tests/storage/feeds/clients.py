"""Clients of no provider, for the process that runs them."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from storage.feeds.child import Answer, Order
from storage.feeds.feed import FeedError, History, no_actions


def backwards(order: Order) -> Iterator[Answer]:
    """The last symbol first, and that one there is not."""
    *known, unknown = order.symbols
    yield unknown, FeedError(f"no {unknown}")
    yield from ((symbol, _nothing()) for symbol in reversed(known))


def greedy(order: Order) -> Iterator[Answer]:
    """One answer, then 8 GiB."""
    yield order.symbols[0], _nothing()
    kept = [bytearray(1 << 28) for _ in range(32)]
    yield order.symbols[1], FeedError(f"{len(kept)}")


def litters(order: Order) -> Iterator[Answer]:
    """Leaves a file behind, and says where."""
    Path(order.folder, "cache").write_text("poison")
    yield order.symbols[0], FeedError(order.folder)


def _nothing() -> History:
    return History(pd.DataFrame(), no_actions())
