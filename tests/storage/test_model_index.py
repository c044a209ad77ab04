from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from storage.model_index import ModelEntry, read_model, read_models, serving_model, write_model

TRAINED = datetime(2021, 10, 1, 2, tzinfo=UTC)
OCTOBER = ModelEntry("oct-1", "2021-10", TRAINED, {"members": ["logit", "lstm"], "scores": {"gap": 0.61}})


def test_an_entry_comes_back_as_it_was_written(conn: Connection) -> None:
    assert write_model(conn, OCTOBER)
    assert read_model(conn, "oct-1") == OCTOBER
    assert read_model(conn, "unknown") is None


def test_a_model_never_changes(conn: Connection) -> None:
    write_model(conn, OCTOBER)
    assert not write_model(conn, replace(OCTOBER, month="2021-11", manifest={}))
    assert read_models(conn) == [OCTOBER]


def test_a_month_is_served_by_the_newest_model_trained_for_it_or_before(conn: Connection) -> None:
    again = replace(OCTOBER, model_id="oct-2", created_at=TRAINED + timedelta(days=3))
    december = replace(OCTOBER, model_id="dec-1", month="2021-12")
    for entry in (again, december, OCTOBER):
        write_model(conn, entry)
    assert serving_model(conn, "2021-09") is None
    assert serving_model(conn, "2021-10") == serving_model(conn, "2021-11") == again
    assert serving_model(conn, "2022-01") == december
    assert [entry.model_id for entry in read_models(conn)] == ["dec-1", "oct-2", "oct-1"]
