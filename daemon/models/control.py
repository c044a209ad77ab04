"""What people say about versions: who serves from the next session on. Each is one event, and the daemon may run.

It takes one short transaction and no lock, as `halt` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.models.standing import Standing, standing_at
from daemon.services import recipe_of
from daemon.sessions.desk import home_calendar
from storage.model_folder import manifest_keys
from storage.model_index import ModelEntry, read_model, read_models
from storage.model_store import ModelStore, ModelStoreError
from storage.promotion_store import ModelEvent, ModelEventKind, add_model_events, read_model_events
from storage.run_store import newest_done
from storage.tables import LIVE

LISTS = ("features", "symbols", "labels")
FOLLOWING = ("parts", "seeds", "code_version")
"""What differs because something else does that is told beside it."""
NOTHING = "-"


class NoSuchModel(DaemonError):
    """No version has that name, or several begin with it."""


@dataclass(frozen=True, slots=True)
class Control:
    """Says something at an instant, in somebody's name, of what lies in the store."""

    settings: Settings
    store: ModelStore
    now: datetime
    actor: str
    note: str = ""

    def promote(self, conn: Connection, name: str) -> ModelEvent:
        """The version serves. Raises DaemonError when it can't."""
        return self._serves(conn, ModelEventKind.PROMOTED, self._fit(conn, name))

    def roll_back(self, conn: Connection, name: str | None) -> ModelEvent:
        """The version serves again that served before, or the one named. Raises DaemonError when there is none."""
        if name is None:
            name = self.standing(conn).predecessor
        if name is None:
            raise DaemonError(
                "no version served before this one; `models list` shows all, `models promote ID` takes one."
            )
        return self._serves(conn, ModelEventKind.ROLLED_BACK, self._fit(conn, name))

    def pin(self, conn: Connection, name: str | None) -> ModelEvent:
        """The version, or the one that serves, stays until it is unpinned. Raises DaemonError when it can't."""
        name = name or self.standing(conn).champion
        if name is None:
            raise DaemonError("no version serves yet; name one: `models pin ID`.")
        return self._serves(conn, ModelEventKind.PINNED, self._fit(conn, name))

    def unpin(self, conn: Connection) -> ModelEvent:
        """The policy decides again. Raises DaemonError when nothing is pinned."""
        standing = self.standing(conn)
        if not standing.pinned or standing.champion is None:
            raise DaemonError("no version is pinned; `models list` shows who serves.")
        return self._serves(conn, ModelEventKind.UNPINNED, standing.champion)

    def standing(self, conn: Connection) -> Standing:
        """Who serves the session that this would count for."""
        events = read_model_events(conn, LIVE)
        return standing_at(events, self.session(conn), recipe=recipe_of(self.settings).digest())

    def session(self, conn: Connection) -> date:
        """The first that neither has opened nor is decided."""
        calendar = home_calendar(self.settings, self.now)
        ahead = calendar.sessions[calendar.opens > pd.Timestamp(self.now)]
        decided = newest_done(conn, LIVE, "decide")
        following: date = ahead[ahead > pd.Timestamp(decided or date.min.replace(year=1900))][0].date()
        return following

    def _serves(self, conn: Connection, kind: ModelEventKind, model_id: str) -> ModelEvent:
        rival = self.standing(conn).champion
        event = ModelEvent(
            self.now, self.session(conn), kind, model_id, rival, actor=self.actor, note=self.note or f"by {self.actor}"
        )
        add_model_events(conn, LIVE, [event])
        return event

    def _fit(self, conn: Connection, name: str) -> str:
        """The id of the version, which is whole and answers what is asked now. Raises DaemonError."""
        entry = find_version(conn, name)
        recipe = recipe_of(self.settings)
        if recipe.digest() != entry.manifest["recipe"] and recipe.question() != entry.manifest.get("question"):
            raise DaemonError(
                f"model {entry.model_id} was made for other symbols, context, decision time or barrier than are "
                "configured; it can't serve. Choose another: `models list`."
            )
        faults = version_faults(self.store, entry.model_id)
        if faults:
            raise DaemonError(f"model {entry.model_id} is not whole: {faults[0]} Choose another: `models list`.")
        return entry.model_id


def find_version(conn: Connection, name: str) -> ModelEntry:
    """The version of that id, or the only one whose id begins so. Raises NoSuchModel."""
    entry = read_model(conn, name)
    if entry is not None:
        return entry
    begins = [one for one in read_models(conn) if one.model_id.startswith(name)]
    if len(begins) == 1:
        return begins[0]
    many = f"{len(begins)} versions begin with it" if begins else "there is none"
    raise NoSuchModel(f"model {name!r}: {many}; `models list` shows all.")


def version_faults(store: ModelStore, model_id: str) -> list[str]:
    """One line for each part that is missing or not what it was, or for the manifest."""
    try:
        manifest = store.manifest(model_id)
    except ModelStoreError as error:
        return [str(error)]
    faults = []
    for key, digest in part_digests(manifest).items():
        try:
            store.check_part(key, digest)
        except ModelStoreError as error:
            faults.append(str(error))
    return faults


def part_digests(manifest: Mapping[str, Any]) -> dict[str, str | None]:
    """Key -> digest of each part; None in a manifest from before there were any."""
    digests: Mapping[str, str] = manifest.get("parts", {})
    return {key: digests.get(key) for key in sorted(manifest_keys(manifest))}


def manifest_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value there and value here, of all that differs; a word for nothing where one has none of it."""
    there, here = _flat(first), _flat(second)
    rows = [(name, there.get(name, NOTHING), here.get(name, NOTHING)) for name in sorted({*there, *here})]
    return [row for row in rows if row[1] != row[2]]


def _flat(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Each figure by its path; lists of names entry by entry, so that one name more is one difference."""
    flat: dict[str, str] = {}
    for name, value in manifest.items():
        if name == "members":
            flat |= {f"members.{member}": " ".join(key[:12] for key in keys) for member, keys in value}
        elif name in LISTS:
            flat |= {f"{name}.{one}": "there" for one in value}
        elif isinstance(value, Mapping) and name not in FOLLOWING:
            flat |= {f"{name}.{inner}": one for inner, one in _flat(value).items()}
        elif name not in FOLLOWING:
            flat[name] = str(value)
    return flat
