"""Does a row depend on what came after its decision? Three ways of taking the future away."""

from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.learners import changed_objects
from ensemble.evaluation.audit.world import World, joined, panel_difference, said_difference
from ensemble.evaluation.audit.worlds import as_known, truncated

NO_POWER = "the other future changed no {} after it either: a leak could not have been seen"


def truncation(bench: Bench) -> Finding:
    """Rows of a file that ends there: the whole past must be as it is in the longer file.

    Finds what is worked out over the whole sample: scaling, limits, back-filling, smoothing, selection.
    """
    check, world = "truncation", bench.clean
    for row in (bench.early_row, bench.cut_rows[0], bench.said_row):
        world = bench.clean.of(truncated(bench.market, row))
        changed = panel_difference(bench.panel, world.panel, bench.panel.sessions[: row + 1])
        if changed:
            return Finding(check, Verdict.LEAK, f"without the sessions after {_day(bench, row)} {changed}")
    return _said_finding(check, bench, world, f"{bench.said_row + 1} rows are the same without what follows them")


def future_corruption(bench: Bench) -> Finding:
    """Another future of all series: everything decided before it must be as it is."""
    check, world = "future corruption", bench.other_future
    before, after = (bench.panel.sessions[rows] for rows in (slice(bench.said_row + 1), bench.later_rows))
    changed = panel_difference(bench.panel, world.panel, before)
    if changed:
        return Finding(check, Verdict.LEAK, f"with another future after {_day(bench, bench.said_row)} {changed}")
    if not panel_difference(bench.panel, world.panel, after):
        return Finding(check, Verdict.INCONCLUSIVE, NO_POWER.format("feature"))
    found = _said_finding(check, bench, world, f"nothing until {_day(bench, bench.said_row)} changed")
    if found.verdict == Verdict.CLEAN and not said_difference(bench.clean, world, after):
        return Finding(check, Verdict.INCONCLUSIVE, NO_POWER.format("probability"))
    return found


def as_of(bench: Bench) -> Finding:
    """At each decision only the bars known by then, by closing times worked out apart: the row must be as it is.

    Finds same-date joins of markets that close later, and bars used before their delay.
    """
    for row in bench.cut_rows:
        changed = row_as_known(bench.clean, row)
        if changed:
            return Finding("as-of", Verdict.LEAK, f"from the bars known at the decision {changed}")
    count = len(bench.cut_rows)
    return _said_finding("as-of", bench, bench.cut, f"{count} decisions, each made again from what was known by then")


def row_as_known(world: World, row: int) -> str:
    """What of one row changes where only the bars are left that were known when it was decided."""
    session = world.panel.sessions[row : row + 1]
    return panel_difference(world.panel, world.of(as_known(world.market, row)).panel, session)


def _said_finding(check: str, bench: Bench, world: World, clean: str) -> Finding:
    """Whether forecasts up to `said_row`, or what they are made by, are others in `world`."""
    sessions = bench.panel.sessions[bench.rows.start : bench.said_row + 1]
    changed = said_difference(bench.clean, world, sessions)
    objects = changed_objects(bench.clean.learners, world.learners)
    clauses = [changed, f"{objects[0]} came out differently" if objects else ""]
    return Finding(check, Verdict.LEAK if joined(clauses) else Verdict.CLEAN, joined(clauses) or clean)


def _day(bench: Bench, row: int) -> str:
    return f"{bench.panel.sessions[row]:%Y-%m-%d}"
