"""What fails, in the ledger: since when, why, and told once an outage, however often it is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from daemon.config.configurations import deciding
from daemon.console.redaction import one_line, redacted
from daemon.notify.channels import announce
from daemon.notify.notices import failure_notice, recovery_notice
from daemon.services import Services
from daemon.sessions.due import Task
from daemon.versions import deciding_version
from storage.configuration_store import keep_configuration
from storage.engine import StoreError, transaction
from storage.run_store import Run, RunStatus, read_run, write_runs
from storage.tables import LIVE


@contextmanager
def recorded(services: Services, task: Task) -> Iterator[None]:
    """What the block raises goes on, and into the ledger as the failure of `task`, with when it first failed."""
    try:
        yield
    except Exception as error:
        with suppress(StoreError):  # the database is what fails: its error is under way already
            _record(services, task, error)
        raise


def tell_recovery(conn: Connection, services: Services, task: Task) -> bool:
    """Says that a job works again, in the transaction in which it does; False where it had not failed."""
    before = read_run(conn, LIVE, task.kind, task.session.date())
    if before is None or before.status is not RunStatus.FAILED:
        return False
    notice = recovery_notice(task.kind, task.session.date(), since=before.started_at)
    announce(conn, services.settings, notice, at=services.clock.now())
    return True


def waits_now(services: Services, task: Task) -> None:
    """The feed answers and has no bars of the session yet: if it had failed before, it does no longer."""
    with transaction(services.engine) as conn:
        if tell_recovery(conn, services, task):
            now = services.clock.now()
            run = Run(LIVE, task.kind, task.session.date(), RunStatus.RUNNING, now, detail="waits for its bars")
            write_runs(conn, [run])


def _record(services: Services, task: Task, error: Exception) -> None:
    session, now = task.session.date(), services.clock.now()
    why = one_line(redacted(str(error) or type(error).__name__))
    with transaction(services.engine) as conn:
        before = read_run(conn, LIVE, task.kind, session)
        since = before.started_at if before is not None and before.status is RunStatus.FAILED else now
        run = Run(
            LIVE,
            task.kind,
            session,
            RunStatus.FAILED,
            since,
            now,
            why,
            configuration=keep_configuration(conn, deciding(services.settings), seen_at=now),
            code_version=deciding_version(),
        )
        write_runs(conn, [run])
        announce(conn, services.settings, failure_notice(task.kind, session, since=since, why=why), at=now)
