"""What a session is settled by: how much may be risked, and what trading costs."""

from dataclasses import dataclass
from datetime import date

from ensemble.trading.charge_tables import charges_in_force
from ensemble.trading.costs import Costs, Product, Schedule, Side, brokerage, commission
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class TradingRules:
    """Limits and costs, and the exchange whose charges apply."""

    limits: RiskLimits
    costs: Costs
    exchange: str = "XNSE"

    def fees(self, side: Side, value: float, *, session: date, product: Product) -> float:
        """Taxes, charges and brokerage of one order that trades `value`, in the currency of `value`."""
        return sum(self.charge_lines(side, value, session=session, product=product).values())

    def charge_lines(self, side: Side, value: float, *, session: date, product: Product) -> dict[str, float]:
        """The fees of one order charge by charge. Raises ValueError for an exchange without a table of charges."""
        if self.costs.schedule is Schedule.FLAT:
            return {"commission": commission(value, self.costs)}
        charges = charges_in_force(self.exchange, side, session=session, product=product)
        return charges.lines(value, brokerage(value, self.costs, product))
