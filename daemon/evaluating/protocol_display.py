"""How the published table is explained: one line a configuration, then what follows from it."""

from dataclasses import asdict

from rich.table import Table

from daemon.console.tables import new_table, open_console, print_json
from ensemble.counted import counted
from ensemble.evaluation.protocol import ExplainedProtocol, ExplainedRow, explain
from ensemble.evaluation.small_sample import Interval

COLUMNS = ("as published", "TP", "FP", "FN", "TN", "accuracy %", "95 % interval", "a coin", "best of {0} coins")
RANKED = ("as published", "AUC", "95 % interval", "noise", "best of {0}", "F1", "95 % interval", "a coin", "says")


def explain_published(*, as_json: bool) -> None:
    """The rows behind the published figures, their intervals, and how often noise does as well."""
    explained = explain()
    if as_json:
        print_json(_as_json(explained))
        return
    console = open_console()
    tries = len(explained.lines)
    counted = new_table(console, "What was counted", *(name.format(tries) for name in COLUMNS))
    ranked = new_table(console, "What was ranked and summed", *(name.format(tries) for name in RANKED))
    for line in explained.lines:
        _add_counted(counted, line)
        _add_ranked(ranked, line)
    console.print(_found(explained))
    console.print(counted)
    console.print(ranked)
    for sentence in _conclusions(explained):
        console.print(sentence)


def _add_counted(table: Table, line: ExplainedRow) -> None:
    counts = (line.table.true_ups, line.table.false_ups, line.table.false_downs, line.table.true_downs)
    chances = (_percent(line.coin_is_right), _percent(line.best_coin_is_right))
    accuracy = 100 * line.table.right / line.table.rows
    low, high = line.accuracy_interval
    table.add_row(_name(line), *map(str, counts), f"{accuracy:.2f}", f"{100 * low:.1f} to {100 * high:.1f}", *chances)


def _add_ranked(table: Table, line: ExplainedRow) -> None:
    ranked = (line.published.auc, _interval(line.auc_interval))
    chances = (_percent(line.noise_has_auc), _percent(line.best_noise_has_auc))
    f1 = (f"{float(line.table.f1()):.4f}", _interval(line.f1_interval), _percent(line.coin_has_f1))
    table.add_row(_name(line), *ranked, *chances, *f1, line.constant or "both sides")


def _found(explained: ExplainedProtocol) -> str:
    others = ", ".join(f"{rows}/{ups}" for rows, ups in explained.others)
    return (
        f"The figures come from {counted(explained.rows, 'row')}, {explained.ups} of them up: the smallest table that "
        f"gives them all, of every table up to {counted(explained.max_rows, 'row')}"
        + (f" (its multiples {others} would fit too)." if others else ".")
    )


def _conclusions(explained: ExplainedProtocol) -> list[str]:
    tries = len(explained.lines)
    constants = [line for line in explained.lines if line.constant]
    sentences = [
        f"{_name(line)} is a constant: it {line.constant.replace('always', 'always says')}, so its recall is "
        f"{line.table.true_ups / line.table.ups:.0f} and its F1 of {float(line.table.f1()):.4f} is what saying so on "
        "every row earns. No model is needed for it."
        for line in constants
    ]
    best = max(explained.lines, key=lambda line: line.table.right)
    sentences.append(
        f"A coin is right {best.table.right} times in {explained.rows} or more in {_percent(best.coin_is_right)} of "
        f"cases; the best of {tries} coins in {_percent(best.best_coin_is_right)}. An AUC of {best.published.auc} "
        f"comes from pure noise in {_percent(best.noise_has_auc)}, from the best of {tries} in "
        f"{_percent(best.best_noise_has_auc)}."
    )
    if all(line.accuracy_interval[0] <= 0.5 and line.auc_interval[0] <= 0.5 for line in explained.lines):
        sentences.append("Every interval holds a coin's accuracy and AUC: the table shows no skill, and no lack of it.")
    return sentences


def _as_json(explained: ExplainedProtocol) -> dict[str, object]:
    content = asdict(explained)
    for shown, line in zip(content["lines"], explained.lines, strict=True):
        shown["f1"] = float(line.table.f1())
        shown["accuracy"] = line.table.right / line.table.rows
    return content


def _name(line: ExplainedRow) -> str:
    return f"{line.published.accuracy_pct} % / F1 {line.published.f1}"


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if 0.005 <= share < 0.995 else f"{100 * share:.2f} %"
