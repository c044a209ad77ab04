"""What is kept with a decision besides: what another version says, and how far the features have moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.models.drift import drift_row, shape_in
from daemon.sessions.desk import Desk
from ensemble.forecasts import Forecast
from storage.engine import StoreError
from storage.model_store import ModelStoreError
from storage.promotion_store import write_shadows
from storage.watch_store import DriftRow, write_drift


@dataclass(frozen=True, slots=True)
class Beside:
    """Of one session; nothing of what could not be worked out."""

    shadows: Sequence[Forecast] = ()
    drift: DriftRow | None = None

    def write(self, conn: Connection, *, made_at: datetime) -> None:
        """In the transaction of the decision: a kill leaves both or neither."""
        write_shadows(conn, self.shadows, made_at=made_at)
        if self.drift is not None:
            write_drift(conn, self.drift)


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
