from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection

from storage.holdout_store import HoldoutOpening, HoldoutSpent, open_holdout, read_openings

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
LOOK = HoldoutOpening("wider", date(2020, 1, 1), date(2021, 12, 31), "abc", NOW, "0.1.0")


def test_an_experiment_opens_the_hold_out_once(conn: Connection) -> None:
    assert open_holdout(conn, LOOK) == LOOK
    for other in (
        replace(LOOK, digest="def"),
        replace(LOOK, last_session=date(2021, 12, 30)),
        replace(LOOK, holdout_from=date(2019, 1, 1)),
    ):
        with pytest.raises(HoldoutSpent, match=r"'wider' opened the hold-out on 2026-11-22 .* another experiment"):
            open_holdout(conn, other)
    assert read_openings(conn) == [LOOK]


def test_the_same_forecasts_seen_again_are_the_same_look(conn: Connection) -> None:
    open_holdout(conn, LOOK)
    later = replace(LOOK, opened_at=NOW + timedelta(days=1), code_version="0.2.0")
    assert open_holdout(conn, later) == LOOK
    assert read_openings(conn) == [LOOK]


def test_every_experiment_has_its_own_look_and_all_are_logged(conn: Connection) -> None:
    second = replace(LOOK, experiment="deeper", opened_at=NOW - timedelta(days=1))
    open_holdout(conn, LOOK)
    open_holdout(conn, second)
    assert read_openings(conn) == [second, LOOK]
