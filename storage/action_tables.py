"""The tables about what companies do to their shares: the events, and what feeds then did to the history of bars."""

from sqlalchemy import Double, Integer, Table, Text

from storage.column_types import Session
from storage.columns import COUNT, column, instant, key, session, symbol
from storage.tables import METADATA

_KIND = "{0} IN ('dividend', 'split', 'bonus', 'rights', 'demerger')"
_POSITIVE = "{0} > 0 AND {0} < 1e9"

corporate_actions = Table(
    "corporate_actions",
    METADATA,
    symbol(),
    session("The ex-date: the first trading day without the right"),
    column("kind", Text, "dividend or split, as a feed tells; bonus, rights or demerger, as a person did", check=_KIND),
    instant("seen_at", "When this version of it was fetched"),
    instant("superseded_at", "When a newer version replaced it; empty for the current one", null=True),
    column("provider", Text, "The feed it came from, or stated: a person said so"),
    column(
        "value",
        Double,
        "dividend: cash a share in the prices of the bars, so adjusted as they are; split, bonus: shares for each one "
        "before; rights, demerger: the part of the close before that left the share",
        check=_POSITIVE,
    ),
    key("symbol", "session", "kind", "seen_at"),
    comment="What companies did, as feeds tell and people state, one row a version; one told of no more stays",
)

restatements = Table(
    "restatements",
    METADATA,
    symbol(),
    instant("seen_at", "When the new history was fetched: bars of before are known under an earlier seen_at"),
    session("The oldest bar that was multiplied", name="first_session"),
    column("last_session", Session, "The newest one, ISO date of the exchange", check="length({0}) = 10"),
    column("factor", Double, "Median of new adj_close over old, of the bars that changed", check=_POSITIVE),
    column("bars_changed", Integer, "Bars whose adj_close changed", check=COUNT),
    column(
        "explained_by",
        Text,
        "Kind and session of the stored actions that make this factor, e.g. split 2021-10-04; empty where none does",
        null=True,
    ),
    key("symbol", "seen_at"),
    comment="Histories that the feed multiplied by a constant; their old bars are kept as versions",
)
