"""Every bar's ratios as they were seen first, or last corrected: by them it is told what a version has learnt from."""

from ensemble.bar_ratios import BarDigests, as_first_seen, bar_digests, market_ratios, packed, unpacked, with_later
from ensemble.features.matrix import Market
from storage.model_store import ModelStore
from storage.record_store import records_of

FIRST_SEEN = "first-seen.npz"
"""The record that holds them."""


def open_bar_digests(store: ModelStore, market: Market) -> BarDigests:
    """Digests of the market's bars that a restatement by the vendor leaves as they are.

    What was seen first is kept with the models; only bars that are new or really changed are written.
    """
    records = records_of(store)
    before = unpacked(records.get(FIRST_SEEN) or b"")
    now = market_ratios(market)
    for name, seen in before.items():
        if name in now:
            now[name] = as_first_seen(now[name], seen)
    later = {name: with_later(now[name], seen) if name in now else seen for name, seen in before.items()}
    records.put(FIRST_SEEN, packed(now | later))
    return bar_digests(market, now)
