import pytest
from pydantic import ValidationError

from ensemble.trading.costs import Costs, buy_price, commission, sell_price


def test_commission_is_basis_points_of_the_traded_value() -> None:
    assert commission(100_000, Costs(commission_bp=12)) == pytest.approx(120)


def test_slippage_is_always_against_the_trader() -> None:
    costs = Costs(slippage_bp=5)
    assert buy_price(2_000, costs) == pytest.approx(2_001)
    assert sell_price(2_000, costs) == pytest.approx(1_999)


def test_without_costs_prices_are_exactly_those_seen() -> None:
    free = Costs(commission_bp=0, slippage_bp=0)
    assert buy_price(1_234.05, free) == sell_price(1_234.05, free) == 1_234.05
    assert commission(1_234.05, free) == 0


@pytest.mark.parametrize("name", ["commission_bp", "slippage_bp"])
@pytest.mark.parametrize("value", [-1, 1_001, float("nan")])
def test_a_cost_out_of_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Costs.model_validate({name: value})
