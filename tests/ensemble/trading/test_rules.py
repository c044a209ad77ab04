from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ensemble.sessions import EXCHANGES
from ensemble.trading.costs import Costs, Product, Schedule, Side
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules

LIMITS = RiskLimits()
RULES = TradingRules(LIMITS, Costs())

sessions = st.dates(date(1996, 1, 1), date(2030, 12, 31))
exchanges = st.sampled_from(sorted(set(EXCHANGES) - {"ALWAYS", "CMES", "FOREX"}))
any_costs = st.builds(
    Costs,
    schedule=st.sampled_from(Schedule),
    commission_bp=st.floats(0, 1_000),
    delivery_brokerage_bp=st.floats(0, 1_000),
    brokerage_bp=st.floats(0, 1_000),
    brokerage_max=st.floats(0, 1e6),
)
any_rules = st.builds(TradingRules, limits=st.just(LIMITS), costs=any_costs, exchange=exchanges)


def round_trip(day: date, product: Product, rules: TradingRules = RULES) -> float:
    """What it costs to buy for 100,000 and to sell for as much."""
    return sum(rules.fees(side, 100_000, session=day, product=product) for side in Side)


@pytest.mark.parametrize(
    ("day", "product", "paid"),
    [
        # Tax 2 x 125, exchange 2 x 3.50, stamp 2 x 10, depository 13.50 and 12.24 % of it.
        (date(2006, 7, 3), Product.DELIVERY, 250 + 7 + 20 + 13.5 + 1.6524),
        # Tax 25, exchange 2 x 3.25, SEBI 2 x .10, stamp 2 x 2, brokerage 2 x 20, and 12.36 % of 40 + 6.50.
        (date(2013, 7, 1), Product.INTRADAY, 25 + 6.5 + 0.2 + 4 + 40 + 5.7474),
        # Tax 10, exchange 2 x 1.90, SEBI 2 x .10, stamp 2 x 2, brokerage 2 x 20, and 18 % of 40 + 3.80.
        (date(2019, 7, 1), Product.FUTURES, 10 + 3.8 + 0.2 + 4 + 40 + 7.884),
        # Tax 2 x 100, exchange 2 x 3.45, SEBI 2 x .10, stamp 15, depository 13.50, and 18 % of 6.90 + 13.50.
        (date(2021, 7, 1), Product.DELIVERY, 200 + 6.9 + 0.2 + 15 + 13.5 + 3.672),
        # Tax 25, exchange 2 x 2.97, fund 2 x .10, SEBI 2 x .10, stamp 3, brokerage 2 x 20, 18 % of 46.34.
        (date(2025, 7, 1), Product.INTRADAY, 25 + 5.94 + 0.2 + 0.2 + 3 + 40 + 8.3412),
        # Tax 50, exchange 2 x 1.73, fund 2 x .10, SEBI 2 x .10, stamp 2, brokerage 2 x 20, 18 % of 43.86.
        (date(2026, 4, 1), Product.FUTURES, 50 + 3.46 + 0.2 + 0.2 + 2 + 40 + 7.8948),
    ],
)
def test_a_round_trip_at_the_nse_costs_what_it_costs_by_hand(day: date, product: Product, paid: float) -> None:
    assert round_trip(day, product) == pytest.approx(paid)


def test_a_round_trip_elsewhere_pays_stamps_and_levies_and_no_tax_on_services() -> None:
    london, hongkong, newyork = (TradingRules(LIMITS, Costs(), exchange) for exchange in ("XLON", "XHKG", "XNYS"))
    day = date(2025, 7, 1)
    assert round_trip(day, Product.DELIVERY, london) == pytest.approx(500)
    assert round_trip(day, Product.DELIVERY, hongkong) == pytest.approx(2 * (100 + 2.85 + 5.65))
    assert round_trip(date(2018, 7, 2), Product.DELIVERY, newyork) == pytest.approx(1.3)
    assert round_trip(day, Product.FUTURES, london) == pytest.approx(40)


def test_the_lines_of_an_order_name_every_charge() -> None:
    lines = RULES.charge_lines(Side.SELL, 10_000, session=date(2025, 7, 1), product=Product.DELIVERY)
    assert lines == pytest.approx(
        {
            "brokerage": 0.0,
            "stt": 10.0,
            "exchange": 0.297,
            "investor_protection": 0.01,
            "sebi": 0.01,
            "depository": 13.5,
            "tax": 0.18 * (0.297 + 0.01 + 0.01 + 13.5),
        }
    )


def test_the_broker_takes_a_share_up_to_a_limit_and_tax_comes_on_top() -> None:
    day = date(2025, 7, 1)
    small, large = (RULES.charge_lines(Side.BUY, value, session=day, product=Product.FUTURES) for value in (1e4, 1e6))
    assert [small["brokerage"], large["brokerage"]] == pytest.approx([3, 20])
    costly = TradingRules(LIMITS, Costs(delivery_brokerage_bp=50, brokerage_max=1e6))
    with_broker = costly.charge_lines(Side.BUY, 1e4, session=day, product=Product.DELIVERY)
    without = RULES.charge_lines(Side.BUY, 1e4, session=day, product=Product.DELIVERY)
    assert with_broker["brokerage"] == pytest.approx(50)
    assert with_broker["tax"] - without["tax"] == pytest.approx(9)


def test_the_flat_schedule_is_one_rate_for_all_exchanges_and_times() -> None:
    flat = TradingRules(LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=12, brokerage_bp=100), "FOREX")
    for product in Product:
        assert flat.charge_lines(Side.BUY, 1e5, session=date(1990, 1, 1), product=product) == {"commission": 120}
        assert round_trip(date(1990, 1, 1), product, flat) == pytest.approx(240)


@given(any_rules, st.sampled_from(Side), st.floats(0, 1e9), sessions, st.sampled_from(Product))
@example(RULES, Side.SELL, 5.0, date(2025, 7, 1), Product.DELIVERY)
def test_fees_are_the_sum_of_their_lines_and_never_more_than_the_order_is_worth(
    rules: TradingRules, side: Side, value: float, session: date, product: Product
) -> None:
    lines = rules.charge_lines(side, value, session=session, product=product)
    assert all(amount >= 0 for amount in lines.values())
    fees = rules.fees(side, value, session=session, product=product)
    assert fees == sum(lines.values())
    assert fees <= value


@given(any_rules, st.sampled_from(Side), st.floats(0, 1e9), sessions, st.sampled_from(Product))
def test_a_larger_order_never_pays_less(
    rules: TradingRules, side: Side, value: float, session: date, product: Product
) -> None:
    paid = [rules.fees(side, worth, session=session, product=product) for worth in (value, 1.01 * value + 0.01)]
    assert paid[0] <= paid[1]
