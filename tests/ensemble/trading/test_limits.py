from typing import Any

import pytest
from pydantic import ValidationError

from ensemble.trading.limits import RiskLimits


def test_the_limits_asked_for_are_the_defaults() -> None:
    limits = RiskLimits()
    assert (limits.stop_loss_pct, limits.take_profit_pct) == (2.0, 4.0)
    assert (limits.position_pct, limits.max_positions) == (10.0, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop_loss_pct", 0),
        ("stop_loss_pct", 50.1),
        ("take_profit_pct", 0),
        ("take_profit_pct", 100.1),
        ("position_pct", 0),
        ("position_pct", 140),
        ("position_pct", float("nan")),
        ("max_positions", 0),
        ("max_positions", 101),
        ("max_holding_sessions", 0),
        ("max_holding_sessions", 251),
        ("lot_size", 0),
        ("lot_size", 1_000_001),
        ("initial_capital", 0),
        ("initial_capital", float("inf")),
    ],
)
def test_a_limit_out_of_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        RiskLimits.model_validate({name: value})


@pytest.mark.parametrize("values", [{"position_pct": 100}, {"stop_loss_pct": 50, "take_profit_pct": 100}])
def test_the_upper_bounds_themselves_are_allowed(values: dict[str, Any]) -> None:
    assert RiskLimits.model_validate(values).model_dump(include=set(values)) == values


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="stop_los_pct"):
        RiskLimits.model_validate({"stop_los_pct": 2})


def test_every_limit_is_described() -> None:
    assert all(field.description for field in RiskLimits.model_fields.values())
