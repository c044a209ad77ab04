"""How the cache is shown: a table on a terminal, plain columns when piped, JSON when asked."""

from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from daemon.console.tables import new_table, open_console, print_json
from daemon.errors import DaemonError
from daemon.models.cache import CacheEntry, Pruned
from ensemble.counted import counted


def show_cache(entries: Sequence[CacheEntry], *, as_json: bool) -> None:
    """One line a part, then the totals."""
    total, unneeded = _size(entries), [one for one in entries if not one.is_needed]
    if as_json:
        totals = {"parts": len(entries), "size_bytes": total, "unneeded_bytes": _size(unneeded)}
        print_json({"parts": [_as_row(one) for one in entries], "totals": totals})
        return
    console = open_console()
    if entries:
        console.print(_table(entries, console))
    console.print(
        f"{counted(len(entries), 'part')}, {megabytes(total)}; nothing refers to {len(unneeded)} of them, "
        f"{megabytes(_size(unneeded))}" + (" (`cache prune` removes them)" if unneeded else "")
    )


def show_pruned(pruned: Pruned, *, dry_run: bool, as_json: bool) -> None:
    """What went, or would go."""
    if as_json:
        gone = {"models": pruned.models, "months": pruned.months, "leftovers": pruned.leftovers}
        parts = [_as_row(one) for one in pruned.parts]
        sizes = {"size_bytes": pruned.size_bytes, "kept": pruned.kept, "dry_run": dry_run}
        print_json({"parts": parts} | gone | sizes)
        return
    others = [
        f"{len(names)} {what}"
        for names, what in (
            (pruned.models, "models"),
            (pruned.months, "records of months"),
            (pruned.leftovers, "drafts and damaged parts"),
        )
        if names
    ]
    typer.echo(
        f"{'would remove' if dry_run else 'removed'} {', '.join([counted(len(pruned.parts), 'part'), *others])}: "
        f"{megabytes(pruned.size_bytes)}; kept: {counted(pruned.kept, 'part')}"
    )


def show_faults(faults: Sequence[str], n_parts: int, *, as_json: bool) -> None:
    """Each fault in a line. Raises DaemonError when there is any."""
    if as_json:
        print_json({"parts": n_parts, "faults": list(faults)})
    else:
        for fault in faults:
            typer.echo(fault)
    if faults:
        raise DaemonError(
            f"{counted(len(faults), 'fault')} in {counted(n_parts, 'part')}; the next run or backtest makes again what "
            "it needs of them."
        )
    if not as_json:
        typer.echo(f"{counted(n_parts, 'part')}, all whole")


def megabytes(size_bytes: int) -> str:
    """As in "12.3 MB"."""
    return f"{size_bytes / 1e6:,.1f} MB"


def _size(entries: Sequence[CacheEntry]) -> int:
    return sum(one.part.size_bytes for one in entries)


def _table(entries: Sequence[CacheEntry], console: Console) -> Table:
    columns = ("kind", "month", "member", "last used (UTC)", "referred to by", "key", "size")
    title = "Trained parts" if console.is_terminal else ""  # one line a part, for awk
    table = new_table(console, title, *columns, left=6)
    for column in table.columns[3:6]:
        column.no_wrap = True
    for one in entries:
        table.add_row(
            one.part.kind,
            one.month,
            one.member or "",
            f"{one.part.used_at:%Y-%m-%d %H:%M}",
            _referrer(one),
            one.part.key[:12],
            megabytes(one.part.size_bytes),
        )
    return table


def _referrer(one: CacheEntry) -> str:
    if one.models:
        return one.models[-1] + (f" and {len(one.models) - 1} more" if len(one.models) > 1 else "")
    return f"the months' record of {', '.join(one.months)}" if one.months else "nothing"


def _as_row(one: CacheEntry) -> dict[str, Any]:
    return {
        "key": one.part.key,
        "kind": one.part.kind,
        "month": one.month,
        "months": list(one.months),
        "member": one.member,
        "size_bytes": one.part.size_bytes,
        "used_at": one.part.used_at.isoformat(timespec="seconds"),
        "models": list(one.models),
    }
