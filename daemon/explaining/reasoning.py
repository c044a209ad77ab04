"""A forecast taken apart: what was known, who spoke, what each member and feature had to do with it, and the rules."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from daemon.explaining.explanation import (
    Agreement,
    Combined,
    Inputs,
    MemberVoice,
    Reasoning,
    SeriesKnown,
    Share,
    Speaker,
)
from daemon.explaining.rules import rules_for
from daemon.explaining.standpoint import Then
from daemon.explaining.stored import Stored
from ensemble.arrays import Floats
from ensemble.evaluation.attribution.combination import Combination, combination
from ensemble.evaluation.attribution.contributions import Contributions, member_contributions
from ensemble.features.as_of import newest_known
from ensemble.forecasts import Forecast
from ensemble.model import DECIMALS, member_odds
from ensemble.stacking.comparison import Comparison
from ensemble.stacking.gate import explain
from ensemble.stacking.history import MemberOdds
from storage.model_index import ModelEntry


def reason(then: Then, stored: Stored, forecast: Forecast) -> Reasoning:
    """Everything behind `forecast`, worked out again, and whether it comes to what is stored."""
    panel, place = then.desk.panel, then.place
    odds = member_odds(then.model.members, panel, slice(place.row, place.row + 1))
    combined = combination(then.model.combiner.labels[place.label], _of_symbol(odds, place.symbol), place.label)
    parts = {name: member_contributions(seeds, panel, place) for name, seeds in then.model.members.items()}
    weights = combined.weights or (1 / len(parts),) * len(parts)
    drivers = np.sum([weight * one.by_feature for weight, one in zip(weights, parts.values(), strict=True)], axis=0)
    signal = next((one for one in then.signals if one.symbol == forecast.symbol), None)
    traded = signal is not None and signal.label == forecast.label
    return Reasoning(
        inputs=_inputs(then),
        speaker=_speaker(then, stored.model),
        combined=_combined(combined, stored.model, forecast.label),
        members=tuple(_voices(then, stored, combined, parts)),
        drivers=_shares(then, drivers),
        ordinary=_probability(combined.intercept + float(np.dot(weights, [one.base for one in parts.values()]))),
        rules=rules_for(then, signal) if signal is not None and traded else None,
        agreement=Agreement(tuple(_differences(then, stored, forecast)), then.basis, then.other_code),
    )


def _of_symbol(odds: MemberOdds, symbol: int) -> MemberOdds:
    chosen = slice(symbol, symbol + 1)
    return MemberOdds(odds.members, odds.log_odds[:, chosen], odds.condition_names, odds.conditions[chosen])


def _inputs(then: Then) -> Inputs:
    panel, place = then.desk.panel, then.place
    values = panel.values[place.symbol, place.row]
    unknown = tuple(name for name, value in zip(panel.features, values, strict=True) if np.isnan(value))
    return Inputs(then.desk.known_at, tuple(_series(then)), len(panel.features), unknown)


def _series(then: Then) -> Iterator[SeriesKnown]:
    market = then.desk.market
    instant = market.calendar.decisions(market.decision_time)[-1:]
    own = {symbol: (market.calendar.exchange, bars) for symbol, bars in market.bars.items()}
    for symbol, (exchange, bars) in (own | dict(market.context)).items():
        days = pd.DatetimeIndex(bars.index)
        newest = int(newest_known(market.known_at(days, exchange), instant)[0])
        kind = "traded" if symbol in then.settings.market.symbols else "peer" if symbol in own else "context"
        yield SeriesKnown(symbol, kind, days[newest].date() if newest >= 0 else None)


def _speaker(then: Then, entry: ModelEntry | None) -> Speaker:
    manifest = then.desk.services.models.manifest(then.model.model_id) if entry is None else entry.manifest
    return Speaker(
        then.model.model_id,
        then.model.month,
        entry.created_at if entry else None,
        str(manifest.get("trained_from", "")),
        str(manifest.get("trained_to", "")),
    )


def _combined(of: Combination, entry: ModelEntry | None, label: str) -> Combined:
    return Combined(
        method=of.method,
        why=f"{of.method} speaks" if entry is None else why_it_speaks(entry.manifest, label),
        intercept=of.intercept,
        added_by_trees=of.added,
        before_calibration=_probability(of.before),
        after_calibration=_probability(of.after),
        others={name: _probability(value) for name, value in of.others.items()},
    )


def why_it_speaks(manifest: Mapping[str, Any], label: str) -> str:
    """As in "mean speaks (best challenger ridge: log loss 0.6912, the mean's 0.6915, p 0.31 of 5 tried)"."""
    method, verdicts = manifest["methods"][label], manifest["verdicts"][label]
    compared = {name: Comparison(**verdict) for name, verdict in verdicts.items()}
    return explain(method, compared, fixed=manifest["combine"] == method)


def _voices(
    then: Then, stored: Stored, combined: Combination, parts: Mapping[str, Contributions]
) -> Iterator[MemberVoice]:
    weights: Sequence[float | None] = combined.weights or [None] * len(parts)
    for (name, one), weight in zip(parts.items(), weights, strict=True):
        yield MemberVoice(
            name=name,
            probability=stored.members.get(name, _probability(one.log_odds)),
            log_odds=one.log_odds,
            weight=weight,
            how=one.how.value,
            base=one.base,
            unexplained=one.unexplained,
            features=_shares(then, one.by_feature),
            steps=tuple(one.by_step.tolist()),
        )


def _shares(then: Then, log_odds: Floats) -> tuple[Share, ...]:
    """The largest first."""
    panel, place = then.desk.panel, then.place
    values = panel.values[place.symbol, place.row].astype(np.float64).tolist()
    shares = [Share(*one) for one in zip(panel.features, values, log_odds.tolist(), strict=True)]
    return tuple(sorted(shares, key=lambda share: -abs(share.log_odds)))


def _differences(then: Then, stored: Stored, forecast: Forecast) -> Iterator[str]:
    """As in "probability is 0.7412 in the store and 0.7398 now"; nothing where all is the same to the last digit."""
    said = next(one for one in then.known.said.forecasts() if (one.symbol, one.label) == _key(forecast))
    for name in ("probability", "probability_mean", "probability_low", "probability_high", "method", "data_digest"):
        yield from _differs(name, getattr(forecast, name), getattr(said, name))
    members = then.known.said.member_forecasts()
    again = {one.member: one.probability for one in members if (one.symbol, one.label) == _key(forecast)}
    for name in sorted(stored.members.keys() | again.keys()):
        yield from _differs(f"probability of {name}", stored.members.get(name), again.get(name))
    decided = next((one for one in then.signals if one.symbol == forecast.symbol), None)
    if stored.signal is not None:
        for name in ("action", "quantity", "reasons"):
            yield from _differs(f"signal's {name}", getattr(stored.signal, name), getattr(decided, name, None))


def _key(forecast: Forecast) -> tuple[str, str]:
    return forecast.symbol, forecast.label


def _differs(name: str, stored: object, now: object) -> Iterator[str]:
    if stored != now:
        yield f"{name} is {_told(stored)} in the store and {_told(now)} now"


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.{DECIMALS}f}" if isinstance(value, float) else str(value)


def _probability(log_odds: float) -> float:
    return round(float(1 / (1 + np.exp(-log_odds))), DECIMALS)
