"""The sections of the report, in the order in which somebody asks."""

from daemon.report.accuracy import accuracy
from daemon.report.candles import candles
from daemon.report.contributions import contributions
from daemon.report.equity import equity
from daemon.report.evidence import evidence
from daemon.report.health import health
from daemon.report.material import Material
from daemon.report.parts import Section
from daemon.report.today import held, today
from daemon.report.training import training


def sections(material: Material) -> tuple[Section, ...]:
    """What it says now, what it did live, how it is made, whether it is well; the backtest stands apart, at the end."""
    live, backtest = material.records
    return (
        today(material),
        held(material),
        candles(material),
        equity(material, live),
        accuracy(material, live),
        *evidence(material, live),
        contributions(material),
        training(material),
        health(material),
        equity(material, backtest),
        *(() if backtest.is_empty else (accuracy(material, backtest), *evidence(material, backtest))),
    )
