"""How the threshold adviser is shown: one line a threshold."""

from dataclasses import asdict

from daemon.config.settings import Settings
from daemon.console.number_cells import interval, number
from daemon.console.tables import new_table, open_console, print_json
from daemon.evaluating.display import notes
from daemon.evaluating.evaluation import Material, thresholds
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.thresholds import ThresholdAdvice
from ensemble.trading.costs import Schedule
from ensemble.trading.signals import SignalOptions

COLUMNS = ("signals", "of all %", "right %", "interval", "a year", "buys a year", "right %", "interval", "trades")
AFTER_COSTS = ("a trade, bp", "interval", "account %")


def show_thresholds(material: Material, settings: Settings, *, as_json: bool) -> None:
    """What each threshold would have given, the configured one marked."""
    label, advice = thresholds(settings, material)
    first, last = material.labels[label].sessions[[0, -1]]
    traded = material.question.symbol or ", ".join(settings.market.symbols)
    signals = settings.signals
    configured = signals.min_confidence if signals.gate == "confidence" else None
    if as_json:
        range_ = {"label": label, "symbols": traded, "first_session": first.date(), "last_session": last.date()}
        gate = {"gate": signals.gate, "min_confidence": signals.min_confidence}
        print_json(range_ | gate | {"thresholds": [asdict(one) for one in advice], "notes": _not_replayed(signals)})
        return
    console = open_console()
    marked = "" if configured is None else "; * is configured"
    title = f"Thresholds for {label} of {traded}, {first:%Y-%m-%d} to {last:%Y-%m-%d}{marked}"
    table = new_table(console, title, "at least", *COLUMNS, *AFTER_COSTS)
    for one in advice:
        table.add_row(f"{'* ' * (one.threshold == configured)}{one.threshold:.2f}", *_cells(one))
    console.print(table)
    console.print(
        f"Trades are the paper account's: its fills, stops, targets and places, {_paid(settings)} and "
        f"{settings.costs.slippage_bp:g} bp of slippage a side. The threshold that looks best here was chosen with "
        "hindsight; the next years' best is another."
    )
    for note in (*_not_replayed(signals), *notes(material)):
        console.print(note)


def _paid(settings: Settings) -> str:
    if settings.costs.schedule is Schedule.FLAT:
        return f"{settings.costs.commission_bp:g} bp of commission"
    return f"the charges of {settings.market.exchange} by date"


def _not_replayed(signals: SignalOptions) -> list[str]:
    """What of the configuration these lines leave out, in sentences."""
    left_out = []
    if signals.gate != "confidence":
        left_out.append(
            f'What trades is signals.gate = "{signals.gate}", which is no threshold of the confidence: '
            "`backtest` shows what that gives."
        )
    if signals.max_disagreement is not None:
        left_out.append("signals.max_disagreement holds nothing here: members are not asked again.")
    return left_out


def _cells(one: ThresholdAdvice) -> tuple[str, ...]:
    return (
        f"{one.signals:,}",
        number(100 * one.coverage, 1),
        *_shares(one.right),
        number(one.signals_a_year, 1),
        number(one.ups_a_year, 1),
        *_shares(one.ups_right),
        f"{one.trades:,}",
        number(one.trade_return_bp.value, 1),
        interval(one.trade_return_bp, 1),
        number(one.return_pct, 2),
    )


def _shares(share: Estimate) -> tuple[str, str]:
    percent = Estimate(100 * share.value, 100 * share.low, 100 * share.high)
    return number(percent.value, 1), interval(percent, 1)
