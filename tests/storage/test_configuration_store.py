from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from storage.configuration_store import keep_configuration, read_configurations
from storage.tables import configurations

MORNING = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)


def test_equal_settings_are_kept_once_as_first_seen(conn: Connection) -> None:
    first = keep_configuration(conn, '{"risk": 1}', seen_at=MORNING)
    assert keep_configuration(conn, '{"risk": 1}', seen_at=MORNING + timedelta(days=1)) == first
    assert conn.execute(select(configurations)).all() == [(first, '{"risk": 1}', MORNING)]


def test_settings_in_another_order_are_another_configuration_and_come_back_to_the_letter(conn: Connection) -> None:
    texts = ['{"b": 1, "a": 2}', '{"a": 2, "b": 1}']
    digests = [keep_configuration(conn, text, seen_at=MORNING) for text in texts]
    assert read_configurations(conn) == dict(zip(digests, texts, strict=True))
