"""How much may be risked: the stop, the target, the size of a position and how long it may last."""

from pydantic import Field

from ensemble.options import Options


class RiskLimits(Options):
    """The [risk] table. Percentages are of the entry price, or of the account's equity for the size."""

    stop_loss_pct: float = Field(default=2.0, gt=0, le=50, description="loss that closes a position, % below its entry")
    take_profit_pct: float = Field(
        default=4.0, gt=0, le=100, description="gain that closes a position, % above its entry"
    )
    position_pct: float = Field(
        default=10.0, gt=0, le=100, description="size of a new position, % of the account's equity"
    )
    max_positions: int = Field(default=3, ge=1, le=100, description="positions held at one time, count")
    max_holding_sessions: int = Field(
        default=10,
        ge=1,
        le=250,
        description="a position leaves at the close of this session, its entry's is 1; sessions",
    )
    lot_size: int = Field(default=1, ge=1, le=1_000_000, description="orders are whole multiples of this, shares")
    initial_capital: float = Field(
        default=1_000_000.0,
        gt=0,
        le=1e12,
        description="cash the paper account starts with, currency of the market",
    )
