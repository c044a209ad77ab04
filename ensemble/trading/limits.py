"""How much may be risked: stop, target, size and duration of a position, exposure, and what stops new ones."""

from typing import Literal

from pydantic import Field, model_validator

from ensemble.options import Options


class RiskLimits(Options):
    """The [risk] table. Percentages are of the entry price, or of the account's equity at its last marks for sizes,
    exposure and losses. No guard ever keeps a position from being closed.
    """

    product: Literal["cash", "futures"] = Field(
        default="cash", description="cash shares, where SELL means flat, or futures, where it may open a short"
    )
    stop_loss_pct: float = Field(
        default=2.0, gt=0, le=50, description="loss that closes a position, % below its entry, above it for a short"
    )
    take_profit_pct: float = Field(
        default=4.0, gt=0, le=100, description="gain that closes a position, % above its entry, below it for a short"
    )
    position_pct: float = Field(
        default=10.0, gt=0, le=100, description="size of a new position, % of the account's equity"
    )
    sizing: Literal["fixed", "volatility"] = Field(
        default="fixed",
        description="position_pct always, or less where that would swing more than target_volatility_pct a day",
    )
    target_volatility_pct: float = Field(
        default=0.2,
        gt=0,
        le=100,
        description="what a position may swing a day, one standard deviation of its last 20 closes, % of equity",
    )
    max_exposure_pct: float = Field(
        default=100.0, gt=0, le=100, description="worth of all positions after an entry, shorts too, % of equity"
    )
    max_symbol_exposure_pct: float = Field(
        default=100.0, gt=0, le=100, description="worth of a position at its entry, % of equity"
    )
    max_positions: int = Field(default=3, ge=1, le=100, description="positions held at one time, count")
    max_holding_sessions: int = Field(
        default=10,
        ge=1,
        le=250,
        description="a position leaves at the close of this session, its entry's is 1; sessions",
    )
    max_drawdown_pct: float = Field(
        default=20.0, gt=0, le=100, description="fall of equity from its peak that halts entries, %; 100 never does"
    )
    halt_sessions: int = Field(
        default=20, ge=0, le=1_000, description="how long a drawdown halts entries, sessions; 0 is until `resume`"
    )
    cool_down_sessions: int = Field(
        default=1, ge=0, le=250, description="no entry in a symbol for so long after a stop in it, sessions"
    )
    max_daily_loss_pct: float = Field(
        default=5.0,
        gt=0,
        le=100,
        description="loss of a session above which the next enters nothing, % of equity; 100 never does",
    )
    lot_size: int = Field(default=1, ge=1, le=1_000_000, description="orders are whole multiples of this, shares")
    initial_capital: float = Field(
        default=1_000_000.0,
        gt=0,
        le=1e12,
        description="cash the paper account starts with, currency of the market",
    )

    @model_validator(mode="after")
    def _a_short_has_a_target(self) -> "RiskLimits":
        if self.product == "futures" and self.take_profit_pct >= 100:
            raise ValueError("take_profit_pct was 100 with futures; a short cannot earn that, set it below 100")
        return self
