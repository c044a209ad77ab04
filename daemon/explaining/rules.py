"""What was asked of a forecast before it was acted on: the gate, the holds, the limits of its size."""

from collections.abc import Iterator
from math import exp

from daemon.explaining.explanation import Bound, Check, Rules
from daemon.explaining.standpoint import Then
from ensemble.counted import counted
from ensemble.stacking.evidence import SCORES_A_LOG_ODDS
from ensemble.trading.gate import coverage_score
from ensemble.trading.signals import Signal
from ensemble.trading.sizing import position_budget


def rules_for(then: Then, signal: Signal) -> Rules:
    """The rules that `signal`, as decided again, went through."""
    return Rules(tuple(_checks(then, signal)), tuple(_bounds(then, signal)), signal.reference_price)


def _checks(then: Then, signal: Signal) -> Iterator[Check]:
    situation, options, limits = then.known.situation, then.known.caution.options, then.known.caution.limits
    yield _gate(then, signal)
    quote, age = situation.quotes.get(signal.symbol), situation.beliefs.model_age_months
    bar_age = 0 if quote is None else quote.age_sessions
    oldest = options.max_bar_age_sessions
    found = f"{counted(bar_age, 'session')} old" if bar_age else "none"
    yield Check("newest bar", found, f"at most {counted(oldest, 'session')} old", 1 <= bar_age <= oldest)
    if age is not None:
        oldest = options.max_model_age_months
        yield Check("model", f"{counted(age, 'month')} old", f"at most {counted(oldest, 'month')} old", age <= oldest)
    if options.max_disagreement is not None:
        spread = situation.beliefs.spreads.get(signal.symbol, 0.0)
        widest = options.max_disagreement
        yield Check("members' spread", f"{spread:.2f} log-odds", f"at most {widest:.2f}", spread <= widest)
    yield _position(then, signal)
    halts = situation.forbidden.get(signal.symbol, ())
    yield Check("halts", ", ".join(halts) or "none", "none, to enter", not halts)
    held = len(situation.held.keys() | situation.ordered.keys())
    most = limits.max_positions
    yield Check("positions held or ordered", f"{held}", f"fewer than {most}, to enter", held < most)
    yield Check("in time", "after the open" if signal.late else "before the open", "before the open", not signal.late)


def _position(then: Then, signal: Signal) -> Check:
    """Whether there is something to do at all on the side that was forecast."""
    held = then.known.situation.position(signal.symbol)
    up = (signal.probability or 0.0) > 0.5
    sells_short = then.known.caution.limits.product == "futures"
    able = held <= 0 if up else held > 0 or (sells_short and held == 0)
    asked = "none, to buy" if up else "none or some, to sell" if sells_short else "some, to sell"
    return Check("position", counted(held, "share") if held else "none", asked, able)


def _gate(then: Then, signal: Signal) -> Check:
    options, sure = then.known.caution.options, signal.confidence or 0.0
    rule = f'gate "{options.gate}"'
    care = f" ({then.known.caution.line})" if then.known.caution.line else ""
    if options.gate == "confidence":
        asked = options.min_confidence
        return Check(rule, f"confidence {sure:.3f}", f"at least {asked:.3f}{care}", sure >= asked)
    if options.gate == "coverage":
        score = coverage_score(then.known.situation.beliefs.evidence, options.coverage_pct)
        asked = _probability(score / SCORES_A_LOG_ODDS)
        asked_for = f"at least {asked:.3f}: as sure as {options.coverage_pct:g} % of past forecasts{care}"
        return Check(rule, f"confidence {sure:.3f}", asked_for, sure >= asked)
    value, least = signal.expected_value_bp, options.min_expected_value_bp
    found = "no evidence to tell by" if value is None else f"worth {value:.1f} bp after costs"
    return Check(rule, found, f"more than {least:g} bp{care}", value is not None and value > least)


def _bounds(then: Then, signal: Signal) -> Iterator[Bound]:
    """Of each limit by itself; surer signals of the same session take their share before."""
    situation, limits = then.known.situation, then.known.caution.limits
    quote = situation.quotes.get(signal.symbol)
    budget = position_budget(situation.equity, limits, quote.volatility if quote else None)
    if budget is not None:
        size = "volatility" if limits.sizing == "volatility" else f"{limits.position_pct:g} %"
        yield Bound(f"size of a position ({size} of equity)", budget)
    yield Bound("cash", situation.cash)
    room = situation.equity * limits.max_exposure_pct / 100 - situation.exposure
    yield Bound(f"exposure ({limits.max_exposure_pct:g} % of equity in all)", room)


def _probability(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds))
