import pytest
from pydantic import ValidationError

from ensemble.trading.costs import Costs, Product, brokerage, buy_price, commission, sell_price


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


def test_a_discount_broker_takes_nothing_for_delivery_and_at_most_twenty_for_the_rest() -> None:
    assert brokerage(1e6, Costs(), Product.DELIVERY) == 0
    for product in (Product.INTRADAY, Product.FUTURES):
        taken = [brokerage(value, Costs(), product) for value in (10_000, 66_000, 67_000, 1e6)]
        assert taken == pytest.approx([3, 19.8, 20, 20])


@pytest.mark.parametrize("name", ["commission_bp", "delivery_brokerage_bp", "brokerage_bp", "slippage_bp"])
@pytest.mark.parametrize("value", [-1, 1_001, float("nan")])
def test_a_cost_out_of_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Costs.model_validate({name: value})
