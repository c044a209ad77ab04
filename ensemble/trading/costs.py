"""What trading costs: a commission of the traded value, and slippage against the trader."""

from enum import StrEnum

from pydantic import Field

from ensemble.options import Options

BP = 1e-4


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"


class Product(StrEnum):
    """How a position is carried, by which it is charged: shares overnight, shares within a session, or futures."""

    DELIVERY = "delivery"
    INTRADAY = "intraday"
    FUTURES = "futures"


class Costs(Options):
    """The [costs] table: both are paid on each side, at the entry and again at the exit."""

    # NSE delivery, each side: STT 10 bp, stamp 1.5 bp (buyer only), exchange, SEBI and GST about .4 bp.
    commission_bp: float = Field(
        default=12.0, ge=0, le=1_000, description="taxes and fees a side, bp of the traded value"
    )
    slippage_bp: float = Field(
        default=5.0, ge=0, le=1_000, description="fill worse than the price seen, a side, bp of price"
    )


def commission(value: float, costs: Costs) -> float:
    """Taxes and fees for trading `value`, in the currency of `value`."""
    return value * costs.commission_bp * BP


def buy_price(price: float, costs: Costs) -> float:
    """What a buyer at the market pays a share when `price` is on the screen."""
    return price * (1 + costs.slippage_bp * BP)


def sell_price(price: float, costs: Costs) -> float:
    """What a seller at the market gets a share when `price` is on the screen."""
    return price * (1 - costs.slippage_bp * BP)
