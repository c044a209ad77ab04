"""What of a model folder no mirror may lose, whatever became of it here."""

from datetime import date

from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.models.standing import standing_at
from daemon.services import recipe_of
from storage.model_folder import manifest_keys
from storage.model_index import read_models, spoken_models
from storage.promotion_store import read_model_events
from storage.tables import LIVE


def needed_places(conn: Connection, settings: Settings) -> set[str]:
    """As in "parts/KEY": of versions that a stored forecast names, that serve, can be gone back to, or are tried."""
    standing = standing_at(read_model_events(conn, LIVE), date.max, recipe=recipe_of(settings).digest())
    serving = {*standing.served, *standing.on_trial}
    entries = [*spoken_models(conn), *(one for one in read_models(conn) if one.model_id in serving)]
    parts = {f"parts/{key}" for one in entries for key in manifest_keys(one.manifest)}
    return parts | {f"versions/{one.model_id}.json" for one in entries}
