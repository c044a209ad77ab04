"""What trading costs: the charges of the day or one rate, the broker's part, and slippage against the trader."""

from enum import StrEnum

from pydantic import Field

from ensemble.options import Options
from ensemble.trading.charge_tables import Product, Side

__all__ = ["Costs", "Product", "Schedule", "Side", "brokerage", "buy_price", "commission", "sell_price"]

BP = 1e-4


class Schedule(StrEnum):
    """Where taxes and fees come from: the dated tables of the exchange, or one rate for all times."""

    EXCHANGE = "exchange"
    FLAT = "flat"


class Costs(Options):
    """The [costs] table. Taxes and fees are paid on each order, slippage by orders at the market."""

    schedule: Schedule = Field(
        default=Schedule.EXCHANGE, description="the exchange's charges by date, or one rate a side"
    )
    commission_bp: float = Field(
        default=12.0, ge=0, le=1_000, description='taxes and fees a side with schedule "flat", bp of the traded value'
    )
    # A discount broker's tariff, for all times: there was none in India before 2010.
    delivery_brokerage_bp: float = Field(
        default=0.0, ge=0, le=1_000, description="the broker's part of an order in shares kept overnight, bp of value"
    )
    brokerage_bp: float = Field(
        default=3.0, ge=0, le=1_000, description="the broker's part of an intraday or futures order, bp of value"
    )
    brokerage_max: float = Field(
        default=20.0, ge=0, le=1_000_000, description="most that the broker takes for an order, currency of the market"
    )
    slippage_bp: float = Field(
        default=5.0, ge=0, le=1_000, description="fill worse than the price seen, a side, bp of price"
    )


def commission(value: float, costs: Costs) -> float:
    """The flat rate for trading `value`, in the currency of `value`."""
    return value * costs.commission_bp * BP


def brokerage(value: float, costs: Costs, product: Product) -> float:
    """The broker's part of an order that trades `value`, before tax, in the currency of `value`."""
    rate_bp = costs.delivery_brokerage_bp if product is Product.DELIVERY else costs.brokerage_bp
    return min(value * rate_bp * BP, costs.brokerage_max)


def buy_price(price: float, costs: Costs) -> float:
    """What a buyer at the market pays a share when `price` is on the screen."""
    return price * (1 + costs.slippage_bp * BP)


def sell_price(price: float, costs: Costs) -> float:
    """What a seller at the market gets a share when `price` is on the screen."""
    return price * (1 - costs.slippage_bp * BP)
