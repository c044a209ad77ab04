"""The daemon's wiring under audit: it is what the pure pipeline is, and a feature of one's own is looked at too."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sqlalchemy import text

from daemon.auditing.audit import audited_ensemble, prepare, stored_market, stored_outcomes
from daemon.auditing.audited import DaemonPipeline
from daemon.bars.ingest import ingest
from daemon.config.own_features import load_own_features
from daemon.config.settings import Settings
from daemon.errors import ConfigError
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from ensemble.evaluation.audit.finding import Verdict
from ensemble.evaluation.audit.own_features import OwnFeatureError, with_own_features
from ensemble.evaluation.audit.pipeline import EnsemblePipeline
from ensemble.evaluation.audit.suite import Check, named
from ensemble.evaluation.audit.world import World
from ensemble.features.matrix import build_panel
from ensemble.members.specs import LogitSpec, LstmSpec
from storage.engine import transaction

PROGRAM = Path(sys.executable).with_name("reliance-daemon")
TODAY = date(2021, 10, 6)
ServicesAt = Callable[..., AbstractContextManager[Services]]

HONEST = """
import numpy as np
import pandas as pd


def features(market):
    sessions = market.calendar.sessions
    rows = [np.log(bars["close"]).diff().reindex(sessions).shift(1) for bars in market.bars.values()]
    return {"own return": np.array(rows)}
"""
LEAKY = HONEST.replace(".shift(1)", "")


def own(folder: Path, source: str) -> Path:
    path = folder / "own_features.py"
    path.write_text(source)
    return path


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory, write_installation: Callable[[Path], Path], services_at: ServicesAt
) -> Path:
    """An installation that has read its bars and trained nothing."""
    folder = write_installation(tmp_path_factory.mktemp("installed"))
    with services_at(folder, "2021-10-05 20:00") as services:
        ingest(services, home_calendar(services.settings, services.clock.now()))
    return folder


def check(name: str) -> Check:
    return named([name])[0]


def test_the_daemons_wiring_says_to_the_bit_what_the_audited_pipeline_says(
    installed: Path, services_at: ServicesAt
) -> None:
    with services_at(installed, "2021-10-05 20:00") as services:
        audited = prepare(services.settings, services.engine, today=TODAY, full=False)
    clean = audited.bench.clean
    assert isinstance(clean.pipeline, DaemonPipeline)
    pure = World(EnsemblePipeline(clean.options), clean.options, clean.months, clean.market)
    assert_array_equal(pure.said.probability, clean.said.probability)
    assert pure.learners.made == clean.learners.made
    assert clean.months == ("2021-10",)
    assert audited.market == "AAA.NS, BBB.NS until 2021-10-05"


@pytest.mark.parametrize("name", ["provenance", "label overlap"])
def test_the_daemons_wiring_passes(name: str, installed: Path, services_at: ServicesAt) -> None:
    with services_at(installed, "2021-10-05 20:00") as services:
        finding = check(name)(prepare(services.settings, services.engine, today=TODAY, full=False).bench)
    assert finding.verdict == Verdict.CLEAN, finding.detail


def test_stored_outcomes_are_worked_out_again_and_a_wrong_one_is_found(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 20:00") as services:
        market = stored_market(services.settings, services.engine, TODAY)
        assert market is not None
        before = stored_outcomes(services.engine, market)
        shorter = replace(market, bars={**market.bars, "AAA.NS": market.bars["AAA.NS"].iloc[:-3]})
        gone = stored_outcomes(services.engine, shorter)
        with transaction(services.engine) as conn:
            conn.execute(text("UPDATE outcomes SET outcome = 1 - outcome WHERE symbol = 'AAA.NS' AND label = 'gap'"))
        after = stored_outcomes(services.engine, market)
    assert before is not None
    assert after is not None
    assert gone is not None
    assert (before.verdict, gone.verdict, after.verdict) == (Verdict.CLEAN, Verdict.CLEAN, Verdict.LEAK)
    assert "outcomes of gap, AAA.NS, are not what its bars say" in after.detail


@pytest.mark.parametrize(("lost", "told"), [(2, Verdict.CLEAN), (12, Verdict.INCONCLUSIVE)])
def test_a_stored_outcome_whose_bars_have_gone_is_no_leak(
    lost: int, told: Verdict, copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 20:00") as services:
        market = stored_market(services.settings, services.engine, TODAY)
        assert market is not None
        short = replace(market, bars={symbol: bars.iloc[:-lost] for symbol, bars in market.bars.items()})
        finding = stored_outcomes(services.engine, short)
    assert finding is not None
    assert finding.verdict == told
    assert re.search(
        r"^\d+ outcomes? .* came out the same twice, \d+ can't be told from the bars any more$", finding.detail
    )


def test_an_unknown_check_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'astrology' is no check; take some of provenance, label overlap"):
        named(["as-of", "astrology"])
    assert [one.name for one in named(["as-of", "provenance"])] == ["provenance", "as-of"]


def test_a_quick_audit_leaves_out_networks_and_a_full_one_keeps_them() -> None:
    configured = Settings().ensemble
    quick, full = (audited_ensemble(configured, full=full) for full in (False, True))
    assert not any(isinstance(member, LstmSpec) for member in quick.members)
    assert full.members == configured.members
    assert (quick.window_years, full.window_years) == (2, configured.window_years)
    networks = configured.model_copy(update={"members": configured.members[:1]})
    assert audited_ensemble(networks, full=False).members == (LogitSpec(),)


@pytest.mark.parametrize(("source", "verdict"), [(HONEST, Verdict.CLEAN), (LEAKY, Verdict.LEAK)])
def test_a_feature_of_ones_own_is_audited(
    source: str, verdict: Verdict, installed: Path, tmp_path: Path, services_at: ServicesAt
) -> None:
    with services_at(installed, "2021-10-05 20:00") as services:
        audit = services.settings.audit.model_copy(update={"features": own(tmp_path, source)})
        settings = services.settings.model_copy(update={"audit": audit})
        bench = prepare(settings, services.engine, today=TODAY, full=False).bench
        assert bench.panel.features[-1] == "own return"
        finding = check("as-of")(bench)
    assert finding.verdict == verdict
    assert ("own return" in finding.detail) == (verdict == Verdict.LEAK)


def test_own_features_of_a_wrong_shape_or_name_are_refused(installed: Path, services_at: ServicesAt) -> None:
    with services_at(installed, "2021-10-05 20:00") as services:
        market = stored_market(services.settings, services.engine, TODAY)
    assert market is not None
    panel = build_panel(market)
    with pytest.raises(OwnFeatureError, match="'mine' had the shape"):
        with_own_features(panel, market, lambda _: {"mine": np.zeros(3)})
    with pytest.raises(OwnFeatureError, match="name of one that there is"):
        with_own_features(panel, market, lambda _: {"return_1": np.zeros(panel.bar_age.shape)})


@pytest.mark.parametrize(
    ("source", "fault"),
    [("x = 1", "has no function features"), ("1 / 0", "raised ZeroDivisionError")],
)
def test_a_file_without_features_is_a_fault_of_the_configuration(source: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=fault):
        load_own_features(own(tmp_path, source))
    with pytest.raises(ConfigError, match="is no file"):
        load_own_features(tmp_path / "absent.py")


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), "--config", str(folder / "config.toml"), "audit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_exits_2_with_a_leak_and_names_it(installed: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(installed, tmp_path / "copy"))
    config = folder / "config.toml"
    config.write_text(config.read_text() + '\n[audit]\nfeatures = "own_features.py"\n')
    own(folder, LEAKY)
    result = call(folder, "--only", "as-of", "--json")
    assert result.returncode == 2, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["verdict"], answer["market"]) == ("leak", "AAA.NS, BBB.NS until 2021-10-05")
    assert [one["check"] for one in answer["findings"]] == ["as-of"]
    assert "own return" in answer["findings"][0]["detail"]


@pytest.mark.slow
def test_without_a_store_a_simulated_market_is_audited_and_the_default_passes(tmp_path: Path) -> None:
    """About half a minute on one core."""
    (tmp_path / "config.toml").write_text("")
    result = call(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "Verdict: clean" in result.stdout
