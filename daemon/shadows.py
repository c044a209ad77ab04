"""What a version that does not serve says, kept beside what was decided; and whether the one of a month is there."""

import pandas as pd
from loguru import logger

from daemon.desk import Desk
from daemon.services import Services
from daemon.standing import is_refused
from storage.engine import StoreError, reading, transaction
from storage.model_index import find_model
from storage.model_store import ModelStoreError
from storage.promotion_store import read_model_events, write_shadows
from storage.tables import LIVE


def keep_shadows(desk: Desk, session: pd.Timestamp) -> None:
    """After the decision, which waits for none of it: a failure is a line in the log, and the session goes without."""
    try:
        said = desk.shadows(session)
        with transaction(desk.services.engine) as conn:
            write_shadows(conn, said, made_at=desk.services.clock.now())
    except (ModelStoreError, StoreError, ValueError) as error:
        logger.warning("{:%Y-%m-%d}: no shadow forecasts are kept: {}", session, error)


def is_published(services: Services, month: str) -> bool:
    """The version of `month` by this configuration is there, and not known to be damaged."""
    recipe = services.recipe().digest()
    with reading(services.engine) as conn:
        entry = find_model(conn, month=month, recipe=recipe)
        return entry is not None and not is_refused(read_model_events(conn, LIVE), entry.model_id)
