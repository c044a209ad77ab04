"""The snapshot in Prometheus's words. The only importer of prometheus_client."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, start_http_server, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.health.judge import Ill
from daemon.health.metrics_page import MetricsPage
from daemon.health.snapshot import Snapshot
from daemon.sessions.due import Task

PREFIX = "reliance_daemon_"
LOOPBACK = "127.0.0.1"
READABLE = 0o644
"""Of a file that is asked for: node_exporter is another user."""


class Page(Collector):
    """Turns whatever snapshot the page has into metrics."""

    def __init__(self, page: MetricsPage) -> None:
        self.page = page

    def collect(self) -> Iterator[Metric]:
        """All metrics; none before the first snapshot."""
        if self.page.snapshot is not None:
            yield from _account(self.page.snapshot)
            yield from _jobs(self.page.snapshot)
            yield from _health(self.page.snapshot)
            yield from _forecasts(self.page.snapshot)
            yield from _cloud(self.page.snapshot)
            yield from _models(self.page.snapshot)


def write_metrics(snapshot: Snapshot, settings: Settings) -> None:
    """Replaces the file as a whole. Raises OSError."""
    path = settings.metrics.file or settings.storage.state_dir / "metrics.prom"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), _registry(MetricsPage(snapshot)))
    if settings.metrics.file:
        path.chmod(READABLE)


def metrics_text(snapshot: Snapshot) -> str:
    """The same as the file, for a page."""
    return generate_latest(_registry(MetricsPage(snapshot))).decode()


@contextmanager
def served(page: MetricsPage, settings: Settings) -> Iterator[None]:
    """Answers on metrics.port of this machine alone, if there is one. Raises DaemonError when it is taken."""
    port = settings.metrics.port
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, addr=LOOPBACK, registry=_registry(page))
    except OSError as error:
        raise DaemonError(f"metrics.port was {port}: {error.strerror}; choose another, or leave it out.") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(page: MetricsPage) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Page(page))
    return registry


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _by(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def _account(shot: Snapshot) -> Iterator[Metric]:
    if shot.mark is not None:
        yield _gauge("equity", "Worth of the paper account at the last closes, currency", shot.mark.equity)
        yield _gauge("cash", "Its cash, currency", shot.mark.cash)
        yield _gauge("drawdown_ratio", "How far it is below its peak, 0 to 1", shot.mark.drawdown_pct / 100)
        yield _gauge("positions", "How many positions it holds", shot.mark.positions)
    held = {(one.symbol, one.direction.value): float(one.quantity) for one in shot.positions}
    yield _by("position_shares", "Shares held", ("symbol", "direction"), held)


def _jobs(shot: Snapshot) -> Iterator[Metric]:
    sessions = {"decide": shot.ledger.decided, "settle": shot.ledger.settled}
    kind = ("kind",)
    yield _by("sessions_done", "Sessions done", kind, {(name,): float(len(done)) for name, done in sessions.items()})
    overdue = {(name,): float(_count(shot.health.overdue, name)) for name in sessions}
    yield _by("sessions_overdue", "Sessions due for longer than they may be", kind, overdue)
    newest = {(name,): _midnight(max(done)) for name, done in sessions.items() if done}
    yield _by("last_session_timestamp_seconds", "Newest session done, its midnight in UTC", kind, newest)
    ended = {(name,): run.finished_at.timestamp() for name, run in shot.done.items() if run.finished_at}
    yield _by("last_success_timestamp_seconds", "When the newest session was done", kind, ended)
    took = {
        (name,): (run.finished_at - run.started_at).total_seconds()
        for name, run in shot.done.items()
        if run.finished_at
    }
    yield _by("run_duration_seconds", "How long that took", kind, took)
    failed = {(name,): float(sum(run.kind == name for run in shot.ledger.failed)) for name in sessions}
    yield _by("jobs_failing", "Jobs whose last attempt failed", kind, failed)
    yield _gauge("outbox_waiting", "Messages that no channel has taken yet", shot.ledger.unsent)


def _health(shot: Snapshot) -> Iterator[Metric]:
    yield _gauge("healthy", "1 when nothing is wrong that somebody has to look at now", float(shot.health.healthy))
    found = {finding.ill for finding in shot.health.findings}
    yield _by("finding", "1 for what `status` tells", ("ill",), {(ill.value,): float(ill in found) for ill in Ill})
    since = [run.started_at.timestamp() for run in shot.ledger.failed]
    if since:
        yield _gauge("failing_since_timestamp_seconds", "When what fails now failed first", min(since))
    yield _gauge("reconciled_timestamp_seconds", "When the daemon looked last at what is due", shot.at.timestamp())


def _forecasts(shot: Snapshot) -> Iterator[Metric]:
    labels = ("symbol", "label")
    yield _by("forecast_probability", "Of the newest session decided, 0 to 1", labels, shot.probabilities)


def _cloud(shot: Snapshot) -> Iterator[Metric]:
    state = shot.ledger.mirror
    if state.mirrored_at is not None:
        at = state.mirrored_at.timestamp()
        yield _gauge("cloud_mirrored_timestamp_seconds", "When the bucket was brought up to date last", at)
    if state.mirrored_at is not None or state.waiting_since is not None:
        waits, text = float(state.waiting_since is not None), "1 while the bucket lacks something"
        yield _gauge("cloud_waiting", text, waits)
        yield _gauge("cloud_attempts_failed", "How often bringing it there has failed since", state.attempts)


def _models(shot: Snapshot) -> Iterator[Metric]:
    if shot.ledger.speaker is not None:
        session, month = shot.ledger.speaker
        age = (session.year - int(month[:4])) * 12 + session.month - int(month[5:]) + 1
        yield _gauge("model_age_months", "Of what spoke last; 1 is made for the session's month", float(age))
    if shot.ledger.losses:
        newest = shot.ledger.losses[0]
        yield _gauge("live_excess_loss", "Log loss beyond the expected, mean of 60 sessions, nats", newest.excess)
        share = newest.level / newest.alarm_level
        yield _gauge("live_loss_level_ratio", "Evidence that it is not luck; 1 is the alarm", share)
    if shot.ledger.drift is not None:
        usual = shot.ledger.drift.drift_index / max(shot.ledger.drift.most_usual, 1e-9)
        yield _gauge("feature_drift_ratio", "Of the features; above 1 further off than any learnt from", usual)
    if shot.ledger.forecast_drift is not None:
        of_chance = shot.ledger.forecast_drift.distance / max(shot.ledger.forecast_drift.limit_distance, 1e-9)
        yield _gauge("forecast_drift_ratio", "Of the forecasts; above 1 further off than chance explains", of_chance)


def _count(tasks: tuple[Task, ...], kind: str) -> int:
    return sum(task.kind == kind for task in tasks)


def _midnight(session: date) -> float:
    return datetime.combine(session, time(), UTC).timestamp()
