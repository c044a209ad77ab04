"""What is kept with a decision besides: what another version says, how far features and forecasts have moved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.models.drift import drift_row, forecast_shape_in, shape_in
from daemon.sessions.decisions import Decision
from daemon.sessions.desk import Desk
from ensemble.evaluation.forecast_drift import WINDOW_SESSIONS
from ensemble.forecasts import Forecast
from storage.engine import StoreError, reading
from storage.forecast_store import read_recent
from storage.model_store import ModelStoreError
from storage.promotion_store import write_shadows
from storage.tables import LIVE
from storage.watch_store import DriftRow, ForecastDriftRow, write_drift, write_forecast_drift


@dataclass(frozen=True, slots=True)
class Beside:
    """Of one session; nothing of what could not be worked out."""

    shadows: Sequence[Forecast] = ()
    drift: DriftRow | None = None
    forecast_drift: ForecastDriftRow | None = None

    def write(self, conn: Connection, *, made_at: datetime) -> None:
        """In the transaction of the decision: a kill leaves both or neither."""
        write_shadows(conn, self.shadows, made_at=made_at)
        if self.drift is not None:
            write_drift(conn, self.drift)
        if self.forecast_drift is not None:
            write_forecast_drift(conn, self.forecast_drift)

    def knowing(self, desk: Desk, decision: Decision) -> "Beside":
        """With how far the forecasts are, those of `decision` included, from what their speaker used to say."""
        return replace(self, forecast_drift=_forecast_drift(desk, decision))


def look_beside(desk: Desk, session: pd.Timestamp) -> Beside:
    """Once the session is prepared. A failure is a line in the log, and the decision goes without."""
    return Beside(_shadows(desk, session), _drift(desk, session)) if desk.is_fed(session) else Beside()


def _shadows(desk: Desk, session: pd.Timestamp) -> Sequence[Forecast]:
    try:
        return desk.shadows(session)
    except (ModelStoreError, StoreError, ValueError) as error:
        logger.warning("{:%Y-%m-%d}: no shadow forecasts are kept: {}", session, error)
        return ()


def _drift(desk: Desk, session: pd.Timestamp) -> DriftRow | None:
    services, model_id = desk.services, desk.serving.speaker(session).model_id
    try:
        shape = shape_in(services.models, model_id)
        now = services.clock.now()
        return None if shape is None else drift_row(desk.panel, session, shape, model_id=model_id, now=now)
    except (ModelStoreError, StoreError, ValueError) as error:
        logger.warning("{:%Y-%m-%d}: it is not known whether features drift: {}", session, error)
        return None


def _forecast_drift(desk: Desk, decision: Decision) -> ForecastDriftRow | None:
    """None while too few sessions have been forecast, whichever version spoke."""
    services, settings = desk.services, desk.services.settings
    label, said = settings.signals.label, decision.said
    if not said.count:
        return None
    try:
        with reading(services.engine) as conn:
            before = read_recent(conn, LIVE, label, before=decision.session, sessions=WINDOW_SESSIONS - 1)
        shape = forecast_shape_in(services.models, said.block.model_id, label)
        if shape is None or len(before) < WINDOW_SESSIONS - 1:
            return None
        distance = shape.distance(np.concatenate([*before, [*said.probabilities(label).values()]]))
        limit = shape.limit(settings.drift.false_alarm_sessions)
        now = services.clock.now()
        return ForecastDriftRow(decision.session, label, said.block.model_id, distance, limit, now)
    except (ModelStoreError, StoreError, ValueError) as error:
        logger.warning("{}: it is not known whether forecasts drift: {}", decision.session, error)
        return None
