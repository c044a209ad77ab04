"""The report is written after a session, once, beside the work, and whatever goes wrong with it is a line."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.report.refresh import Order, Refresher, write_apart
from daemon.services import Services
from daemon.sessions.reconcile import reconcile

ServicesAt = Callable[..., AbstractContextManager[Services]]


def enabled(services: Services, refresher: Refresher, *, on: bool = True) -> Services:
    report = services.settings.report.model_copy(update={"enabled": on})
    return replace(services, settings=services.settings.model_copy(update={"report": report}), report=refresher)


def settle(copy: Path, services_at: ServicesAt, refresher: Refresher, moment: str, *, on: bool = True) -> None:
    with services_at(copy, moment) as services:
        reconcile(enabled(services, refresher, on=on))
        refresher.finish()


def test_it_is_written_once_a_session_and_not_while_nothing_is_done(copy: Path, services_at: ServicesAt) -> None:
    written: list[Order] = []

    def note(order: Order) -> int:
        written.append(order)
        return 1

    refresher = Refresher(write=note)
    moments = ("2021-10-05 18:00", 0), ("2021-10-06 08:50", 1), ("2021-10-06 08:51", 1), ("2021-10-06 17:00", 2)
    for moment, count in moments:
        settle(copy, services_at, refresher, moment)
        assert len(written) == count
    assert f"{written[0].now:%Y-%m-%d %H:%M}" == "2021-10-06 03:20"


def test_a_failure_is_a_line_the_session_is_done_and_the_next_one_tries_again(
    copy: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    tried: list[Order] = []

    def fail(order: Order) -> int:
        tried.append(order)
        raise OSError("no room left")

    refresher = Refresher(write=fail)
    settle(copy, services_at, refresher, "2021-10-06 08:50")
    assert "report: not written: no room left" in lines
    assert any(line.startswith("decide 2021-10-06: ") for line in lines)
    for moment, count in (("2021-10-06 08:51", 1), ("2021-10-06 17:00", 2)):
        settle(copy, services_at, refresher, moment)
        assert len(tried) == count


def test_where_it_is_not_wanted_nothing_is_written(copy: Path, services_at: ServicesAt) -> None:
    refresher = Refresher(write=lambda _: pytest.fail("it was written"))
    settle(copy, services_at, refresher, "2021-10-06 08:50", on=False)


@pytest.mark.slow
def test_a_process_of_its_own_writes_it_and_the_libraries_stay_there(copy: Path, services_at: ServicesAt) -> None:
    import sys

    with services_at(copy, "2021-10-05 18:00") as services:
        size = write_apart(Order(services.settings, services.clock.now()))
    assert (copy / "state" / "report.html").stat().st_size == size
    assert "plotly" not in sys.modules
