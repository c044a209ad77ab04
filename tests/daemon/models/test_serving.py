"""Which version serves the next session: the newest, unless people or damage say otherwise."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from daemon.cli import app
from daemon.notify.courier import Courier
from daemon.notify.options import NotifyOptions
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from storage.engine import reading
from storage.model_store import ModelStore
from storage.promotion_store import ModelEventKind, read_model_events
from storage.sqlite_file import opened

ServicesAt = Callable[..., AbstractContextManager[Services]]


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with opened(folder / "state" / "signals.db") as database:
        return database.execute(sql).fetchall()


def versions(folder: Path) -> tuple[str, str]:
    """The ids of September's and October's."""
    (september,), (october,) = rows(folder, "SELECT model_id FROM models ORDER BY month")
    return str(september), str(october)


def say(folder: Path, *words: str, now: str = "2021-10-05T14:00:00Z") -> Result:
    command = ["--config", str(folder / "config.toml"), "models", *words]
    return CliRunner().invoke(
        app, [*command, "--now", now] if words[0] not in ("show", "diff", "verify", "export") else command
    )


def live(folder: Path, services_at: ServicesAt, *moments: str) -> None:
    """With somebody who is to be told, and takes whatever comes."""
    for moment in moments:
        with services_at(folder, moment) as services:
            settings = services.settings.model_copy(update={"notify": NotifyOptions(urls=("json://127.0.0.1:9",))})
            told = replace(services, settings=settings, courier=Courier(lambda _: None))
            reconcile(told)
            told.courier.finish()


def speakers(folder: Path, session: str) -> list[str]:
    found = rows(folder, f"SELECT DISTINCT model_id FROM forecasts WHERE session = '{session}' AND origin = 'live'")
    return [str(model_id) for (model_id,) in found]


def shadows(folder: Path) -> list[tuple[Any, ...]]:
    return rows(folder, "SELECT session, model_id, count(*) FROM shadow_forecasts GROUP BY 1, 2 ORDER BY 1, 2")


def test_each_new_version_is_promoted_and_the_one_before_it_is_heard_beside_it(copy: Path) -> None:
    september, october = versions(copy)
    found = rows(copy, "SELECT session, kind, model_id, rival_id, actor FROM model_events ORDER BY number")
    assert found == [
        ("2021-09-28", "promoted", september, None, "policy"),
        ("2021-10-01", "promoted", october, september, "policy"),
    ]
    heard = rows(copy, "SELECT count(DISTINCT symbol), count(DISTINCT label) FROM shadow_forecasts")
    assert heard == [(2, 4)]
    assert shadows(copy) == [(day, september, 8) for day in ("2021-10-01", "2021-10-04", "2021-10-05")]


def test_after_a_rollback_the_version_before_serves_the_next_session_and_verify_finds_all_of_both(
    copy: Path, services_at: ServicesAt
) -> None:
    september, october = versions(copy)
    said = say(copy, "rollback", "--note", "it bought too much")
    assert said.output == f"model {september} serves again from session 2021-10-06 on\n"
    live(copy, services_at, "2021-10-06 08:50", "2021-10-06 17:00", "2021-10-07 08:50")
    for session, speaker in (("2021-10-05", october), ("2021-10-06", september), ("2021-10-07", september)):
        assert speakers(copy, session) == [speaker]
    assert shadows(copy)[-1] == ("2021-10-07", october, 8)
    status = ["--config", str(copy / "config.toml"), "status", "--json", "--now", "2021-10-07T14:00:00Z"]
    findings = json.loads(CliRunner().invoke(app, status).output)["findings"]
    chosen = [finding["text"] for finding in findings if finding["ill"] in ("MODEL_CHOSEN", "STAND_IN")]
    assert [text.partition(", ")[0] for text in chosen] == [f"{september} serves since 2021-10-06"]
    with services_at(copy, "2021-10-07 18:00") as services:
        verified = verify(services, since=date(2021, 9, 28))
    assert (verified.differences, verified.not_replayed) == ((), ())
    assert verified.replayed == 15
    ((actor, note),) = rows(copy, "SELECT actor, note FROM model_events WHERE kind = 'rolled_back'")
    assert (bool(actor), note) == (True, "it bought too much")


@pytest.mark.slow
def test_a_command_after_the_decision_counts_for_the_session_after(copy: Path, services_at: ServicesAt) -> None:
    september, october = versions(copy)
    live(copy, services_at, "2021-10-06 08:50")
    said = say(copy, "rollback", now="2021-10-06T03:30:00Z")  # 09:00 in India, a quarter of an hour before the open
    assert "from session 2021-10-07 on" in said.output
    live(copy, services_at, "2021-10-07 08:50")
    assert (speakers(copy, "2021-10-06"), speakers(copy, "2021-10-07")) == ([october], [september])


@pytest.mark.slow  # it trains a month
def test_a_pinned_version_serves_into_the_next_month_and_nothing_is_trained_until_it_is_let_go(
    copy: Path, services_at: ServicesAt
) -> None:
    _, october = versions(copy)
    assert json.loads(say(copy, "pin", "--json").output)["kind"] == "pinned"
    live(copy, services_at, "2021-11-02 08:50")
    assert speakers(copy, "2021-11-02") == [october]
    assert len(rows(copy, "SELECT * FROM models")) == 2
    assert say(copy, "unpin", now="2021-11-02T14:00:00Z").exit_code == 0
    live(copy, services_at, "2021-11-03 08:50")
    assert speakers(copy, "2021-11-03")[0].startswith("2021-11")
    last = rows(copy, "SELECT kind, substr(model_id, 1, 7), substr(rival_id, 1, 7) FROM model_events ORDER BY number")
    assert last[-2:] == [("judged", "2021-10", "2021-09"), ("promoted", "2021-11", "2021-10")]
    (scores,) = rows(copy, "SELECT scores FROM model_events WHERE kind = 'judged'")[0]
    assert json.loads(scores)["gap"]["sessions"] > 15


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("promote", "2022"), "model '2022': there is none; `models list` shows all."),
        (("promote", "2021"), "model '2021': 2 versions begin with it; `models list` shows all."),
        (("unpin",), "no version is pinned; `models list` shows who serves."),
    ],
)
def test_what_cannot_be_said_is_one_line_and_changes_nothing(copy: Path, words: tuple[str, ...], told: str) -> None:
    before = rows(copy, "SELECT count(*) FROM model_events")
    said = say(copy, *words)
    assert (said.exit_code, str(said.exception)) == (1, told)
    assert rows(copy, "SELECT count(*) FROM model_events") == before


def test_a_version_for_another_question_or_a_damaged_one_cannot_be_promoted(copy: Path) -> None:
    september, _ = versions(copy)
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("[labels.barrier]", "[labels.barrier]\nstop_loss_pct = 3.0"))
    assert "was made for other symbols, context, decision time or barrier" in str(
        say(copy, "promote", "2021-09").exception
    )
    config.write_text(config.read_text().replace("stop_loss_pct = 3.0\n", "").replace("penalty = 10", "penalty = 11"))
    assert say(copy, "promote", "2021-09").exit_code == 0  # other members answer the same question
    damage(copy, september, "combiner.json")
    assert "combiner.json does not match its checksum" in str(say(copy, "promote", "2021-09").exception)
    assert say(copy, "verify", "2021-10").exit_code == 0
    assert say(copy, "verify").exit_code == 1


def damage(folder: Path, model_id: str, name: str) -> None:
    """Flips a bit in that file of the version, or in its manifest."""
    store = ModelStore(folder / "state" / "models", read_only=True)
    paths = [store.manifest_file(model_id)]
    if name != "manifest":
        paths = [path for key in store.manifest(model_id)["parts"] for path in store.part_folder(key).glob(name)]
    content = bytearray(paths[0].read_bytes())
    content[len(content) // 2] ^= 1
    paths[0].write_bytes(content)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("combiner.json", "golden.npz", "member.json")]


@pytest.fixture(params=["manifest", *SLOW])
def damaged(request: pytest.FixtureRequest, copy: Path) -> Path:
    """October's version has one flipped bit."""
    damage(copy, versions(copy)[1], request.param)
    return copy


def test_a_flipped_bit_lets_the_version_before_serve_with_one_alert_until_it_is_made_again(
    damaged: Path, services_at: ServicesAt
) -> None:
    september, october = versions(damaged)
    live(damaged, services_at, "2021-10-06 08:50")
    assert speakers(damaged, "2021-10-06") == [september]
    live(damaged, services_at, "2021-10-06 17:00")
    live(damaged, services_at, "2021-10-07 08:50")
    assert speakers(damaged, "2021-10-07") == [october]
    alerts = rows(damaged, "SELECT payload FROM outbox WHERE kind = 'model'")
    assert len(alerts) == 1
    assert f"model {september} serves" in json.loads(alerts[0][0])["body"]
    kinds = [kind for (kind,) in rows(damaged, "SELECT kind FROM model_events ORDER BY number")]
    assert kinds == ["promoted", "promoted", "refused", "promoted"]
    note = rows(damaged, "SELECT detail FROM runs WHERE kind = 'decide' AND session = '2021-10-06'")[0][0]
    assert f"model {september} still serves, because that of 2021-10 is damaged" in note


@pytest.mark.parametrize("place", ["tried", "held"])
def test_where_the_only_version_that_served_is_damaged_that_of_the_month_serves_unpromoted(
    place: str, copy: Path, services_at: ServicesAt
) -> None:
    september, october = versions(copy)
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as database, database:
        database.execute("UPDATE model_events SET kind = ? WHERE model_id = ?", (place, october))
    config = copy / "config.toml"
    config.write_text(config.read_text() + '\n[promotion]\npolicy = "better"\n')
    damage(copy, september, "manifest")
    live(copy, services_at, "2021-10-06 08:50", "2021-10-06 17:00", "2021-10-07 08:50")
    assert speakers(copy, "2021-10-06") == speakers(copy, "2021-10-07") == [october]
    assert [day for day, *_ in shadows(copy)][-1] == "2021-10-05"  # nobody is heard beside itself
    assert len(rows(copy, "SELECT payload FROM outbox WHERE kind = 'model'")) == 1
    note = rows(copy, "SELECT detail FROM runs WHERE kind = 'decide' AND session = '2021-10-06'")[0][0]
    assert f"model {october} serves unpromoted, because no version before it is whole" in note


def test_the_events_read_back_as_they_were_written(copy: Path, services_at: ServicesAt) -> None:
    say(copy, "rollback")
    with services_at(copy, "2021-10-05 20:00") as services, reading(services.engine) as conn:
        events = read_model_events(conn, "live")
        assert conn.scalar(text("SELECT count(*) FROM model_events")) == len(events) == 3
    assert [event.kind for event in events] == [ModelEventKind.PROMOTED] * 2 + [ModelEventKind.ROLLED_BACK]


@pytest.mark.slow  # it loads TensorFlow
def test_a_version_is_written_out_for_people_with_the_history_of_its_training(copy: Path) -> None:
    _, october = versions(copy)
    assert "written to" in say(copy, "export", "2021-10", "--out", str(copy / "out")).output
    store = ModelStore(copy / "state" / "models")
    assert json.loads((copy / "out" / "manifest.json").read_bytes()) == store.manifest(october)
    assert (copy / "out" / "small-0" / "history.csv").read_text().startswith("epoch")
    assert (copy / "out" / "small-0" / "model.keras").is_file()
    assert (copy / "out" / "lightgbm-0").is_dir()
    assert "cannot be written: File exists" in str(say(copy, "export", "2021-10", "--out", str(copy / "out")).exception)


def test_a_version_shows_what_it_was_made_from_and_two_show_in_what_they_differ(copy: Path) -> None:
    september, october = versions(copy)
    shown = say(copy, "show", "2021-10").output
    assert f"parent: {september}\n" in shown
    assert "\n2021-10-01: promoted by policy: the newest\n" in shown
    differences = {row["name"]: row for row in json.loads(say(copy, "diff", "2021-09", "2021-10", "--json").output)}
    assert differences["month"] == {"name": "month", september: "2021-09", october: "2021-10"}
    assert {"bars", "combiner", "golden", "members.logit", "trained_to"} <= set(differences)
    assert not {"features", "symbols", "recipe", "libraries.numpy"} & set(differences)
    listed = json.loads(say(copy, "list", "--json").output)
    assert [(one["model_id"], one["state"], one["sessions"]) for one in listed] == [
        (october, "serves", 3),
        (september, "served", 3),
    ]
