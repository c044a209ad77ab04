"""Whether to believe it: the reliability diagram, what confidence is worth, whether the members agree."""

from collections.abc import Sequence

from daemon.report.cells import percent, percent_interval
from daemon.report.figures import DOWN, MUTED, SERIES, Trace, axis, figure, layout, rounded
from daemon.report.material import Material
from daemon.report.parts import Chart, Line, Part, Section, Table
from daemon.report.record import Record, nothing_known, of_symbols
from daemon.report.words import QUESTIONS
from ensemble.evaluation.agreement import agreement
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.reliability import reliability
from ensemble.evaluation.risk_coverage import kept_risks
from ensemble.evaluation.scored import Scored

MARGIN = 0.03
"""Beyond the forecasts on either side of the reliability diagram."""


def evidence(material: Material, record: Record) -> tuple[Section, ...]:
    """The sections about one origin's forecasts of the traded label: all stocks, or the one that was asked for."""
    label = material.settings.signals.label
    scored = record.labels.get(label) if material.shows_all else of_symbols(record, label, material.symbols)
    nothing = Line(nothing_known(record), "quiet")
    question, whose = QUESTIONS[label], record.origin
    return (
        Section(
            key=f"reliability-{whose}",
            title="Does 60 % mean 60 %?",
            meaning=f'Forecasts of "{question}" in groups of about one size: where the points lie on the diagonal, '
            "what was said came true as often as it was said.",
            short="Reliability",
            parts=(nothing if scored is None else _reliability(whose, scored),),
            whose=whose,
        ),
        Section(
            key=f"coverage-{whose}",
            title="Is it right more often when it is surer?",
            meaning=f'How often it was wrong about "{question}" when only its surest forecasts count: a curve that '
            "falls to the left says that confidence is worth something.",
            short="Confidence",
            parts=(nothing if scored is None else _coverage(whose, scored),),
            whose=whose,
        ),
        Section(
            key=f"agreement-{whose}",
            title="Do its members agree?",
            meaning=f'The forecast of "{question}" is made of several forecasters; how often it was right by how many '
            "of them dissented.",
            short="Agreement",
            parts=(nothing if scored is None else _agreement(record, scored),),
            whose=whose,
        ),
    )


def _reliability(whose: str, scored: Scored) -> Chart:
    bins = reliability(scored)
    text = [f"said {percent(one.said)}, came true {_estimated(one.came_true, one.forecasts)}" for one in bins]
    ends = (max(bins[0].said - MARGIN, 0.0), min(bins[-1].said + MARGIN, 1.0))
    traces = [
        _line(ends, ends, "as said", "dash"),
        _line(ends, [_ups(scored)] * 2, "a constant", "dot"),
        _points([one.said for one in bins], [one.came_true for one in bins], text, "came true"),
    ]
    rows = tuple(
        (percent(one.said), percent(one.came_true.value), percent_interval(one.came_true), f"{one.forecasts:,}")
        for one in bins
    )
    count = sum(one.forecasts for one in bins)
    return Chart(
        f"reliability-{whose}",
        f"Reliability diagram of {count:,} forecasts in {len(bins)} groups: {'; '.join(text)}.",
        figure(traces, layout(xaxis=axis("said, %"), yaxis=axis("came true, %"))),
        Table("Forecasts by what they said", ("said", "came true", "95 % interval", "forecasts"), rows, texts=0),
    )


def _coverage(whose: str, scored: Scored) -> Chart:
    kept, constant = kept_risks(scored), min(_ups(scored), 1 - _ups(scored))
    text = [
        f"surest {percent(one.coverage, 0)} (confidence from {percent(one.confidence)}): wrong "
        f"{_estimated(one.risk, one.forecasts)}"
        for one in kept
    ]
    traces = [
        _line((0, 1), [constant] * 2, "a constant", "dash"),
        _points([one.coverage for one in kept], [one.risk for one in kept], text, "wrong"),
    ]
    rows = tuple(
        (
            *(percent(one.coverage, 0), percent(one.confidence), percent(one.risk.value), percent_interval(one.risk)),
            f"{one.forecasts:,}",
        )
        for one in kept
    )
    columns = ("kept", "confidence from", "wrong", "95 % interval", "forecasts")
    return Chart(
        f"coverage-{whose}",
        f"Risk-coverage curve: {'; '.join(text)}. Always naming the commoner side is wrong {percent(constant)}.",
        figure(traces, layout(xaxis=axis("forecasts kept, surest first, %"), yaxis=axis("wrong, %"))),
        Table("Wrong forecasts among the surest", columns, rows, texts=0),
    )


def _agreement(record: Record, scored: Scored) -> Part:
    members = record.said_by_members(scored)
    if len(members) < 2:
        return Line("It has fewer than two members, so there is nothing to agree on.", "quiet")
    groups = agreement(scored, members)
    names = [f"{one.dissenters} of {len(members)}" for one in groups]
    text = [
        f"{name} dissented: right {_estimated(one.right, one.forecasts)}, the commoner side "
        f"{percent(one.commoner_side)}"
        for name, one in zip(names, groups, strict=True)
    ]
    right = _points(range(len(groups)), [one.right for one in groups], text, "right")
    marker = {"symbol": "line-ew-open", "size": 22, "color": DOWN, "line": {"width": 2.5, "color": DOWN}}
    constant = _line(range(len(groups)), [one.commoner_side for one in groups], "commoner side", "dash")
    apart = {"x": names, "mode": "markers"}
    traces = [{**constant, **apart, "marker": marker}, {**right, **apart}]
    rows = tuple(
        (name, percent(one.right.value), percent_interval(one.right), percent(one.commoner_side), f"{one.forecasts:,}")
        for name, one in zip(names, groups, strict=True)
    )
    columns = ("dissented", "right", "95 % interval", "commoner side", "forecasts")
    return Chart(
        f"agreement-{record.origin}",
        f"How often it was right by how many of its {len(members)} members dissented: {'; '.join(text)}.",
        figure(traces, layout(xaxis=axis("members that dissented", type="category"), yaxis=axis("right, %"))),
        Table("Right forecasts by dissent", columns, rows),
    )


def _ups(scored: Scored) -> float:
    """The share of the known outcomes that came true."""
    return float(scored.flat()[1].mean())


def _estimated(share: Estimate, forecasts: int) -> str:
    """As in "54.2 % (49.1 to 59.2 %; n 320)"."""
    return f"{percent(share.value)} ({percent_interval(share)}; n {forecasts:,})"


def _points(x: Sequence[float], shares: Sequence[Estimate], text: Sequence[str], name: str) -> Trace:
    """Shares in per cent with their intervals; `x` is a share too."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": rounded((100 * one for one in x), 2),
        "y": rounded((100 * one.value for one in shares), 2),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": rounded((100 * (one.high - one.value) for one in shares), 2),
            "arrayminus": rounded((100 * (one.value - one.low) for one in shares), 2),
            "color": SERIES[0],
            "thickness": 1.4,
        },
        "line": {"color": SERIES[0], "width": 1.6},
        "marker": {"size": 8},
        "text": list(text),
        "hovertemplate": "%{text}<extra></extra>",
    }


def _line(x: Sequence[float], shares: Sequence[float], name: str, dash: str) -> Trace:
    """What the points are to be compared with, in per cent."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": rounded((100 * one for one in x), 2),
        "y": rounded((100 * one for one in shares), 2),
        "line": {"color": DOWN if dash == "dot" else MUTED, "dash": dash, "width": 1.6},
        "hovertemplate": f"{name}: %{{y:.1f}} %<extra></extra>",
    }
