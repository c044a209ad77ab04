"""How the features were distributed when a version was trained, kept with it, and how far they are from it now."""

from datetime import datetime

import pandas as pd

from ensemble.arrays import Singles
from ensemble.evaluation.feature_drift import FeatureShape, drift_of, shape_of
from ensemble.members.fitted import Files, pack_arrays, unpack_arrays
from ensemble.panel import Panel
from storage.model_store import ModelStore
from storage.watch_store import DriftRow

FILE = "shape.npz"


def shape_files(values: Singles) -> Files:
    """The shape of the training window, (n_symbols, n_rows, n_features), for the version's part."""
    shape = shape_of(values)
    return {FILE: pack_arrays({"edges": shape.edges, "shares": shape.shares, "usual": shape.usual})}


def shape_in(store: ModelStore, model_id: str) -> FeatureShape | None:
    """The version's; None where it was made before there was any. Raises ModelStoreError when it is damaged."""
    manifest = store.manifest(model_id)
    key = manifest.get("golden")
    if key is None:
        return None
    arrays = unpack_arrays(store.get_part(key, manifest["parts"][key])[FILE])
    return FeatureShape(arrays["edges"], arrays["shares"], arrays["usual"])


def drift_row(panel: Panel, session: pd.Timestamp, shape: FeatureShape, *, model_id: str, now: datetime) -> DriftRow:
    """Of the sessions up to `session`, as known when it was decided."""
    stop = int(panel.sessions.searchsorted(session)) + 1
    found = drift_of(panel.values[:, :stop], shape)
    names = tuple(panel.features[place] for place in found.furthest)
    return DriftRow(session.date(), model_id, found.index, found.most_usual, names, now)
