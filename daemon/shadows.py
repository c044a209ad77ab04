"""What is kept beside a decision once it is made: what another version says, and how far the features have moved."""

import pandas as pd
from loguru import logger

from daemon.desk import Desk
from daemon.drift import drift_row, shape_in
from storage.engine import StoreError, transaction
from storage.model_store import ModelStoreError
from storage.promotion_store import write_shadows
from storage.watch_store import write_drift


def keep_beside(desk: Desk, session: pd.Timestamp) -> None:
    """After the decision, which waits for none of it: a failure is a line in the log, and the session goes without."""
    if desk.is_fed(session):
        _keep_shadows(desk, session)
        _keep_drift(desk, session)


def _keep_shadows(desk: Desk, session: pd.Timestamp) -> None:
    try:
        said = desk.shadows(session)
        if said:
            with transaction(desk.services.engine) as conn:
                write_shadows(conn, said, made_at=desk.services.clock.now())
    except (ModelStoreError, StoreError, ValueError) as error:
        logger.warning("{:%Y-%m-%d}: no shadow forecasts are kept: {}", session, error)


def _keep_drift(desk: Desk, session: pd.Timestamp) -> None:
    services, model_id = desk.services, desk.serving.speaker(session).model_id
    try:
        shape = shape_in(services.models, model_id)
        if shape is not None:
            row = drift_row(desk.panel, session, shape, model_id=model_id, now=services.clock.now())
            with transaction(services.engine) as conn:
                write_drift(conn, row)
    except (ModelStoreError, StoreError, ValueError) as error:
        logger.warning("{:%Y-%m-%d}: it is not known whether features drift: {}", session, error)
