"""What every fitted object was given, against the first row it is tested on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ensemble.arrays import Integers
from ensemble.counted import counted
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.learners import Trace, changed_objects
from ensemble.evaluation.audit.world import forecast_sessions, joined, said_difference
from ensemble.labels import LABELS, label_horizon
from ensemble.panel import Panel


def provenance(bench: Bench) -> Finding:
    """The last row that members, stack, calibrators and gate were given lies before their test.

    So do the forecasts that stack and calibrators learn from: each made by members that had not seen its row.
    """
    traces = bench.traces
    late = [one for one in traces if one.last_row >= one.first_test_row]
    in_sample = [one for one in traces if one.in_sample]
    clauses = []
    if late:
        clauses.append(f"{late[0].name} was given {_day(bench.panel, late[0].last_row)}, {_tested(bench, late[0])}")
    if in_sample:
        count = in_sample[0].in_sample
        clauses.append(
            f"{in_sample[0].name} was given {counted(count, 'forecast')} of rows that their members had learned from"
        )
    if clauses:
        return Finding("provenance", Verdict.LEAK, joined(clauses))
    return Finding("provenance", Verdict.CLEAN, f"{len(traces)} fitted objects; {_nearest(bench, traces)}")


def label_overlap(bench: Bench) -> Finding:
    """Every label that anything learns from is known before the first test row: purge and embargo hold."""
    traces = bench.traces
    late = [one for one in traces if one.labels_too_late]
    if late:
        one = max(late, key=lambda trace: trace.labels_too_late)
        detail = (
            f"{one.name} learned from {counted(one.labels_too_late, 'label')} ending on or after its first test "
            f"session, the last on {_day(bench.panel, one.last_label)}, {_tested(bench, one)}"
        )
        return Finding("label overlap", Verdict.LEAK, detail)
    longest = 1 + max(label_horizon(label, bench.market.limits) for label in LABELS)
    return Finding("label overlap", Verdict.CLEAN, f"no label reaches a test, of labels over up to {longest} sessions")


def label_corruption(bench: Bench) -> Finding:
    """All labels not known before the tested month turned into their opposite: no forecast of it may move.

    Finds stopping, selection, calibration and choice of side on the test itself, however they came by its labels.
    """
    first = bench.clean.said.rows.start
    other = bench.clean.with_panel(_labels_turned(bench.panel, _label_ends(bench), first))
    clauses = [
        said_difference(bench.clean, other, forecast_sessions(bench.clean)),
        joined(changed_objects(bench.clean.learners, other.learners)[:1]),
    ]
    if joined(clauses):
        return Finding("label corruption", Verdict.LEAK, f"labels of the test were used: {joined(clauses)}")
    count = len(bench.clean.learners.made)
    return Finding(
        "label corruption", Verdict.CLEAN, f"{count} fitted objects and all forecasts ignore the test's labels"
    )


def _label_ends(bench: Bench) -> Integers:
    """The row whose close makes each label known, (n_rows, n_labels)."""
    reach = np.array([label_horizon(label, bench.market.limits) for label in LABELS])
    return np.asarray(np.arange(len(bench.panel.sessions))[:, None] + reach[None])


def _labels_turned(panel: Panel, ends: Integers, first: int) -> Panel:
    return replace(panel, labels=np.where(ends[None] >= first, 1 - panel.labels, panel.labels).astype(np.float32))


def _nearest(bench: Bench, traces: Sequence[Trace]) -> str:
    one = min(traces, key=lambda trace: trace.first_test_row - max(trace.last_row, trace.last_label))
    label = f"labels until {_day(bench.panel, one.last_label)}"
    return f"nearest {one.name}: rows until {_day(bench.panel, one.last_row)}, {label}, {_tested(bench, one)}"


def _tested(bench: Bench, trace: Trace) -> str:
    return f"tested from {_day(bench.panel, trace.first_test_row)}"


def _day(panel: Panel, row: int) -> str:
    if row < 0:
        return "nothing"
    return f"{panel.sessions[row]:%Y-%m-%d}" if row < len(panel.sessions) else "after the last session"
