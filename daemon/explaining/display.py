"""An explanation for a person: what, why and whether to believe it in a few lines, then the detail."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from daemon.config.settings import Settings
from daemon.console.display import local_time
from daemon.console.number_cells import NONE, cell
from daemon.console.tables import new_table
from daemon.explaining.belief import belief
from daemon.explaining.explanation import Combined, Explanation, MemberVoice, Reasoning, Rules, Share
from ensemble.counted import counted
from ensemble.evaluation.past_record import PastRecord, band_of

QUESTIONS = {
    "gap": "opens above the last close",
    "close_to_close": "closes above the last close",
    "open_to_close": "closes above its open",
    "barrier": "a trade from the open ends in profit",
}
IN_A_LINE = 3
"""Features named on either side in the short answer."""
Titled = tuple[str, Table]
"""What a table shows, in a line that may be longer than the table."""
STEP_GROUPS = ((1, 1), (2, 5), (6, 20), (21, 60), (61, 1_000))
"""Sessions back, the newest is 1."""


def show_explanation(console: Console, one: Explanation, settings: Settings, *, features: int) -> None:
    """The answer in lines, then a table for each thing that led to it, with the largest `features`."""
    for line in answer(one, settings):
        console.print(line, soft_wrap=True)
    for title, table in _tables(console, one, features):
        console.print(f"\n{title}", soft_wrap=True)
        console.print(table)
    if one.reasoning is not None:
        console.print(_known_line(one.reasoning), soft_wrap=True)


def answer(one: Explanation, settings: Settings) -> Iterator[str]:
    """What was said and decided, why, what moved it, whether to believe it, and whether it comes out again."""
    decided = local_time(pd.Timestamp(one.decided_at), settings)
    yield f"{one.symbol}, {one.session:%A %Y-%m-%d}, {one.label} ({one.origin}, decided {decided})"
    yield f"  What         {_what(one)}"
    if one.reasoning is not None:
        yield f"  Why          {_why(one.reasoning)}"
        yield f"  Moved by     {_moved_by(one.reasoning)}"
    elif one.member_probabilities:
        yield f"  Why          {_votes(one.member_probabilities.items())}"
    yield f"  Believe it?  {belief(one)}"
    yield f"  Same again?  {_again(one)}"
    if one.outcome is not None:
        yield f"  Outcome      {_outcome(one)}"


def _what(one: Explanation) -> str:
    said = "nothing was forecast"
    if one.forecast is not None:
        up = one.forecast.probability
        side = "" if up >= 0.5 else f", so {1 - up:.3f} that it does not"
        said = f"P({QUESTIONS[one.label]}) is {up:.3f}{side}{_interval(one)}"
    if one.signal is None:
        return f"{said}. No order follows from this forecast."
    shares = f" {counted(one.signal.quantity, 'share')}" if one.signal.quantity else ""
    return f"{one.signal.action}{shares}, because {', '.join(one.signal.reasons)}. {said}."


def _interval(one: Explanation) -> str:
    forecast = one.forecast
    if forecast is None or forecast.probability_low is None or forecast.probability_high is None:
        return ""
    return f"; by past outcomes between {forecast.probability_low:.3f} and {forecast.probability_high:.3f}"


def _why(reasoning: Reasoning) -> str:
    votes = _votes((voice.name, voice.probability) for voice in reasoning.members)
    return f"{votes}; {reasoning.combined.why}."


def _votes(probabilities: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {probability:.3f}" for name, probability in probabilities)


def _moved_by(reasoning: Reasoning) -> str:
    up = [share for share in reasoning.drivers if share.log_odds > 0][:IN_A_LINE]
    down = [share for share in reasoning.drivers if share.log_odds < 0][:IN_A_LINE]
    sides = [f"{word} {_listed(shares)}" for word, shares in (("up by", up), ("down by", down)) if shares]
    return f"From {reasoning.ordinary:.3f} on an ordinary day, in log-odds: {'; '.join(sides) or 'nothing'}."


def _listed(shares: Iterable[Share]) -> str:
    return ", ".join(f"{share.feature} {share.log_odds:+.3f}" for share in shares)


def _again(one: Explanation) -> str:
    reasoning = one.reasoning
    if reasoning is None:
        return f"Not worked out again: {one.unexplained}."
    agreement, speaker = reasoning.agreement, reasoning.speaker
    by = f"model {speaker.model_id}, trained on {speaker.trained_from} to {speaker.trained_to}"
    other = f" It was made by other code or libraries: {agreement.other_code}." if agreement.other_code else ""
    if agreement.is_equal:
        return f"Yes, every number and the decision, from {agreement.basis}, by {by}.{other}"
    return f"NO: {'; '.join(agreement.differences)}. From {agreement.basis}, by {by}.{other}"


def _outcome(one: Explanation) -> str:
    came_true = "came true" if one.outcome else "did not come true"
    if one.forecast is None:
        return f"It {came_true}."
    right = (one.forecast.probability >= 0.5) == bool(one.outcome)
    return f"It {came_true}: the forecast was {'right' if right else 'wrong'}."


def _record_table(console: Console, one: Explanation) -> Titled:
    sure = max(one.forecast.probability, 1 - one.forecast.probability) if one.forecast else 0.5
    low, high = band_of(sure)
    columns = ("whose", "forecasts", "sessions", "claimed", "right", "95 % interval", "commoner side")
    table = new_table(console, "", *columns)
    for whose, record in one.past.items():
        table.add_row(whose, *_record_cells(record))
    return f"Forecasts of {one.label} as sure ({low:.2f} to {high:.2f}), of outcomes known before the session", table


def _record_cells(record: PastRecord) -> list[str]:
    sessions = NONE if record.sessions is None else str(record.sessions)
    if not record.forecasts:
        return ["0", sessions, NONE, NONE, NONE, NONE]
    right = record.right
    interval = f"{right.low:.3f} to {right.high:.3f}"
    shares = (record.claimed, right.value, record.commoner_side)
    claimed, value, commoner = (f"{share:.3f}" for share in shares)
    return [str(record.forecasts), sessions, claimed, value, interval, commoner]


def _tables(console: Console, one: Explanation, features: int) -> Iterator[Titled]:
    if one.past:
        yield _record_table(console, one)
    if one.reasoning is None:
        return
    yield _member_table(console, one.reasoning)
    yield _feature_table(console, one.reasoning, features)
    networks = [voice for voice in one.reasoning.members if voice.steps]
    if networks:
        yield _step_table(console, networks)
    yield _voice_table(console, one.reasoning.combined)
    if one.reasoning.rules is not None:
        yield _check_table(console, one.reasoning.rules)
        yield _bound_table(console, one.reasoning.rules)


def _member_table(console: Console, reasoning: Reasoning) -> Titled:
    columns = ("member", "taken apart by", "P(up)", "log-odds", "weight", "ordinary day", "left over")
    table = new_table(console, "", *columns, left=2)
    for voice in reasoning.members:
        numbers = (voice.probability, voice.log_odds, voice.weight, voice.base, voice.unexplained)
        table.add_row(voice.name, voice.how, *(cell(number, 3) for number in numbers))
    return "Members: log-odds = ordinary day + all features + what is left over", table


def _feature_table(console: Console, reasoning: Reasoning, features: int) -> Titled:
    shown, voices = reasoning.drivers[:features], reasoning.members
    table = new_table(console, "", "feature", "value", "ensemble", *(voice.name for voice in voices))
    each = [{share.feature: share.log_odds for share in voice.features} for voice in voices]
    for share in shown:
        value = f"{share.value:.3f}" if abs(share.value) < float("inf") else "unknown"
        table.add_row(share.feature, value, f"{share.log_odds:+.3f}", *(f"{one[share.feature]:+.3f}" for one in each))
    return f"Features, the {len(shown)} of {len(reasoning.drivers)} that moved the ensemble most, in log-odds", table


def _step_table(console: Console, networks: Sequence[MemberVoice]) -> Titled:
    table = new_table(console, "", "network", *(_group(*group) for group in STEP_GROUPS))
    for voice in networks:
        newest_first = voice.steps[::-1]
        sums = (sum(newest_first[first - 1 : last]) for first, last in STEP_GROUPS)
        table.add_row(voice.name, *(f"{round(one, 3) + 0.0:+.3f}" for one in sums))
    return "Sessions back: what they had to do with a network's log-odds", table


def _group(first: int, last: int) -> str:
    if first == last:
        return "newest"
    return f"{first} to {last}" if last < STEP_GROUPS[-1][1] else f"{first} and more"


def _voice_table(console: Console, combined: Combined) -> Titled:
    table = new_table(console, "", *combined.others, left=0)
    table.add_row(*(f"{probability:.3f}" for probability in combined.others.values()))
    spoke = f"{combined.before_calibration:.3f} before calibration, {combined.after_calibration:.3f} after"
    return f"Who might have spoken, P(up): {combined.method} did, {spoke}", table


def _check_table(console: Console, rules: Rules) -> Titled:
    table = new_table(console, "", "rule", "found", "asked", "passed", left=4)
    for check in rules.checks:
        table.add_row(check.rule, check.found, check.asked, "yes" if check.passed else "NO")
    return "Rules between forecast and order", table


def _bound_table(console: Console, rules: Rules) -> Titled:
    table = new_table(console, "", "limit", "worth", "shares", "bound")
    least = min(bound.value for bound in rules.bounds)
    for bound in rules.bounds:
        shares = NONE if rules.price is None else f"{max(bound.value, 0) // rules.price:,.0f}"
        table.add_row(bound.limit, f"{bound.value:,.2f}", shares, "yes" if bound.value == least else "")
    price = "" if rules.price is None else f", in shares at the last close of {rules.price:,.2f}"
    return f"What an entry might be worth at most{price}", table


def _known_line(reasoning: Reasoning) -> str:
    """As in "Newest bars known. 2021-03-23: RELIANCE.NS, ^GSPC; 2021-03-22: ^FTSE. 2 of 198 features were unknown."."""
    days: dict[str, list[str]] = {}
    for series in sorted(reasoning.inputs.series, key=lambda one: str(one.newest), reverse=True):
        days.setdefault(str(series.newest) if series.newest else "none", []).append(series.symbol)
    newest = "; ".join(f"{day}: {', '.join(symbols)}" for day, symbols in days.items())
    unknown = reasoning.inputs.unknown_features
    missing = f" {len(unknown)} of {reasoning.inputs.features} features were unknown: {', '.join(unknown)}."
    return f"\nNewest bars known. {newest}.{missing if unknown else ''}"
