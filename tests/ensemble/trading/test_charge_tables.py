"""Every rate a second time, as its source tells it: written without the tables, in other units."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import pytest

from ensemble.sessions import EXCHANGES
from ensemble.trading.charge_tables import Product, Side, charge_rates, charges_in_force

BEGIN = date(2004, 1, 1)
# charge, exchanges, products, payer, unit, then day and rate again and again.
TOLD = """
# Finance (No. 2) Act 2004, section 98, with the Finance Acts of 2005, 2006, 2012, 2013, 2023, 2024 (No. 2) and 2026.
stt XNSE,XBOM delivery both % 2004-01-01 0 2004-10-01 .075 2005-06-01 .1 2006-06-01 .125 2012-07-01 .1
stt XNSE,XBOM intraday seller % 2004-01-01 0 2004-10-01 .015 2005-06-01 .02 2006-06-01 .025
stt XNSE,XBOM futures seller % 2004-01-01 0 2004-10-01 .01 2005-06-01 .0133 2006-06-01 .017 2013-06-01 .01
stt XNSE,XBOM futures seller % 2023-04-01 .0125 2024-10-01 .02 2026-04-01 .05
# NSE, press release of 12 September 2012, statement of 24 March 2023, circular of 27 September 2024: the first slab.
exchange XNSE delivery,intraday both lakh 2004-01-01 7 2006-01-01 3.5 2009-10-01 3.25 2021-01-01 3.45
exchange XNSE delivery,intraday both lakh 2023-04-01 3.25 2024-04-01 3.22 2024-10-01 2.97
exchange XNSE futures both lakh 2004-01-01 2 2009-10-01 1.9 2021-01-01 2 2023-04-01 1.9 2024-04-01 1.88 2024-10-01 1.73
investor_protection XNSE delivery,intraday,futures both crore 2004-01-01 0 2023-04-01 10
# BSE, notices of August 2014 and March 2017 (a rupee a trade: below); brokers' lists of 2020, 2022 and 2023.
exchange XBOM delivery,intraday both crore 2004-01-01 325 2014-09-01 275 2017-04-01 0 2020-01-01 300 2022-12-01 375
exchange XBOM futures both crore 2004-01-01 0
# SEBI (Stock Brokers and Sub-brokers) Regulations 1992, amended in 2006, 2009, 2014, 2017, 2019 and 2020.
sebi XNSE,XBOM delivery,intraday both crore 2004-01-01 0
sebi XNSE,XBOM futures both crore 2004-01-01 10
sebi XNSE,XBOM delivery,intraday,futures both crore 2006-10-01 20 2009-07-01 10 2014-05-23 20 2017-04-01 15
sebi XNSE,XBOM delivery,intraday,futures both crore 2019-04-01 10 2020-06-01 5 2021-04-01 10
# Bombay Stamp Act 1958, article 51A; Indian Stamp Act 1899 with the Finance Act 2019.
stamp XNSE,XBOM delivery both % 2004-01-01 .01
stamp XNSE,XBOM intraday,futures both % 2004-01-01 .002
stamp XNSE,XBOM delivery buyer % 2020-07-01 .015
stamp XNSE,XBOM intraday buyer % 2020-07-01 .003
stamp XNSE,XBOM futures buyer % 2020-07-01 .002
# Securities Exchange Act of 1934, section 31: the fee rate advisories.
sec XNYS,XNAS delivery,intraday seller million 2004-01-01 46.8 2004-02-22 39 2004-04-01 23.4 2005-01-07 32.9
sec XNYS,XNAS delivery,intraday seller million 2005-04-01 41.8 2005-12-22 30.7 2007-03-17 15.3 2008-01-26 11
sec XNYS,XNAS delivery,intraday seller million 2008-04-01 5.6 2009-04-10 25.7 2010-01-15 12.7 2010-04-01 16.9
sec XNYS,XNAS delivery,intraday seller million 2011-01-21 19.2 2012-02-21 18 2012-04-01 22.4 2013-05-25 17.4
sec XNYS,XNAS delivery,intraday seller million 2014-03-18 22.1 2015-02-14 18.4 2016-02-16 21.8 2017-07-04 23.1
sec XNYS,XNAS delivery,intraday seller million 2018-05-22 13 2019-04-16 20.7 2020-02-18 22.1 2021-02-25 5.1
sec XNYS,XNAS delivery,intraday seller million 2022-05-14 22.9 2023-02-27 8 2024-05-22 27.8 2025-05-14 0
# Stamp Duty Ordinance (Cap. 117), amended in 2021 and 2023; levies of SFC and AFRC; trading fee of HKEX.
stamp XHKG delivery,intraday both % 2004-01-01 .1 2021-08-01 .13 2023-11-17 .1
levy XHKG delivery,intraday both % 2004-01-01 .004 2010-10-01 .003 2014-11-01 .0027 2022-01-01 .00285
exchange XHKG delivery,intraday both % 2004-01-01 .005 2023-01-01 .00565
# Ministry of Finance and State Administration of Taxation, China.
stamp XSHG delivery,intraday both % 2004-01-01 .2 2005-01-24 .1 2007-05-30 .3 2008-04-24 .1
stamp XSHG delivery,intraday seller % 2008-09-19 .1 2023-08-28 .05
# SGX: clearing fee, from 2014 with the access fee, .0325 and .0075.
exchange XSES delivery,intraday both % 2004-01-01 .05 2007-03-01 .04 2014-06-01 .04
# Finance Act 1986, part IV. Japan and Germany have no such tax.
stamp XLON delivery,intraday buyer % 2004-01-01 .5
stamp XTKS,XFRA delivery,intraday both % 2004-01-01 0
"""
PER = {"%": 1e-2, "lakh": 1e-5, "crore": 1e-7, "million": 1e-6}
PAYERS = {"both": (Side.BUY, Side.SELL), "buyer": (Side.BUY,), "seller": (Side.SELL,)}

# Service tax on brokers (Finance Act 1994, with cesses), since 2008 on the exchange's services as well; then GST.
BROKER, EXCHANGE = {"brokerage", "depository"}, {"brokerage", "depository", "exchange"}
TAX = [
    (date(2004, 1, 1), 8.0, BROKER),
    (date(2004, 9, 10), 10.2, BROKER),
    (date(2006, 4, 18), 12.24, BROKER),
    (date(2007, 5, 11), 12.36, BROKER),
    (date(2008, 5, 16), 12.36, EXCHANGE),
    (date(2009, 2, 24), 10.3, EXCHANGE),
    (date(2012, 4, 1), 12.36, EXCHANGE),
    (date(2015, 6, 1), 14.0, EXCHANGE),
    (date(2015, 11, 15), 14.5, EXCHANGE),
    (date(2016, 6, 1), 15.0, EXCHANGE),
    (date(2017, 7, 1), 18.0, EXCHANGE),
    (date(2022, 7, 18), 18.0, EXCHANGE | {"investor_protection", "sebi"}),
]


class Told(NamedTuple):
    """What one order of one exchange and product pays from a day on, of its value."""

    charge: str
    exchange: str
    product: Product
    since: date
    buyer: float
    seller: float


def told() -> list[Told]:
    lines = [line.split() for line in TOLD.splitlines() if line and not line.startswith("#")]
    return [one for line in lines for one in told_by(*line)]


def told_by(charge: str, exchanges: str, products: str, payer: str, unit: str, *steps: str) -> Iterator[Told]:
    for day, rate in zip(steps[::2], steps[1::2], strict=True):
        buyer, seller = (float(rate) * PER[unit] * (side in PAYERS[payer]) for side in (Side.BUY, Side.SELL))
        for exchange in exchanges.split(","):
            for product in products.split(","):
                yield Told(charge, exchange, Product(product), date.fromisoformat(day), buyer, seller)


def before(one: Told) -> Told:
    """What was told of the same charge before; of the first the first itself."""
    earlier = [other for other in told() if other[:3] == one[:3] and other.since < one.since]
    return max(earlier, key=lambda other: other.since, default=one)


def paid(one: Told, day: date) -> list[float]:
    """The shares of its value that a buyer's and a seller's order pay on `day` by the tables."""
    return [
        charges_in_force(one.exchange, side, session=day, product=one.product).of_value.get(one.charge, 0.0)
        for side in (Side.BUY, Side.SELL)
    ]


@pytest.mark.parametrize("one", told(), ids=lambda one: "-".join(str(part) for part in one[:4]))
def test_a_rate_holds_from_its_day_and_not_from_the_day_before(one: Told) -> None:
    assert paid(one, one.since) == pytest.approx([one.buyer, one.seller])
    earlier = before(one)
    assert paid(one, one.since - timedelta(days=1)) == pytest.approx([earlier.buyer, earlier.seller])


@pytest.mark.parametrize("exchange", ["XNSE", "XBOM"])
@pytest.mark.parametrize("place", range(len(TAX)), ids=lambda place: str(TAX[place][0]))
def test_the_tax_on_services_holds_from_its_day_and_not_from_the_day_before(exchange: str, place: int) -> None:
    first = TAX[place][0]
    for day, (_, percent, taxed) in ((first, TAX[place]), (first - timedelta(days=1), TAX[max(place - 1, 0)])):
        charges = charges_in_force(exchange, Side.BUY, session=day, product=Product.FUTURES)
        assert charges.tax == pytest.approx(percent / 100)
        assert charges.taxed == taxed


@pytest.mark.parametrize("day", [date(2004, 1, 1), date(2016, 11, 1), date(2026, 2, 23)])
def test_a_depository_charges_the_seller_of_delivered_shares_by_the_piece(day: date) -> None:
    for product in Product:
        for side in Side:
            charges = charges_in_force("XNSE", side, session=day, product=product)
            assert charges.of_order == ({"depository": 13.5} if (product, side) == ("delivery", "SELL") else {})


def test_the_bombay_exchange_charged_a_rupee_a_trade_from_april_2017_until_2020() -> None:
    for day, expected in ((date(2017, 3, 31), {}), (date(2017, 4, 1), {"exchange": 1.0}), (date(2020, 1, 1), {})):
        assert charges_in_force("XBOM", Side.BUY, session=day, product=Product.DELIVERY).of_order == expected


def test_each_row_of_the_tables_is_told_above() -> None:
    rows = {
        (rate.charge, exchange, on, rate.since)
        for rate in charge_rates()
        for exchange in rate.exchanges
        for on in rate.on
    }
    known = {(one.charge, one.exchange, str(one.product), one.since) for one in told()}
    for exchange in ("XNSE", "XBOM"):
        known |= {("tax", exchange, on, day) for day, _, taxed in TAX for on in taxed}
        known.add(("depository", exchange, "delivery", BEGIN))
    assert rows == known


def test_every_charge_begins_on_the_first_day_of_the_tables_and_is_kept_in_order() -> None:
    days: dict[tuple[str, str, str], list[date]] = {}
    for rate in charge_rates():
        for exchange in rate.exchanges:
            for on in ("services",) if rate.charge == "tax" else rate.on:
                days.setdefault((exchange, rate.charge, on), []).append(rate.since)
    for kept in days.values():
        assert kept[0] == BEGIN
        assert kept == sorted(set(kept))


def test_every_row_has_a_source_or_says_that_it_has_none() -> None:
    for rate in charge_rates():
        assert "https://" in rate.source or "http://" in rate.source or rate.source.startswith("unverified: ")


def test_a_session_before_the_tables_pays_what_their_first_day_paid() -> None:
    for product in Product:
        first = charges_in_force("XNSE", Side.BUY, session=BEGIN, product=product)
        assert charges_in_force("XNSE", Side.BUY, session=date(1996, 1, 1), product=product) == first


def test_every_exchange_whose_shares_can_be_traded_has_charges() -> None:
    charged = {exchange for rate in charge_rates() for exchange in rate.exchanges}
    assert charged == set(EXCHANGES) - {"ALWAYS", "CMES", "FOREX"}


def test_an_exchange_without_charges_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r'^exchange was "FOREX", which has no table of charges; .* "flat"\.$'):
        charges_in_force("FOREX", Side.BUY, session=date(2020, 1, 1), product=Product.DELIVERY)
