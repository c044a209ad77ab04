"""A server that is away is waited for, and told of once; nothing else is."""

import itertools
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine, create_engine

from daemon.database.patience import LONGEST_LOOK_S, Patience
from storage.engine import StoreError, is_away

GONE = "storage.url postgresql://db/signals can't be used (connection refused); check that the database server runs."


@dataclass
class Server:
    """One that comes after some looks; its clock is moved by waiting alone."""

    comes_after: int
    engine: Engine = field(default_factory=lambda: create_engine("sqlite://"))
    looks: int = 0
    now_s: float = 0.0
    waits: list[float] = field(default_factory=list)
    told: list[tuple[str, float]] = field(default_factory=list)

    def open(self) -> Engine:
        self.looks += 1
        if self.looks <= self.comes_after:
            raise StoreError(GONE)
        return self.engine

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds

    def patience(self) -> Patience:
        return Patience(lambda *said: self.told.append(said), self.sleep, lambda: self.now_s)


def test_a_server_is_waited_for_less_and_less_often_with_one_line_before_and_one_after(lines: list[str]) -> None:
    server = Server(comes_after=9)
    assert server.patience().until(server.open, away=lambda: True) is server.engine
    assert server.waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    before, after = lines
    assert "can't be used (connection refused); it is waited for until it answers" in before
    assert "database: its server answers, after 243 s" in after
    assert [within for _, within in server.told] == [wait + LONGEST_LOOK_S for wait in server.waits]


def test_a_server_that_is_there_is_not_spoken_of(lines: list[str]) -> None:
    server = Server(comes_after=0)
    assert server.patience().until(server.open, away=lambda: True) is server.engine
    assert (lines, server.told) == ([], [])


def test_what_waiting_does_not_mend_ends_the_start_also_after_a_wait() -> None:
    server, away = Server(comes_after=9), itertools.chain([True, True], itertools.repeat(False))
    with pytest.raises(StoreError, match="connection refused"):
        server.patience().until(server.open, away=lambda: next(away))
    assert server.waits == [1, 2]


def test_a_file_is_never_away() -> None:
    assert not is_away("sqlite:////nowhere/signals.db")


def test_a_port_where_nobody_listens_is_away() -> None:
    assert is_away("postgresql://daemon:secret@127.0.0.1:1/signals?timeout=5")
