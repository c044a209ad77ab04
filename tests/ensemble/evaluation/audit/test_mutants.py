"""The audit finds every pipeline that was broken on purpose, and passes the one that was not."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.delay import one_day_delay
from ensemble.evaluation.audit.finding import Verdict, exit_code
from ensemble.evaluation.audit.pipeline import EnsemblePipeline
from ensemble.evaluation.audit.suite import CHECKS, audit
from ensemble.evaluation.audit.world import last_months
from ensemble.features.matrix import Market, build_panel
from ensemble.model import EnsembleOptions
from ensemble.sessions import load_calendar
from tests.ensemble.evaluation.audit.leaky_models import LEAKY_MODELS, AlwaysUp
from tests.ensemble.evaluation.audit.leaky_panels import LEAKY_PANELS, Alter, LeakyPanel

BY_NAME = {check.name: check for check in CHECKS}
MakeBench = Callable[..., Bench]


def test_there_are_enough_mutants_and_each_check_finds_one() -> None:
    assert len(LEAKY_PANELS) + len(LEAKY_MODELS) >= 20
    assert {name for names in (*LEAKY_PANELS.values(), *LEAKY_MODELS.values()) for name in names} == set(BY_NAME)


def test_the_clean_pipeline_passes_every_check(make_bench: MakeBench) -> None:
    findings = list(audit(make_bench()))
    assert [one for one in findings if one.verdict != Verdict.CLEAN] == []
    assert len(findings) == len(CHECKS)
    assert exit_code(findings) == 0


def in_new_york(market: Market) -> Market:
    """Its bars session by session at another desk, with no context but the index of that exchange."""
    days = market.calendar.sessions
    calendar = load_calendar("XNYS", first=days[0].date(), last=days[-1].date()).until(len(days))

    def moved(bars: pd.DataFrame) -> pd.DataFrame:
        return bars.set_axis(calendar.sessions[days.get_indexer(bars.index)]).rename_axis("session")

    bars = {symbol: moved(one) for symbol, one in market.bars.items()}
    return replace(market, calendar=calendar, bars=bars, context={"INDEX": ("XNYS", moved(market.context["INDEX"][1]))})


def test_where_no_context_closes_overnight_nothing_has_to_come_late(
    market: Market, options: EnsembleOptions, make_bench: MakeBench
) -> None:
    there, bench = in_new_york(market), make_bench()
    months = last_months(build_panel(there), options, 1)
    found = one_day_delay(replace(bench, clean=replace(bench.clean.of(there), months=months)))
    assert found.verdict == Verdict.CLEAN, found


@pytest.mark.parametrize("mutant", LEAKY_PANELS, ids=lambda alter: alter.__name__)
def test_a_leaky_panel_is_found(mutant: Alter, make_bench: MakeBench, options: EnsembleOptions) -> None:
    bench = make_bench(LeakyPanel(options, mutant))
    findings = [BY_NAME[name](bench) for name in LEAKY_PANELS[mutant]]
    assert {one.verdict for one in findings} == {Verdict.LEAK}, findings


@pytest.mark.parametrize("mutant", LEAKY_MODELS, ids=lambda kind: kind.__name__)
def test_a_leaky_model_is_found(
    mutant: type[EnsemblePipeline], make_bench: MakeBench, options: EnsembleOptions
) -> None:
    bench = make_bench(mutant(options))
    findings = [BY_NAME[name](bench) for name in LEAKY_MODELS[mutant]]
    expected = Verdict.INCONCLUSIVE if mutant is AlwaysUp else Verdict.LEAK
    assert {one.verdict for one in findings} == {expected}, findings


@pytest.mark.slow
def test_the_whole_audit_passes_no_mutant(make_bench: MakeBench, options: EnsembleOptions) -> None:
    """About three minutes on one core."""
    benches = {alter.__name__: make_bench(LeakyPanel(options, alter)) for alter in LEAKY_PANELS}
    benches |= {kind.__name__: make_bench(kind(options)) for kind in LEAKY_MODELS}
    passed = [name for name, bench in benches.items() if exit_code(list(audit(bench))) == 0]
    assert passed == []
