import math
import sqlite3
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError, ProgrammingError

from storage.engine import provide_ln
from storage.errors import StoreError, plain_errors, store_error

SERVER = make_url("postgresql://daemon:secret@db.example/signals")


def fail(kind: type[DBAPIError]) -> None:
    with plain_errors(SERVER):
        raise kind("SELECT 1", {}, Exception("the server said no\nLINE 1: SELECT 1"))


@pytest.mark.parametrize("kind", [OperationalError, InternalError])
def test_a_server_in_trouble_is_one_line_with_the_remedy(kind: type[DBAPIError]) -> None:
    with pytest.raises(StoreError) as caught:
        fail(kind)
    assert str(caught.value) == (
        "storage.url postgresql://daemon:***@db.example/signals can't be used (the server said no); "
        "check that the database server runs and that storage.url is right."
    )
    assert isinstance(caught.value.__cause__, kind)


def test_a_row_that_a_server_refuses_is_a_defect() -> None:
    with pytest.raises(StoreError, match="refused a row"):
        fail(IntegrityError)


def test_faulty_sql_stays_what_it_is() -> None:
    with pytest.raises(ProgrammingError):
        fail(ProgrammingError)


def test_an_error_of_another_kind_passes_through() -> None:
    with pytest.raises(KeyError), plain_errors(SERVER):
        raise KeyError("not about the database")


def test_a_password_is_never_shown() -> None:
    assert "secret" not in str(store_error(SERVER, "is {0}", "away"))


def test_a_sqlite_without_logarithms_is_given_one() -> None:
    connection: Any = sqlite3.connect(":memory:")
    connection.create_function("ln", 1, None)  # as if it had been built without mathematics
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT ln(2.0)")
    provide_ln(connection)
    assert connection.execute("SELECT ln(2.0)").fetchone() == (math.log(2.0),)
    connection.close()
