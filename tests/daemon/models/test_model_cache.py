"""What was trained once is not trained again; what really changed is, and nothing else."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from daemon.backtests.backtest import backtest
from daemon.bars.ingest import ingest
from daemon.models import factory as models
from daemon.models.cache import cache_entries
from daemon.models.first_seen import FIRST_SEEN
from daemon.services import Services
from daemon.sessions.desk import Desk, home_calendar, open_desk
from daemon.sessions.reconcile import reconcile
from daemon.versions import AFTER_FORECASTS, AFTER_TRAINING, code_digest
from ensemble.bar_ratios import REACH_SESSIONS
from ensemble.members.tasks import fit_member
from storage.engine import reading
from storage.model_index import read_models
from storage.record_store import RecordStore, records_of

ServicesAt = Callable[..., AbstractContextManager[Services]]
Write = Callable[[Path], Path]

MONTH = "2021-10"
HISTORY = [f"{month}" for month in pd.period_range("2020-10", "2021-09", freq="M")]
PRICES = ["Open", "High", "Low", "Close"]


class Counter:
    """Progress that counts what is trained."""

    def __init__(self) -> None:
        self.trained = 0

    def __call__(self, items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        for item in items:
            self.trained += label == "training"
            yield item


@pytest.fixture(autouse=True, scope="module")
def _trained_in_this_process() -> Iterator[None]:
    """Children are another test's matter, and take seconds to start."""

    def train_here(tasks: Any, store: Any, *, progress: Any, **_: object) -> None:
        for task in progress(tasks, total=len(tasks), label="training"):
            store.put_part(task.key, fit_member(task))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "train_parts", train_here)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, write_installation: Write, services_at: ServicesAt) -> Path:
    """An installation with one cheap member, the model of MONTH, and those of its HISTORY."""
    folder = write_installation(tmp_path_factory.mktemp("trained"))
    config = (folder / "config.toml").read_text()
    dear = ('name = "small"', 'preset = "logit"')
    lines = [line for line in config.splitlines() if not any(member in line for member in dear)]
    config = "\n".join(lines).replace("train_months = 1, gate_months = 1", "train_months = 6, gate_months = 6")
    (folder / "config.toml").write_text(config.replace("window_years = 2", "window_years = 1").replace("300", "150"))
    with services_at(folder, "2021-10-28 17:00") as services:
        desk_of(services).model(MONTH)
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def desk_of(services: Services) -> Desk:
    """The desk of a backtest, on the bars as the feed has them now."""
    calendar = home_calendar(services.settings, services.clock.now())
    ingest(services, calendar)
    last = calendar.sessions[calendar.sessions <= pd.Timestamp(services.clock.now()).tz_localize(None)][-1]
    return open_desk(services, calendar, last=last)


def trained_for(services: Services, month: str) -> list[str]:
    """Asks for the model of `month`; the months whose members are other ones since, checked against a count."""
    records, counter = records_of(services.models), services.progress
    assert isinstance(counter, Counter)
    before = members_by_month(records)
    desk_of(services).model(month)
    after = members_by_month(records)
    changed = [one for one in sorted(after) if after[one] != before.get(one)]
    assert counter.trained == len(changed)
    return changed


def members_by_month(records: RecordStore) -> dict[str, Any]:
    contents = [json.loads(records.get(name) or b"") for name in records.names() if name.endswith(".json")]
    return {record["month"]: record["members"] for record in contents}


def edit_bars(folder: Path, symbol: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = folder / "bars" / f"{symbol}.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)


def corrected(session: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """One bar, all its prices a per cent higher."""

    def change(bars: pd.DataFrame) -> pd.DataFrame:
        factor = bars["Date"].map(lambda day: 1.01 if day == session else 1.0)
        return bars.assign(**{name: bars[name] * factor for name in [*PRICES, "Adj Close"]})

    return change


def months_that_hold(services: Services, session: str, *, learnt_from: int) -> list[str]:
    """From the calendar alone: months that learn from the session, or look back on it."""
    sessions = home_calendar(services.settings, services.clock.now()).sessions
    place = sessions.get_loc(pd.Timestamp(session))
    assert isinstance(place, int)
    holding = []
    for month in [*HISTORY, MONTH]:
        learnt = sessions[(sessions >= pd.Timestamp(month) - pd.DateOffset(years=learnt_from))]
        learnt = learnt[learnt < pd.Timestamp(month)]
        if sessions.get_indexer(learnt[:1])[0] - REACH_SESSIONS <= place <= sessions.get_indexer(learnt[-1:])[0]:
            holding.append(month)
    return holding


def test_a_second_run_trains_nothing_whatever_the_threshold(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("min_confidence = 0.5", "min_confidence = 0.8"))
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        assert trained_for(services, MONTH) == []
        with reading(services.engine) as conn:
            assert len(read_models(conn)) == 1


def test_a_new_month_trains_one_month(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-11-01 08:50", Counter()) as services:
        assert trained_for(services, "2021-11") == ["2021-11"]


@pytest.mark.parametrize(
    ("symbol", "session", "months"),
    [
        ("AAA.NS", "2021-09-30", 1),  # the last session that is learnt from
        ("BBB.NS", "2021-05-03", 5),
        ("AAA.NS", "2019-03-15", 9),  # looked back on by the older months only
        ("AAA.NS", "2018-01-04", 0),  # out of everybody's sight
    ],
)
def test_a_corrected_bar_retrains_exactly_the_months_that_hold_it(
    symbol: str, session: str, months: int, copy: Path, services_at: ServicesAt
) -> None:
    edit_bars(copy, symbol, corrected(session))
    refetch_all(copy)
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        found = trained_for(services, MONTH)
        assert found == months_that_hold(services, session, learnt_from=1)
    assert len(found) == months
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        assert trained_for(services, MONTH) == []


def refetch_all(folder: Path) -> None:
    """Forgets the bars, so that the feed is read from its beginning: a daemon reads only its newest weeks again."""
    for path in (folder / "state").glob("signals.db*"):
        path.unlink()


def test_a_restated_history_trains_nothing_and_finds_the_same_model(copy: Path, services_at: ServicesAt) -> None:
    def split_and_dividend(bars: pd.DataFrame) -> pd.DataFrame:
        prices = {name: (bars[name] / 3).astype("float32") for name in PRICES}
        adjusted = (bars["Adj Close"] / 3 * 0.98731).astype("float32")
        return bars.assign(**prices, **{"Adj Close": adjusted, "Volume": bars["Volume"] * 3})

    for symbol in ("AAA.NS", "ETF"):
        edit_bars(copy, symbol, split_and_dividend)
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        assert trained_for(services, MONTH) == []
        with reading(services.engine) as conn:
            assert len(read_models(conn)) == 1


def test_forecasts_of_past_months_follow_the_same_rule(copy: Path, services_at: ServicesAt) -> None:
    def forecasts(services: Services) -> dict[str, str]:
        records = records_of(services.models)
        contents = [json.loads(records.get(name) or b"") for name in records.names() if name.endswith(".json")]
        return {record["month"]: record["forecasts"] for record in contents}

    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        before = forecasts(services)
    edit_bars(copy, "AAA.NS", corrected("2021-06-15"))
    refetch_all(copy)
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        assert trained_for(services, MONTH) == ["2021-07", "2021-08", "2021-09", "2021-10"]
        after = forecasts(services)
    # June's members stay, but they look on the bar in what they forecast.
    changed = [month for month in after if after[month] != before[month]]
    assert changed == ["2021-06", "2021-07", "2021-08", "2021-09", "2021-10"]


def test_the_live_model_serves_its_month_out_and_the_next_one_follows_the_correction(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-28 08:50", Counter()) as services:
        reconcile(services)
    edit_bars(copy, "AAA.NS", corrected("2021-09-30"))
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        reconcile(services)
    with services_at(copy, "2021-10-29 08:50", never_trains) as services:
        reconcile(services)
    with services_at(copy, "2021-10-29 17:00", Counter()) as services:
        reconcile(services)  # settles the month's last session, and makes November's model
        assert isinstance(services.progress, Counter)
        assert services.progress.trained == 2  # October, whose window was corrected, and November


def never_trains(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
    if total and label == "training":
        raise AssertionError(f"{total} parts were trained, and none was to be")
    yield from items


def test_a_lost_memory_of_bars_costs_training_and_nothing_else(copy: Path, services_at: ServicesAt) -> None:
    seen = copy / "state" / "models" / "records" / FIRST_SEEN
    seen.write_bytes(seen.read_bytes()[:-1] + b"!")
    with services_at(copy, "2021-10-28 17:00", Counter()) as services:
        assert trained_for(services, MONTH) == []  # the bars are still what they were
        assert records_of(services.models).get(FIRST_SEEN) is not None


def test_one_model_serves_a_quarter_and_live_equals_the_backtest(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("[ensemble]", '[ensemble]\nretrain = "quarterly"'))
    sessions = ("2021-10-29", "2021-11-01")
    for session in sessions:
        for moment in ("08:50", "17:00"):
            with services_at(copy, f"{session} {moment}", Counter()) as services:
                reconcile(services)
    with services_at(copy, "2021-11-30 17:00", never_trains) as services:
        backtest(services, first=date(2021, 10, 29), last=date(2021, 11, 1))
        with reading(services.engine) as conn:
            stored = pd.read_sql("SELECT * FROM forecasts ORDER BY session, symbol, label", conn)
    live, replayed = (stored[stored["origin"] == origin].reset_index(drop=True) for origin in ("live", "backtest"))
    compared = [name for name in live if name not in ("origin", "decided_at")]
    pd.testing.assert_frame_equal(live[compared], replayed[compared])
    assert live["session"].unique().tolist() == list(sessions)
    assert {model_id[:7] for model_id in live["model_id"]} == {"2021-10"}


def test_an_embargo_trains_other_members_and_live_equals_the_backtest(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("[ensemble]", "[ensemble]\nembargo_sessions = 10"))
    with services_at(copy, "2021-10-29 08:50", Counter()) as services:
        reconcile(services)
        assert isinstance(services.progress, Counter)
        assert services.progress.trained == 13
    with services_at(copy, "2021-11-30 17:00", never_trains) as services:
        backtest(services, first=date(2021, 10, 29), last=date(2021, 10, 29))
        with reading(services.engine) as conn:
            said = pd.read_sql("SELECT probability, origin FROM forecasts ORDER BY symbol, label", conn)
    live, replayed = (said[said["origin"] == origin]["probability"].tolist() for origin in ("live", "backtest"))
    assert live
    assert live == replayed


def test_a_growing_month_leaves_behind_only_its_shorter_forecasts(copy: Path, services_at: ServicesAt) -> None:
    unneeded = []
    for last in (27, 28):
        with services_at(copy, "2021-10-28 20:00", never_trains) as services:
            backtest(services, first=date(2021, 10, 25), last=date(2021, 10, last))
            unneeded.append([one.part.kind for one in cache_entries(services.models) if not one.is_needed])
    assert unneeded == [[], ["forecasts"]]


def test_a_changed_feature_is_another_code_and_a_changed_report_is_not(tmp_path: Path) -> None:
    package = Path(models.__file__).parents[2] / "ensemble"
    folder = Path(shutil.copytree(package, tmp_path / "ensemble", ignore=shutil.ignore_patterns("__pycache__")))

    def after(changed: str) -> tuple[bool, bool]:
        """Whether a model's and a member's code are other ones after a change in that file."""
        before = code_digest(folder, AFTER_FORECASTS), code_digest(folder, AFTER_TRAINING)
        with (folder / changed).open("a") as file:
            file.write("CHANGED = 1\n")
        now = code_digest(folder, AFTER_FORECASTS), code_digest(folder, AFTER_TRAINING)
        return now[0] != before[0], now[1] != before[1]

    for both in ("features/momentum.py", "labels.py", "windows.py", "members/logit.py", "fills.py", "trees.py"):
        assert after(both) == (True, True)
    assert after("stacking/combiner.py") == (True, False)
    for neither in ("evaluation/scores.py", "trading/account.py", "validation/price_path.py"):
        assert after(neither) == (False, False)
