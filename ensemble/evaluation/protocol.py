"""The table that this program was inspired by, taken apart: three configurations, scored on a few validation rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ensemble.evaluation.published_table import Confusion, PublishedRow, tables_that_fit
from ensemble.evaluation.small_sample import (
    Interval,
    auc_interval,
    best_of,
    coin_has_f1,
    coin_is_right,
    f1_interval,
    noise_has_auc,
    share_interval,
)

PUBLISHED = (
    PublishedRow(accuracy_pct="57.14", auc=".5521", f1=".7273", precision=".5714", recall="1.0"),
    PublishedRow(accuracy_pct="53.57", auc=".5365", f1=".6061"),
    PublishedRow(accuracy_pct="39.29", auc=".5286", f1=".1053"),
)
MAX_ROWS = 100
"""How large a table is looked for. Larger ones that fit are multiples of the smallest up to 200 rows."""


@dataclass(frozen=True, slots=True)
class ExplainedRow:
    """One published line: its confusion table, 95 % intervals, and how often noise does as well."""

    published: PublishedRow
    table: Confusion
    constant: str
    """"always up" or "always down" where that is what it is, else nothing."""
    accuracy_interval: Interval
    auc_interval: Interval
    f1_interval: Interval
    coin_is_right: float
    """P(a coin is right as often)."""
    best_coin_is_right: float
    """P(the best of as many coins as there are published lines is)."""
    noise_has_auc: float
    best_noise_has_auc: float
    coin_has_f1: float


@dataclass(frozen=True, slots=True)
class ExplainedProtocol:
    """What the published lines must have come from, and what they are worth."""

    rows: int
    ups: int
    others: tuple[tuple[int, int], ...]
    """Larger tables that would fit as well: (rows, ups)."""
    max_rows: int
    lines: tuple[ExplainedRow, ...]
    always_up_f1: float
    always_up_accuracy: float


def explain(published: Sequence[PublishedRow] = PUBLISHED, *, max_rows: int = MAX_ROWS) -> ExplainedProtocol:
    """The published lines explained by the smallest table that fits them all.

    Raises ValueError where none does, and where several confusion tables of that size fit one line.
    """
    fits = tables_that_fit(published, max_rows=max_rows)
    if not fits:
        raise ValueError(f"no table of up to {max_rows} rows gives these figures; check them, or look further.")
    smallest = fits[0]
    (tables, *others) = product(*smallest.tables)
    if others:
        raise ValueError(f"{len(others) + 1} tables of {smallest.rows} rows give these figures; print more decimals.")
    downs = smallest.rows - smallest.ups
    always_up = Confusion(smallest.ups, downs, 0, 0)
    return ExplainedProtocol(
        rows=smallest.rows,
        ups=smallest.ups,
        others=tuple((fit.rows, fit.ups) for fit in fits[1:]),
        max_rows=max_rows,
        lines=tuple(_explained(line, table, len(published)) for line, table in zip(published, tables, strict=True)),
        always_up_f1=float(always_up.f1()),
        always_up_accuracy=smallest.ups / smallest.rows,
    )


def _explained(line: PublishedRow, table: Confusion, tries: int) -> ExplainedRow:
    ups, downs, auc = table.ups, table.rows - table.ups, float(line.auc)
    by_coin = coin_is_right(table.right, table.rows)
    # The printed AUC is rounded: the nearest half pair is what was counted.
    by_noise = noise_has_auc(round(2 * auc * ups * downs) / (2 * ups * downs), ups, downs)
    return ExplainedRow(
        published=line,
        table=table,
        constant=table.constant,
        accuracy_interval=share_interval(table.right, table.rows),
        auc_interval=auc_interval(auc, ups, downs),
        f1_interval=f1_interval(table),
        coin_is_right=by_coin,
        best_coin_is_right=best_of(by_coin, tries),
        noise_has_auc=by_noise,
        best_noise_has_auc=best_of(by_noise, tries),
        coin_has_f1=coin_has_f1(table.f1(), ups, downs),
    )
