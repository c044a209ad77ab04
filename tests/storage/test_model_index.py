from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from storage.model_index import ModelEntry, earlier_models, find_model, read_model, read_models, write_model

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


def test_a_month_is_served_by_the_newest_model_of_its_recipe(conn: Connection) -> None:
    first = replace(OCTOBER, manifest={"recipe": "ours"})
    again = replace(first, model_id="oct-2", created_at=TRAINED + timedelta(days=3))
    other = replace(first, model_id="oct-3", created_at=TRAINED + timedelta(days=9), manifest={"recipe": "other"})
    december = replace(first, model_id="dec-1", month="2021-12")
    for entry in (again, december, other, first):
        write_model(conn, entry)
    assert find_model(conn, month="2021-10", recipe="ours") == again
    assert find_model(conn, month="2021-10", recipe="other") == other
    assert find_model(conn, month="2021-11", recipe="ours") is None
    assert find_model(conn, month="2021-12", recipe="other") is None
    assert find_model(conn, month="2021-10", recipe="ours", bars="corrected") is None
    corrected = replace(first, model_id="oct-0", manifest={"recipe": "ours", "bars": "corrected"})
    write_model(conn, corrected)
    assert find_model(conn, month="2021-10", recipe="ours", bars="corrected") == corrected
    assert [entry.model_id for entry in read_models(conn) if entry != corrected] == ["dec-1", "oct-3", "oct-2", "oct-1"]


def test_earlier_models_are_those_of_the_recipe_newest_first(conn: Connection) -> None:
    ours = replace(OCTOBER, manifest={"recipe": "ours"})
    august = replace(ours, model_id="aug-1", month="2021-08")
    other = replace(ours, model_id="sep-1", month="2021-09", manifest={"recipe": "other"})
    again = replace(ours, model_id="oct-2", created_at=TRAINED + timedelta(days=3))
    for entry in (august, again, ours, other):
        write_model(conn, entry)
    assert earlier_models(conn, before="2021-11", recipe="ours") == [again, ours, august]
    assert earlier_models(conn, before="2021-10", recipe="ours") == [august]
    assert earlier_models(conn, before="2021-08", recipe="ours") == []
