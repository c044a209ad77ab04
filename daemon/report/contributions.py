"""What the newest forecasts were made of: each feature's and each member's part."""

from collections.abc import Sequence

from daemon.explaining.explanation import Explanation, Reasoning, Share
from daemon.report.cells import percent, signed
from daemon.report.figures import DOWN, UP, axis, figure, layout, name, rounded
from daemon.report.material import Material
from daemon.report.parts import Chart, Figure, Line, Part, Section, Table
from daemon.report.words import QUESTIONS

FEATURES_SHOWN = 12
OTHERS = "all others"
ROOM = 1.05
"""Beyond the longest bar."""


def contributions(material: Material) -> Section:
    """The parts of each symbol's newest forecast, largest first."""
    parts = [part for place, one in enumerate(material.explained) for part in _parts(one, f"contributions-{place}")]
    if not parts:
        parts = [Line("No forecast was made yet; the first will be taken apart here.", "quiet")]
    if len(material.explained) < len(material.signals):
        parts.append(Line("`reliance-daemon explain newest SYMBOL` takes the others apart.", "quiet"))
    return Section(
        key="contributions",
        title="What the forecast is made of",
        meaning="Which inputs moved the newest forecast away from that of an ordinary day: to the right they speak for "
        "yes, to the left for no. It says how the forecast came about, and nothing of what moves the market.",
        short="Reasons",
        parts=tuple(parts),
        whose="live",
    )


def _parts(explained: Explanation, key: str) -> Sequence[Part]:
    reasoning, about = explained.reasoning, f"{explained.symbol}, {explained.session}"
    if reasoning is None or explained.forecast is None:
        return [Line(f"{about}: it can't be taken apart: {explained.unexplained or 'there was no forecast'}", "quiet")]
    said = f'{about}: "{QUESTIONS.get(explained.label, explained.label)}" {percent(explained.forecast.probability)}; '
    ordinary = f"on an ordinary day its members say {percent(reasoning.ordinary)}."
    found: list[Part] = [Line(said + ordinary), _chart(explained, reasoning, key), _members(explained, reasoning)]
    if not reasoning.agreement.is_equal:
        found.append(Line("Worked out again it is not what is stored; `explain` says where they differ.", "bad"))
    return found


def _chart(explained: Explanation, reasoning: Reasoning, key: str) -> Chart:
    drivers = _largest(reasoning.drivers)
    told = "; ".join(f"{feature} {signed(log_odds, 3)}" for feature, _, log_odds in drivers)
    rows = tuple((feature, value, signed(log_odds, 4)) for feature, value, log_odds in drivers)
    return Chart(
        key,
        f"What moved the forecast for {explained.symbol}, in log-odds, the largest first: {told}.",
        _figure(drivers),
        Table(f"The largest of {len(reasoning.drivers)} features", ("feature", "value", "log-odds"), rows),
        height_px=90 + 26 * len(drivers),
    )


def _largest(drivers: Sequence[Share]) -> list[tuple[str, str, float]]:
    """Feature, value and log-odds of the largest, and what the others add up to."""
    shown = [(one.feature, f"{one.value:.4g}", one.log_odds) for one in drivers[:FEATURES_SHOWN]]
    rest = drivers[FEATURES_SHOWN:]
    return [*shown, (OTHERS, "", sum(one.log_odds for one in rest))] if rest else shown


def _figure(drivers: Sequence[tuple[str, str, float]]) -> Figure:
    features = [name(feature) for feature, _, _ in drivers]
    furthest = ROOM * max(abs(log_odds) for _, _, log_odds in drivers)
    traces = []
    for side, color, sign in (("for yes", UP, 1), ("for no", DOWN, -1)):
        own = [place for place, (_, _, log_odds) in enumerate(drivers) if sign * log_odds > 0]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": side,
                "x": rounded((drivers[place][2] for place in own), 4),
                "y": [features[place] for place in own],
                "marker": {"color": color},
                "hovertemplate": "%{y}: %{x:+.4f} log-odds<extra></extra>",
            }
        )
    shape = layout(
        xaxis=axis("log-odds", range=[-furthest, furthest]),
        yaxis=axis(type="category", categoryorder="array", categoryarray=features[::-1], showgrid=False),
        barmode="overlay",
    )
    return figure(traces, shape)


def _members(explained: Explanation, reasoning: Reasoning) -> Table:
    rows = tuple(
        (one.name, percent(one.probability), "-" if one.weight is None else f"{one.weight:.2f}", one.how)
        for one in reasoning.members
    )
    caption = f"What each member said of {explained.symbol}, and how much it counts ({reasoning.combined.method})"
    return Table(caption, ("member", "says", "weight", "its parts are"), rows)
