"""How the model that serves has learnt."""

from collections.abc import Mapping

from daemon.report.figures import DASHES, SERIES, axis, figure, layout, name, rounded
from daemon.report.material import Material
from daemon.report.parts import Chart, Line, Part, Section, Table
from ensemble.counted import counted
from ensemble.members.curve import Curve


def training(material: Material) -> Section:
    """The training curves of its networks."""
    curves = material.trained.curves
    return Section(
        key="training",
        title="How its networks learnt",
        meaning="The error on what a network is learning from, epoch after epoch: it should fall and level out. It "
        "says nothing about days that the network has not seen.",
        short="Training",
        parts=(_chart(curves),) if curves else (_nothing(material),),
    )


def _nothing(material: Material) -> Part:
    if material.trained.entry is None:
        return Line("No model was trained yet; `reliance-daemon run-once` trains the first.", "quiet")
    return Line("The model that serves has no networks, or their parts were pruned, so there are no curves.", "quiet")


def _chart(curves: Mapping[str, Curve]) -> Chart:
    traces = []
    for place, (network, curve) in enumerate(curves.items()):
        line = {"color": SERIES[place % len(SERIES)], "dash": DASHES[place % len(DASHES)], "width": 1.8}
        same = {"type": "scatter", "mode": "lines+markers", "name": name(network), "line": line, "marker": {"size": 5}}
        hover = "epoch %{x}: %{y:.4f} nats<extra>%{fullData.name}</extra>"
        points = {"x": list(range(1, len(curve) + 1)), "y": rounded((one.loss for one in curve), 5)}
        traces.append(same | points | {"hovertemplate": hover})
    rows = tuple(
        (network, f"{len(curve)}", f"{curve[0].loss:.4f}", f"{curve[-1].loss:.4f}")
        for network, curve in curves.items()
        if curve
    )
    says = "; ".join(f"{network} from {first} to {last} in {epochs} epochs" for network, epochs, first, last in rows)
    return Chart(
        "training",
        f"Training loss of {counted(len(rows), 'network')}, in nats: {says}.",
        figure(traces, layout(xaxis=axis("epoch"), yaxis=axis("log loss, nats"))),
        Table("Training loss, nats", ("network", "epochs", "first", "last"), rows),
    )
