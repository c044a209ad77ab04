"""How a report card is shown: verdicts in words, then the tables they follow from."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from daemon.backtests.edge_display import edge_table
from daemon.config.settings import Settings
from daemon.console.number_cells import NONE, interval, number
from daemon.console.progress import shown
from daemon.console.tables import new_table, open_console, print_json
from daemon.evaluating.evaluation import Graded, Material, grade, parts
from ensemble.counted import counted
from ensemble.evaluation.breakdown import Part, Parts
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.report_card import LabelCard, Rival
from ensemble.evaluation.targets import TargetResult
from ensemble.evaluation.verdict import Verdict, chance

DEGENERATE = "degenerate"


def show_card(engine: Engine, settings: Settings, material: Material, *, by: Parts | None, as_json: bool) -> None:
    """The report card, and the parts asked for."""
    graded = grade(engine, settings, material, shown)
    found = parts(settings, material, by) if by else ()
    if as_json:
        print_json(_as_json(graded) | ({f"by_{by}": [asdict(part) for part in found]} if by else {}))
        return
    console = open_console()
    console.print(heading(graded.material))
    for label, card in graded.cards.items():
        console.print(f"{label}: {card.verdict.verdict}, {'; '.join((card.verdict.reason, *card.remarks))}.")
    console.print(_corrections(graded))
    for table in (*_tables(console, graded.cards), edge_table(console, graded.edges)):
        console.print(table)
    if by:
        console.print(part_table(console, by, found))
    for note in notes(graded.material):
        console.print(note)


def heading(material: Material) -> str:
    """What the card is about, in a line."""
    (first, last), symbols = material.span, material.symbols
    return (
        f"Report card of the {material.question.origin} forecasts, {first} to {last}: {', '.join(symbols)}. "
        f"AUC is averaged over {'months' if len(symbols) > 1 else 'quarters'}; intervals are 95 %."
    )


def notes(material: Material) -> list[str]:
    """What was not looked at, or looked at for the one time."""
    found = []
    if material.held_back:
        found.append(
            f"{material.held_back} sessions are held out and were not looked at; --open-holdout opens them, once for "
            "evaluation.experiment."
        )
    if material.opening is not None:
        found.append(
            f"The sessions from {material.opening.holdout_from} on were held out, and opened for experiment "
            f'"{material.opening.experiment}" at {material.opening.opened_at:%Y-%m-%d %H:%M} UTC. That was its look.'
        )
    return found


def _corrections(graded: Graded) -> str:
    """What the p-values of the verdicts are corrected for, and what the ledger's best is worth."""
    labels = next(iter(graded.cards.values())).verdict.labels
    line = (
        f"p is the chance of so good a ranking without skill, given {counted(labels, 'label')} looked at and "
        f"{counted(graded.trials, 'configuration')} in the ledger."
    )
    best = [
        f"{label} {chance(card.best_trial.p_value)} (of {card.best_trial.tried})"
        for label, card in graded.cards.items()
        if card.best_trial is not None
    ]
    return line + (f" Best of the trials against the base rate (SPA): {', '.join(best)}." if best else "")


def _tables(console: Console, cards: Mapping[str, LabelCard]) -> Iterator[Table]:
    yield _side_table(console, cards)
    yield _up_table(console, cards)
    yield _ranking_table(console, cards)
    yield _calibration_table(console, cards)
    yield _curve_table(console, cards)
    yield _target_table(console, cards)
    yield _rival_table(console, cards)


def _side_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    columns = ("forecasts", "worth", "up %", "says up %", "right %", "interval", "balanced %", "MCC", "p of the sides")
    table = new_table(console, "Sides (above one half says up)", "label", *columns)
    for label, card in cards.items():
        scores = card.scores
        table.add_row(
            label,
            f"{scores.forecasts:,}",
            f"{scores.effective_forecasts:,.0f}",
            _percent(scores.up_share),
            _percent(scores.said_up_share),
            _percent(scores.accuracy.value),
            _percents(scores.accuracy),
            _percent(scores.balanced_accuracy.value),
            number(scores.mcc.value),
            p_cell(card.sides.p_value),
        )
    return table


def _up_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    columns = ("precision %", "interval", "recall %", "interval", "F1", "interval")
    table = new_table(console, "Ups (F1 of a degenerate model is not shown)", "label", *columns)
    for label, card in cards.items():
        scores = card.scores
        f1 = (NONE, DEGENERATE) if _is_degenerate(card) else (number(scores.f1.value), interval(scores.f1))
        shares = (scores.precision, scores.recall)
        table.add_row(label, *(cell for one in shares for cell in (_percent(one.value), _percents(one))), *f1)
    return table


def _ranking_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    columns = ("AUC", "interval", "pooled AUC", "interval", "log loss", "skill %", "interval")
    table = new_table(console, "Ranking and loss (skill: against the base rate then known)", "label", *columns)
    for label, card in cards.items():
        scores = card.scores
        table.add_row(
            label,
            number(scores.fold_auc.value),
            interval(scores.fold_auc.estimate),
            number(scores.auc.value),
            interval(scores.auc.estimate),
            number(scores.log_loss.value, 4),
            _percent(scores.log_loss_skill.value),
            _percents(scores.log_loss_skill),
        )
    return table


def _calibration_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    brier = ("Brier", "= reliability", "- resolution", "+ uncertainty")
    title = "Calibration (ECE beside that of a perfect model on as many forecasts)"
    table = new_table(console, title, "label", *brier, "ECE", "perfect's", "95 % below", "p", "AUGRC")
    for label, card in cards.items():
        parts, error = card.brier, card.calibration
        four = (parts.brier, parts.reliability, parts.resolution, parts.uncertainty)
        table.add_row(
            label,
            *(number(part, 4) for part in four),
            number(error.ece),
            number(error.perfect_mean),
            number(error.perfect_95),
            p_cell(error.p_value),
            number(card.augrc),
        )
    return table


def _curve_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    tenths = tuple(f"{place}" for place in range(1, 11))
    title = "Curves, a tenth of the forecasts at a time: said % > came true %; wrong % of the most confident"
    table = new_table(console, title, "label", "curve", *tenths, left=2)
    for label, card in cards.items():
        said = (f"{100 * one.mean_probability:.0f} > {100 * one.up_share:.0f}" for one in card.calibration_curve)
        table.add_row(label, "calibration", *said)
        table.add_row(label, "risk", *(f"{100 * one.risk:.0f}" for one in card.risk_coverage))
    return table


def _target_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    columns = ("label", "forecasts", "score", "count", "value", "interval", "constant", "asked", "", "stretch", "")
    table = new_table(console, "What was asked for", *columns, left=3)
    for label, card in cards.items():
        sure = card.confident
        for name, count, targets in (
            ("all", card.scores.forecasts, card.targets),
            (f"{sure.threshold:.2f} sure", sure.forecasts, sure.targets),
        ):
            for one in targets:
                _add_target(table, (label, name), count, one, hidden=_is_degenerate(card) and one.target.score == "F1")
    return table


def _add_target(table: Table, names: tuple[str, str], count: int, one: TargetResult, *, hidden: bool) -> None:
    value = (NONE, DEGENERATE) if hidden else (number(one.estimate.value), interval(one.estimate))
    asked = (f"> {one.target.asked:.2f}", one.asked, f"> {one.target.stretch:.2f}", one.stretch)
    table.add_row(*names, one.target.score, f"{count:,}", *value, number(one.constant), *asked)


def _rival_table(console: Console, cards: Mapping[str, LabelCard]) -> Table:
    columns = ("right %", "AUC", "log loss", "p of the AUC", "p of the log loss")
    table = new_table(
        console,
        "Beside simple forecasters (p: chance of such a lead over them if there were none)",
        "label",
        "who",
        *columns,
        left=2,
    )
    for label, card in cards.items():
        scores = card.scores
        own = (_percent(scores.accuracy.value), number(scores.fold_auc.value), number(scores.log_loss.value, 4))
        table.add_row(label, "the ensemble", *own, "", "")
        for rival in card.rivals:
            table.add_row(label, *_rival(rival))
    return table


def _rival(rival: Rival) -> tuple[str, ...]:
    scores = (_percent(rival.accuracy), number(rival.auc), number(rival.log_loss, 4))
    return rival.name, *scores, p_cell(rival.auc_p_value), p_cell(rival.loss_p_value)


def part_table(console: Console, by: Parts, found: tuple[Part, ...]) -> Table:
    """One row a label and part."""
    columns = ("forecasts", "up %", "right %", "interval", "AUC", "interval", "log loss", "base rate's", "p")
    table = new_table(console, f"By {by}", "label", by, *columns, left=2)
    for part in found:
        table.add_row(
            part.label,
            part.name,
            f"{part.forecasts:,}",
            _percent(part.up_share),
            _percent(part.accuracy.value),
            _percents(part.accuracy),
            number(part.auc.value),
            interval(part.auc),
            number(part.log_loss, 4),
            number(part.base_log_loss, 4),
            p_cell(part.loss_p_value),
        )
    return table


def p_cell(p_value: float) -> str:
    """As in ".031" and "< .001"; a dash where there is no test."""
    return NONE if p_value != p_value else chance(p_value).removeprefix("p ").removeprefix("= ")


def _percent(value: float) -> str:
    return number(100 * value, 1)


def _percents(estimate: Estimate) -> str:
    return interval(Estimate(100 * estimate.value, 100 * estimate.low, 100 * estimate.high), 1)


def _is_degenerate(card: LabelCard) -> bool:
    """Its F1 is nothing to show."""
    return card.verdict.verdict is Verdict.DEGENERATE


def _as_json(graded: Graded) -> dict[str, Any]:
    material = graded.material
    first, last = material.span
    return {
        "origin": material.question.origin,
        "first_session": first,
        "last_session": last,
        "symbols": material.symbols,
        "trials": graded.trials,
        "held_back_sessions": material.held_back,
        "holdout_opening": material.opening and asdict(material.opening),
        "labels": {label: _card_json(card) for label, card in graded.cards.items()},
        "edges": [asdict(edge) for edge in graded.edges],
    }


def _card_json(card: LabelCard) -> dict[str, Any]:
    content = asdict(card)
    if _is_degenerate(card):
        content["scores"]["f1"] = None
        for one in (*content["targets"], *content["confident"]["targets"]):
            if one["target"]["score"] == "F1":
                one["estimate"] = None
    return content
