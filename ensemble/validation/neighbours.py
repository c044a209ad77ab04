"""What the other series of an exchange say of a session that one of them lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from ensemble.validation.findings import MISSING, Finding

DOUBTED_SESSION = "doubted_session"
"""A session of a calendar that nobody has checked, and no series has: it was none, by all that is known."""


def beside_others(
    found: Mapping[str, Sequence[Finding]],
    days: Mapping[str, pd.DatetimeIndex],
    exchanges: Mapping[str, str],
    checked: frozenset[str],
) -> dict[str, list[Finding]]:
    """The findings again, the missing sessions with what others say of them.

    `days`: the dates of each symbol's rows; `exchanges`: by symbol; `checked`: exchanges whose calendar is believed.
    """
    told = {}
    for symbol, findings in found.items():
        exchange = exchanges.get(symbol)
        others = [days[other] for other in found if other != symbol and exchanges.get(other) == exchange]
        certain = exchange is None or exchange in checked
        told[symbol] = [
            _told(finding, others, certain=certain) if finding.kind == MISSING else finding for finding in findings
        ]
    return told


def _told(finding: Finding, others: Sequence[pd.DatetimeIndex], *, certain: bool) -> Finding:
    session = pd.Timestamp(finding.session)
    spanning = [days for days in others if days[0] <= session <= days[-1]]
    have = sum(session in days for days in spanning)
    if not spanning:
        return finding
    if have or certain:
        said = f"{have} of {len(spanning)} others" if have else f"none of {len(spanning)} others"
        return replace(finding, detail=f"{finding.detail}, {said} of the exchange have it")
    return replace(finding, kind=DOUBTED_SESSION, detail=f"{finding.detail}, no series of the exchange has it")
