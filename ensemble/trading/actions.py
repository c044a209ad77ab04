"""Corporate actions on held shares, told from the bars: feeds scale history, and say so in no other way.

A *split* (or bonus) is seen where the open of the entry's bar and the close marked last are both another number than
they were, by one factor; a correction of one of two bars is none, and hides no split, which moves both by far more. A
*dividend* is a step of adj_close / close between the entry and now that was not credited yet; one that the feed tells
late is credited late, once. A *demerger* is listed in a table, and credited only where the bars fall by it: where the
feed has scaled its history, it is none, or a split.

A bar that opens far from the close before it, where no feed has told of a split yet, *waits* for a session, so that the
feed can tell. Then it is looked at before that session's own, at its own prices, whatever it was. What the holder gets
in such a session waits with it: else it would count beside a close that still holds it.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from ensemble.trading.continuity import falls_by
from ensemble.trading.demerger_table import Demerger
from ensemble.trading.holdings import Account, Position
from ensemble.trading.session_bars import Bar, SessionBars, SymbolBars

SAME_FACTOR_WITHIN = 1e-4
"""Besides what the feed rounds its prices to."""
LEAST_SPLIT = 0.005
CORRECTED_WITHIN = 0.05
"""How far a correction may have moved one of the two prices that a split moves together, and the least that a split
moves both by then."""
PLAIN_WITHIN = 0.005
LEAST_DIVIDEND = 5e-5
"""Of the price, besides what the feed rounds its prices to."""
MOST_GAP = 1.15
"""Between a close and the open after it, either way: what opens farther away is a split of 6 for 5 or more that nobody
has told, or a crash. Splits of less are not told from bad days."""
MOST_SHARES = 20
"""Splits are ratios of small numbers, such as 2 for 1 or 11 for 10; what is measured lies beside them by rounding."""


@dataclass(frozen=True, slots=True)
class HeldActions:
    """What came to the holder of one symbol before the open; a split comes first, the rest is per share after it."""

    factor: float = 1.0
    """Shares after a split or bonus for each one before."""
    dividend: float = 0.0
    """Newly seen, in currency a share."""
    dividend_step: float = 1.0
    """What that left of the price: 0.99 after a dividend of 1 %."""
    demerger: float = 0.0
    """Worth of what was carved out, in currency a share."""
    late: tuple[tuple[date, Bar], ...] = ()
    """Bars since the last mark that were not looked at in their session: they waited, or the feed had none."""
    waits: bool = False
    """The session's own bar is not believed before the next one."""


NO_ACTION = HeldActions()


def held_actions(
    account: Account, bars: SessionBars, session: date, demergers: Sequence[Demerger] = ()
) -> dict[str, HeldActions]:
    """By symbol, what has come to the positions since they were marked last; from the bars up to `session` alone."""
    found: dict[str, HeldActions] = {}
    for position in account.positions:
        own = bars.of(position.symbol)
        if own is not None and own.place_from(position.entry_session) <= own.newest(session):
            listed = [one for one in demergers if one.symbol == position.symbol]
            found[position.symbol] = _actions(position, own, session, listed)
    return {symbol: actions for symbol, actions in found.items() if actions != NO_ACTION}


def _actions(position: Position, own: SymbolBars, session: date, demergers: Sequence[Demerger]) -> HeldActions:
    newest = own.newest(session)
    fallen = [one for one in demergers if _falls(own, one)]
    late, waits = _unseen(position, own, newest, session, fallen)
    believed = newest - waits
    dividend, step = _dividend(position, own, believed, fallen)
    fresh = ((own.place_from(one.session), one.share) for one in fallen if position.last_session < one.session)
    demerger = math.fsum(share * own.closes[place - 1] for place, share in fresh if place <= believed)
    return HeldActions(_split_factor(position, own), dividend, step, demerger, late, waits)


def _unseen(
    position: Position, own: SymbolBars, newest: int, session: date, fallen: Iterable[Demerger]
) -> tuple[tuple[tuple[date, Bar], ...], bool]:
    """The bars after the last mark and before `session`, oldest first, and whether the session's own must wait."""
    first = bisect_right(own.sessions, position.last_session)
    today = session in own.place
    stop = newest if today else newest + 1
    late = tuple((own.sessions[place], own.at(place)) for place in range(first, stop))
    if not today or newest == 0:
        return late, False
    carved = [one.share for one in fallen if own.place_from(one.session) == newest]
    left = 1 - math.fsum(carved) if carved else min(own.payout(newest - 1) / own.payout(newest), 1.0)
    gap = own.opens[newest] / (own.closes[newest - 1] * left)
    return late, not 1 / MOST_GAP <= gap <= MOST_GAP


def _split_factor(position: Position, own: SymbolBars) -> float:
    """By the close marked last and the open of the entry's bar, or by one of them where the other's bar has gone.

    Where both moved alike, to the last digit, any factor will do. Else one of them was corrected since, or is missing:
    then it takes more than corrections do, and a plain ratio; where both were corrected, one near by.
    """
    ratios, within = _ratios(position, own)
    if all(ratio == 1 for ratio in ratios):
        return 1.0
    if len(ratios) == 2 and abs(ratios[0] / ratios[1] - 1) <= within:
        return _plain(ratios, within) or ratios[0] if abs(ratios[0] - 1) > LEAST_SPLIT + within else 1.0
    together = max(ratios) / min(ratios) - 1 <= CORRECTED_WITHIN
    by_far = min(ratios) > 1 + CORRECTED_WITHIN or max(ratios) < 1 / (1 + CORRECTED_WITHIN)
    if not (together and by_far):
        return 1.0
    near = _plain(ratios, PLAIN_WITHIN) if len(ratios) == 2 else None
    return _plain(ratios, within) or near or 1.0


def _ratios(position: Position, own: SymbolBars) -> tuple[list[float], float]:
    """What the close marked last and the entry's open are now divided by, and how far rounding may move that."""
    entry, last = own.bar(position.entry_session), own.bar(position.last_session)
    pairs = [] if last is None else [(position.last_close, last.close)]
    pairs += [] if entry is None else [(position.entry_open, entry.open)]
    rounded = [price for before, now in pairs if before != now for price in (before, now)]
    return [before / now for before, now in pairs], SAME_FACTOR_WITHIN + sum(map(_half_digit, rounded))


def _plain(ratios: Iterable[float], within: float) -> float | None:
    """The ratio of small numbers that lies nearest to one of `ratios`; None where none is near."""
    plain = [(float(Fraction(ratio).limit_denominator(MOST_SHARES)), ratio) for ratio in ratios]
    nearest, ratio = min(plain, key=lambda pair: abs(pair[0] / pair[1] - 1))
    return nearest if nearest > 0 and abs(nearest / ratio - 1) <= within else None


def _half_digit(price: float) -> float:
    """How far rounding may have moved a price, as a share of it: half its last digit, 0 where it has five or more."""
    return next((0.5 / 10**digits / price for digits in (2, 3, 4) if round(price, digits) == price), 0.0)


def _dividend(position: Position, own: SymbolBars, newest: int, fallen: Iterable[Demerger]) -> tuple[float, float]:
    """In currency a share, and what it left of the price: what was paid since the entry and is not credited yet.

    A demerger that is credited from the table is no dividend, should the feed count it as one.
    """
    entry = own.place_from(position.entry_session)
    if newest <= entry:
        return 0.0, 1.0
    paid_out = own.payout(entry) / own.payout(newest)
    for one in fallen:
        place = own.place_from(one.session)
        if entry < place <= newest:
            paid_out /= own.payout(place - 1) / own.payout(place)
    step = paid_out / position.dividend_factor
    if 1 - step < LEAST_DIVIDEND:
        return 0.0, 1.0
    rounded = sum(_half_digit(one[place]) for one in (own.adjusted, own.closes) for place in (entry, newest))
    if 1 - step < LEAST_DIVIDEND + 2 * rounded:  # twice: what was credited was rounded too
        return 0.0, 1.0
    return own.closes[_before_ex_date(own, entry, newest, step)] * (1 - step), step


def _before_ex_date(own: SymbolBars, entry: int, newest: int, step: float) -> int:
    """The place of the close that the dividend was paid from: before the session whose own step is nearest to it."""
    return min(range(entry, newest), key=lambda place: abs(own.payout(place) / own.payout(place + 1) - step))


def _falls(own: SymbolBars, demerger: Demerger) -> bool:
    """True where the bars fell over it, by the rule that their adjusted closes go on by."""
    place = own.place_from(demerger.session)
    if not 0 < place < len(own.sessions):
        return False
    return falls_by(1 - demerger.share, own.opens[place] / own.closes[place - 1])
