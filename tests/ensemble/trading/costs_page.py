"""The tables in docs/costs.md, each between two marks: `python -m tests.ensemble.trading.costs_page` writes them."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ensemble.trading.charge_tables import ChargeRate, charge_rates
from ensemble.trading.costs import Costs, Product, Side
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules

PAGE = Path(__file__).parents[3] / "docs" / "costs.md"
YEARS = (2006, 2013, 2019, 2021, 2025)
VALUE = 100_000
NAMES = {
    "brokerage": "brokerage",
    "stt": "transaction tax",
    "exchange": "exchange",
    "investor_protection": "investor fund",
    "sebi": "SEBI",
    "stamp": "stamp",
    "depository": "depository",
    "tax": "service tax, GST",
}


def with_tables(page: str) -> str:
    """The page with its tables replaced. Raises ValueError when a mark is missing."""
    for name, rows in {"round trips": _round_trips(), "rates": _rates()}.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"{PAGE.name} must hold each of the lines {begin} and {end} once; put them back.")
        before, rest = page.split(begin)
        page = f"{before}{begin}\n\n{chr(10).join(rows)}\n\n{end}{rest.split(end)[1]}"
    return page


def _round_trips() -> Iterator[str]:
    yield f"| | {' | '.join(NAMES.values())} | together | bp |"
    yield "|---|" + "--:|" * (len(NAMES) + 2)
    for product in Product:
        for year in YEARS:
            lines = _round_trip(date(year, 7, 1), product)
            cells = " | ".join(f"{lines.get(name, 0.0):.2f}" for name in NAMES)
            paid = sum(lines.values())
            yield f"| {product} {year} | {cells} | {paid:.2f} | {1e4 * paid / VALUE:.1f} |"


def _round_trip(day: date, product: Product) -> dict[str, float]:
    rules, paid = TradingRules(RiskLimits(), Costs()), dict.fromkeys(NAMES, 0.0)
    for side in Side:
        for name, amount in rules.charge_lines(side, VALUE, session=day, product=product).items():
            paid[name] += amount
    return paid


def _rates() -> Iterator[str]:
    yield "| exchange | charge | on | paid by | since | rate | source |"
    yield "|---|---|---|---|---|--:|---|"
    for rate in charge_rates():
        payer = "both" if len(rate.sides) == 2 else "buyer" if Side.BUY in rate.sides else "seller"
        cells = (*(", ".join(rate.exchanges), rate.charge, ", ".join(rate.on)), payer, str(rate.since), _told(rate))
        yield f"| {' | '.join(cells)} | {_linked(rate.source)} |"


def _told(rate: ChargeRate) -> str:
    return f"{rate.rate:g} {'%' if rate.unit == 'per cent' else 'an order' if rate.unit == 'order' else rate.unit}"


def _linked(source: str) -> str:
    return re.sub(r"(https?://\S*[^\s,;:])", r"<\1>", source)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
