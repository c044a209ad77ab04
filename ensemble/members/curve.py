"""How a network's training went, epoch by epoch; kept with it as history.csv."""

import csv
import io
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the window: mean log loss while learning, and on the rows kept apart, if there were any."""

    learning_rate: float
    loss: float
    validation_loss: float | None = None


Curve = tuple[Epoch, ...]
COLUMNS = ("epoch", "learning_rate", "loss", "validation_loss")


def pack_curve(curve: Curve) -> bytes:
    """The curve as CSV with COLUMNS; epochs count from 1, an unknown loss is empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for number, epoch in enumerate(curve, start=1):
        table.writerow([number, epoch.learning_rate, epoch.loss, epoch.validation_loss])
    return text.getvalue().encode()


def unpack_curve(content: bytes) -> Curve:
    """The curve that `pack_curve` wrote."""
    rows = csv.DictReader(io.StringIO(content.decode()))
    return tuple(
        Epoch(
            float(row["learning_rate"]),
            float(row["loss"]),
            float(row["validation_loss"]) if row["validation_loss"] else None,
        )
        for row in rows
    )
