"""Whether to believe it: what was promised and what came of it, reliability, what confidence is worth, agreement."""

from collections.abc import Iterator, Sequence

from daemon.report.cells import percent, percent_interval, signed
from daemon.report.figures import DOWN, INK, MUTED, SERIES, Trace, axis, figure, layout, rounded
from daemon.report.material import Material
from daemon.report.parts import Chart, Line, Part, Section, Table
from daemon.report.record import Record, of_symbols
from daemon.report.words import QUESTIONS
from ensemble.evaluation.agreement import AgreementGroup, agreement
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.promise import Promise, promise
from ensemble.evaluation.reliability import ReliabilityBin, reliability
from ensemble.evaluation.risk_coverage import KeptRisk, kept_risks
from ensemble.evaluation.scored import Scored

NOT_YET = "No outcome is known yet; each settled session adds some."
NO_BACKTEST = "No backtest is stored for these sessions; `reliance-daemon backtest --from DATE --to DATE` makes one."


def evidence(material: Material, record: Record) -> tuple[Section, ...]:
    """The sections about one origin's forecasts."""
    label = material.settings.signals.label
    scored = record.labels.get(label)
    if scored is not None and len(material.symbols) < len(material.settings.market.symbols):
        scored = of_symbols(record, label, material.symbols)
    about = f'"{QUESTIONS[label]}"'
    nothing: tuple[Part, ...] = (Line(NOT_YET if record.origin == "live" else NO_BACKTEST, "quiet"),)
    return (
        _accuracy(material, record, nothing),
        Section(
            f"reliability-{record.origin}",
            "Does 60 % mean 60 %?",
            f"Forecasts of {about} in groups of about one size: where the points lie on the diagonal, what was said "
            "came true as often as it was said.",
            nothing if scored is None else tuple(_reliability(record, scored)),
            record.origin,
        ),
        Section(
            f"coverage-{record.origin}",
            "Is it right more often when it is surer?",
            f"How often it was wrong about {about} when only its surest forecasts count: a curve that falls to the "
            "left says that confidence is worth something.",
            nothing if scored is None else tuple(_coverage(record, scored)),
            record.origin,
        ),
        Section(
            f"agreement-{record.origin}",
            "Do its members agree?",
            f"The forecast of {about} is made of several forecasters; how often it was right by how many of them "
            "dissented.",
            nothing if scored is None else tuple(_agreement(record, scored)),
            record.origin,
        ),
    )


def _accuracy(material: Material, record: Record, nothing: tuple[Part, ...]) -> Section:
    rows = [
        _promise_row(whose, promised)
        for label in record.labels
        for whose, symbols in _groups(material, record.labels[label])
        if (scored := of_symbols(record, label, symbols)) is not None and (promised := promise(scored)) is not None
    ]
    columns = (
        *("question", "stocks", "forecasts", "sessions", "promised", "right", "95 % interval", "commoner side"),
        *("gain, nats", "95 % interval of the gain"),
    )
    caption = (
        "Promised: its mean confidence. Commoner side: what always naming it would have had right, known only "
        "afterwards. Gain: log loss saved a forecast against always saying the share that came true"
    )
    held_back = f"{record.held_back:,} sessions are held out (evaluation.holdout_from) and not shown."
    return Section(
        key=f"accuracy-{record.origin}",
        title="Did it keep what it promised?",
        meaning="How often it said it would be right, how often it was, and how often a constant would have been; "
        "where the interval of the gain holds 0, it is not shown to know anything.",
        parts=(
            *((Table(caption, columns, tuple(rows), texts=2),) if rows else nothing),
            *((Line(held_back, "quiet"),) if record.held_back else ()),
        ),
        whose=record.origin,
    )


def _groups(material: Material, scored: Scored) -> Iterator[tuple[str, Sequence[str]]]:
    """The traded stocks together, and with those that are only forecast."""
    traded = [symbol for symbol in material.symbols if symbol in scored.symbols]
    if traded:
        yield (", ".join(traded) if len(traded) <= 2 else f"{len(traded)} traded", traded)
    if len(scored.symbols) > len(traded) and len(material.symbols) == len(material.settings.market.symbols):
        yield f"all {len(scored.symbols)}", scored.symbols


def _promise_row(whose: str, one: Promise) -> tuple[str, ...]:
    return (
        QUESTIONS.get(one.label, one.label),
        whose,
        f"{one.forecasts:,}",
        f"{one.sessions:,}",
        percent(one.promised),
        percent(one.right.value),
        percent_interval(one.right),
        percent(one.commoner_side),
        signed(one.gain.value, 4),
        f"{signed(one.gain.low, 4)} to {signed(one.gain.high, 4)}",
    )


def _points(x: Sequence[float], shares: Sequence[Estimate], text: Sequence[str], name: str) -> Trace:
    """Shares in per cent with their intervals as bars."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": rounded([100 * one for one in x], 2),
        "y": rounded([100 * one.value for one in shares], 2),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": rounded([100 * (one.high - one.value) for one in shares], 2),
            "arrayminus": rounded([100 * (one.value - one.low) for one in shares], 2),
            "color": SERIES[0],
            "thickness": 1.4,
        },
        "line": {"color": SERIES[0], "width": 1.6},
        "marker": {"size": 8},
        "text": list(text),
        "hovertemplate": "%{text}<extra></extra>",
    }


def _level(y: float, ends: tuple[float, float], name: str) -> Trace:
    line = {"color": MUTED, "dash": "dash", "width": 1.6}
    hover = f"{name}: {100 * y:.1f} %<extra></extra>"
    flat = {"x": [100 * one for one in ends], "y": rounded([100 * y] * 2, 2)}
    return {"type": "scatter", "mode": "lines", "name": name, "line": line, "hovertemplate": hover} | flat


def _reliability(record: Record, scored: Scored) -> Iterator[Part]:
    bins = reliability(scored)
    text = [
        f"said {percent(one.said)}, came true {percent(one.came_true.value)} "
        f"({percent_interval(one.came_true)}; n {one.forecasts:,})"
        for one in bins
    ]
    ends = _ends(bins)
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "name": "as often as it says",
        "x": list(ends),
        "y": list(ends),
        "line": {"color": MUTED, "dash": "dash", "width": 1.6},
        "hoverinfo": "skip",
    }
    ups = float(scored.flat()[1].mean())
    base = _level(ups, (ends[0] / 100, ends[1] / 100), "a constant")
    traces = [diagonal, base | {"line": {"color": DOWN, "dash": "dot", "width": 1.6}}, _points([one.said for one in bins], [one.came_true for one in bins], text, "came true")]
    shape = layout(
        xaxis=axis("said, %", range=list(ends)), yaxis=axis("came true, %", rangemode="normal"), hovermode="closest"
    )
    rows = tuple(
        (percent(one.said), percent(one.came_true.value), percent_interval(one.came_true), f"{one.forecasts:,}")
        for one in bins
    )
    yield Chart(
        f"reliability-{record.origin}",
        f"Reliability diagram of {sum(one.forecasts for one in bins):,} forecasts in {len(bins)} groups: {'; '.join(text)}.",
        figure(traces, shape),
        Table("Forecasts by what they said", ("said", "came true", "95 % interval", "forecasts"), rows, texts=0),
    )


def _ends(bins: Sequence[ReliabilityBin]) -> tuple[float, float]:
    said = [100 * one.said for one in bins]
    return max(min(said) - 3, 0), min(max(said) + 3, 100)


def _coverage(record: Record, scored: Scored) -> Iterator[Part]:
    kept = kept_risks(scored)
    text = [
        f"surest {percent(one.coverage, 0)} (confidence from {percent(one.confidence)}): wrong "
        f"{percent(one.risk.value)} ({percent_interval(one.risk)}; n {one.forecasts:,})"
        for one in kept
    ]
    ups = float(scored.flat()[1].mean())
    traces = [
        _level(min(ups, 1 - ups), (0, 1), "a constant"),
        _points([one.coverage for one in kept], [one.risk for one in kept], text, "wrong"),
    ]
    shape = layout(xaxis=axis("forecasts kept, surest first, %", range=[0, 103]), yaxis=axis("wrong, %"))
    yield Chart(
        f"coverage-{record.origin}",
        f"Risk-coverage curve: {'; '.join(text)}. Always naming the commoner side is wrong {percent(min(ups, 1 - ups))}.",
        figure(traces, shape),
        Table(
            "Wrong forecasts among the surest",
            ("kept", "confidence from", "wrong", "95 % interval", "forecasts"),
            tuple(_kept_row(one) for one in kept),
            texts=0,
        ),
    )


def _kept_row(one: KeptRisk) -> tuple[str, ...]:
    return (
        *(percent(one.coverage, 0), percent(one.confidence), percent(one.risk.value), percent_interval(one.risk)),
        f"{one.forecasts:,}",
    )


def _agreement(record: Record, scored: Scored) -> Iterator[Part]:
    members = record.said_by_members(scored)
    if len(members) < 2:
        yield Line("There are fewer than two members, so there is nothing to agree on.", "quiet")
        return
    groups = agreement(scored, members)
    names = [_dissent(one, len(members)) for one in groups]
    text = [
        f"{name}: right {percent(one.right.value)} ({percent_interval(one.right)}; n {one.forecasts:,}), the "
        f"commoner side {percent(one.commoner_side)}"
        for name, one in zip(names, groups, strict=True)
    ]
    points = dict(_points(range(len(groups)), [one.right for one in groups], text, "right"))
    points |= {"x": names, "mode": "markers"}
    base = {
        "type": "scatter",
        "mode": "markers",
        "name": "the commoner side",
        "x": names,
        "y": rounded([100 * one.commoner_side for one in groups], 2),
        "marker": {"symbol": "line-ew-open", "size": 22, "color": DOWN, "line": {"width": 2, "color": DOWN}},
        "hovertemplate": "the commoner side: %{y:.1f} %<extra></extra>",
    }
    shape = layout(xaxis=axis("members that dissented", type="category"), yaxis=axis("right, %"), font={"color": INK, "size": 13})
    columns = ("dissented", "right", "95 % interval", "commoner side", "forecasts")
    rows = tuple(
        (name, percent(one.right.value), percent_interval(one.right), percent(one.commoner_side), f"{one.forecasts:,}")
        for name, one in zip(names, groups, strict=True)
    )
    yield Chart(
        f"agreement-{record.origin}",
        f"How often it was right by how many of its {len(members)} members dissented: {'; '.join(text)}.",
        figure([base, points], shape),
        Table("Right forecasts by dissent", columns, rows),
    )


def _dissent(one: AgreementGroup, members: int) -> str:
    return f"{one.dissenters} of {members}"
