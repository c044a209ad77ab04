"""What was promised and what came of it, beside what a constant would have got."""

from collections.abc import Iterator, Sequence

from daemon.report.cells import percent, percent_interval, signed
from daemon.report.material import Material
from daemon.report.parts import Line, Part, Section, Table
from daemon.report.record import Record, nothing_known, of_symbols
from daemon.report.words import QUESTIONS
from ensemble.evaluation.promise import Promise, promise
from ensemble.evaluation.scored import Scored

COLUMNS = (
    *("question", "stocks", "forecasts", "right", "95 % interval", "promised", "commoner side", "so far"),
    *("gain, nats", "95 % interval of the gain", "sessions"),
)
CAPTION = (
    "Promised: its mean confidence. Commoner side: what always naming it would have had right, known only afterwards. "
    "Gain: log loss saved a forecast against always saying the share that came true. So far: whether that is better "
    "than such a constant"
)


def accuracy(material: Material, record: Record) -> Section:
    """Every question that has known outcomes, the one that is traded first."""
    traded = material.settings.signals.label
    rows = tuple(
        _row(whose, promised)
        for label in sorted(record.labels, key=lambda one: one != traded)
        for whose, symbols in _groups(material, record.labels[label])
        if (scored := of_symbols(record, label, symbols)) is not None and (promised := promise(scored)) is not None
    )
    parts: list[Part] = [Table(CAPTION, COLUMNS, rows, texts=2) if rows else Line(nothing_known(record), "quiet")]
    if record.held_back:
        parts.append(Line(f"{record.held_back:,} sessions from evaluation.holdout_from on are not shown.", "quiet"))
    return Section(
        key=f"accuracy-{record.origin}",
        title="Did it keep what it promised?",
        meaning="How often it said it would be right, how often it was, and how often a constant would have been; "
        "where the interval of the gain holds 0, it is not shown to know anything.",
        short="Accuracy",
        parts=tuple(parts),
        whose=record.origin,
    )


def _groups(material: Material, scored: Scored) -> Iterator[tuple[str, Sequence[str]]]:
    """The traded stocks together, and with those that are only forecast."""
    traded = [symbol for symbol in material.symbols if symbol in scored.symbols]
    if traded:
        yield ", ".join(traded) if len(traded) <= 2 else f"{len(traded)} traded", traded
    if material.shows_all and len(scored.symbols) > len(traded):
        yield f"all {len(scored.symbols)}", scored.symbols


def _row(whose: str, one: Promise) -> tuple[str, ...]:
    return (
        QUESTIONS.get(one.label, one.label),
        whose,
        f"{one.forecasts:,}",
        percent(one.right.value),
        percent_interval(one.right),
        percent(one.promised),
        percent(one.commoner_side),
        "better" if one.gain.low > 0 else "worse" if one.gain.high < 0 else "can't tell",
        signed(one.gain.value, 4),
        f"{signed(one.gain.low, 4)} to {signed(one.gain.high, 4)}",
        f"{one.sessions:,}",
    )
