"""The trade that the label `barrier` asks about."""

from pydantic import Field

from ensemble.options import Options
from ensemble.trading.limits import RiskLimits


class BarrierOptions(Options):
    """The [labels.barrier] table. Another question trains all models anew, other limits none."""

    stop_loss_pct: float = Field(default=2.0, gt=0, le=50, description="loss that ends it, % below its entry")
    take_profit_pct: float = Field(default=4.0, gt=0, le=100, description="gain that ends it, % above its entry")
    max_holding_sessions: int = Field(
        default=10, ge=1, le=250, description="it ends at the close of this session, its entry's is 1; sessions"
    )

    @property
    def limits(self) -> RiskLimits:
        """The limits that labels are answered by."""
        return RiskLimits(**self.model_dump())

    def unlike(self, limits: RiskLimits) -> list[str]:
        """The keys in which the trade that is asked about is not the one that `limits` make."""
        return [name for name, value in self if getattr(limits, name) != value]


class LabelOptions(Options):
    """The [labels] table: what is asked about a session, beyond the three questions that need no figure."""

    barrier: BarrierOptions = BarrierOptions()
