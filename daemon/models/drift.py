"""How features and forecasts were distributed when a version was made, kept with it, and how far they are from that."""

from datetime import datetime

import pandas as pd

from ensemble.arrays import Floats, Singles
from ensemble.evaluation import forecast_drift
from ensemble.evaluation.feature_drift import FeatureShape, drift_of, shape_of
from ensemble.evaluation.forecast_drift import ForecastShape
from ensemble.labels import LABELS
from ensemble.members.fitted import Files, pack_arrays, unpack_arrays
from ensemble.panel import Panel
from ensemble.stacking.combiner import Combiner
from storage.model_store import ModelStore
from storage.watch_store import DriftRow

FILE, FORECASTS_FILE = "shape.npz", "forecasts.npz"


def shape_files(values: Singles) -> Files:
    """The shape of the training window, (n_symbols, n_rows, n_features), for the version's part."""
    shape = shape_of(values)
    return {FILE: pack_arrays({"edges": shape.edges, "shares": shape.shares, "usual": shape.usual})}


def forecast_shape_files(combiner: Combiner, log_odds: Floats, *, seed: int) -> Files:
    """The shape of each label's forecasts, where there were enough; of what it says of the sessions it learnt from.

    `log_odds`, (n_symbols, n_sessions, n_labels), NaN where no forecast would have been made.
    """
    arrays: dict[str, Floats] = {}
    for column, label in enumerate(LABELS):
        shape = forecast_drift.shape_of(combiner.evidence(label), log_odds[..., column], seed=seed + column)
        if shape is not None:
            of_label = {"edges": shape.edges, "shares": shape.shares, "usual": shape.usual.astype("float32")}
            arrays |= {f"{label} {name}": values for name, values in of_label.items()}
    return {FORECASTS_FILE: pack_arrays(arrays)} if arrays else {}


def shape_in(store: ModelStore, model_id: str) -> FeatureShape | None:
    """The version's; None where it was made before there was any. Raises ModelStoreError when it is damaged."""
    arrays = _kept(store, model_id, FILE)
    return FeatureShape(arrays["edges"], arrays["shares"], arrays["usual"]) if arrays else None


def forecast_shape_in(store: ModelStore, model_id: str, label: str) -> ForecastShape | None:
    """The same of a label's forecasts; None also where its history was too short."""
    arrays = _kept(store, model_id, FORECASTS_FILE)
    if f"{label} edges" not in arrays:
        return None
    return ForecastShape(*(arrays[f"{label} {name}"] for name in ("edges", "shares", "usual")))


def _kept(store: ModelStore, model_id: str, name: str) -> dict[str, Floats]:
    """Arrays of the file beside the version's golden input; empty where it has none."""
    manifest = store.manifest(model_id)
    key = manifest.get("golden")
    files = {} if key is None else store.get_part(key, manifest["parts"][key])
    return unpack_arrays(files[name]) if name in files else {}


def drift_row(panel: Panel, session: pd.Timestamp, shape: FeatureShape, *, model_id: str, now: datetime) -> DriftRow:
    """Of the sessions up to `session`, as known when it was decided."""
    stop = int(panel.sessions.searchsorted(session)) + 1
    found = drift_of(panel.values[:, :stop], shape)
    names = tuple(panel.features[place] for place in found.furthest)
    return DriftRow(session.date(), model_id, found.index, found.most_usual, names, now)
