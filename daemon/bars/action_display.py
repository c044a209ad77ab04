"""What `bars actions` shows: each action, and the move over its ex-date beside what it explains."""

from collections.abc import Sequence
from dataclasses import asdict

from daemon.bars.action_check import CheckedAction
from daemon.console.tables import new_table, open_console, print_json


def show_actions(found: Sequence[CheckedAction], *, as_json: bool) -> None:
    """To standard output."""
    if as_json:
        print_json([asdict(one) for one in found])
        return
    console = open_console()
    columns = ("symbol", "session", "kind", "", "value", "move %", "explained %", "rest %", "limit %")
    table = new_table(console, "", *columns, left=4)
    for one in found:
        words = (one.symbol, str(one.session), one.kind, _verdict(one))
        moves = (one.move_pct, one.explained_pct, one.rest_pct, one.limit_pct)
        table.add_row(*words, f"{one.value:.6g}", *("" if move is None else f"{move:.2f}" for move in moves))
    console.print(table if found else "no action is stored")
    broken = sum(one.broken for one in found)
    if broken:
        console.print(f"{broken} moved farther over the ex-date than it explains: an adjustment is missing, or news.")


def _verdict(one: CheckedAction) -> str:
    if one.move_pct is None:
        return "no bar"
    return "BROKEN" if one.broken else "" if one.limit_pct is not None else "unknown"
