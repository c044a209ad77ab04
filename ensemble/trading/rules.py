"""What a session is settled by: how much may be risked, and what trading costs."""

from dataclasses import dataclass
from datetime import date

from ensemble.trading.costs import Costs, Product, Side, commission
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class TradingRules:
    """Limits and costs, and the exchange whose charges apply."""

    limits: RiskLimits
    costs: Costs
    exchange: str = "XNSE"

    def fees(self, side: Side, value: float, *, session: date, product: Product) -> float:
        """Taxes, charges and commission of one order that trades `value`, in the currency of `value`."""
        return commission(value, self.costs)
