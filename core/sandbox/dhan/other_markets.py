"""Currency and commodity contracts of a day, a few of each kind; on both markets the broker counts lots.

MCX writes the day of expiry into its symbols, the others do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from core.sandbox.dhan.hours import last_full_day
from core.sandbox.dhan.security import Security

_EPOCH = date(2024, 1, 1)
_CRUDE_STEP = 50


@dataclass(frozen=True)
class _Thing:
    symbol: str
    price: Decimal
    tick: Decimal
    expires_on: int


_COMMODITIES = (
    _Thing("CRUDEOIL", Decimal(5400), Decimal(1), 19),
    _Thing("GOLDM", Decimal(124000), Decimal(1), 5),
    _Thing("MENTHAOIL", Decimal(950), Decimal("0.1"), 28),
)
_CURRENCIES = (
    _Thing("USDINR", Decimal("89.1"), Decimal("0.0025"), 28),
    _Thing("EURINR", Decimal(103), Decimal("0.0025"), 28),
)


def commodities(day: date) -> Iterator[Security]:
    """MCX: futures of three months, and options on the nearest future of crude oil."""
    for number, thing in enumerate(_COMMODITIES):
        for code, expiry in enumerate(_expiries(day, thing.expires_on)):
            yield _contract("MCX", "M", "FUTCOM", thing, expiry, slot=number, code=code, when=f"{expiry:%d%b%Y}")
    crude = _COMMODITIES[0]
    expiry = _expiries(day, crude.expires_on)[0]
    middle = int(crude.price) // _CRUDE_STEP * _CRUDE_STEP
    for place in range(-2, 3):
        for number, side in enumerate(("CE", "PE")):
            strike = Decimal(middle + place * _CRUDE_STEP)
            slot, when = 100 + (place + 2) * 2 + number, f"{expiry:%d%b%Y}"
            yield _contract(
                "MCX", "M", "OPTFUT", crude, expiry, slot=slot, code=0, when=when, strike=strike, option_type=side
            )


def currencies(day: date) -> Iterator[Security]:
    """NSE: futures of three months."""
    for number, thing in enumerate(_CURRENCIES):
        for code, expiry in enumerate(_expiries(day, thing.expires_on)):
            yield _contract("NSE", "C", "FUTCUR", thing, expiry, slot=number, code=code, when=f"{expiry:%b%Y}")


def _expiries(day: date, on: int) -> list[date]:
    """The next three, each on that day of its month or on the trading day before it."""
    first = day.replace(day=1)
    found: list[date] = []
    for _ in range(5):
        found.append(last_full_day(first.replace(day=on)))
        first = (first + timedelta(days=32)).replace(day=1)
    return [expiry for expiry in found if expiry >= day][:3]


def _contract(
    exchange: str,
    segment: str,
    kind: str,
    thing: _Thing,
    expiry: date,
    *,
    slot: int,
    code: int,
    when: str,
    strike: Decimal | None = None,
    option_type: str | None = None,
) -> Security:
    tail = "FUT" if strike is None else f"{strike}-{option_type}"
    return Security(
        exchange=exchange,
        segment=segment,
        id=str((expiry - _EPOCH).days * 1000 + 700 + slot),
        kind=kind,
        symbol=f"{thing.symbol}-{when}-{tail}",
        display=f"{thing.symbol} {expiry:%b} {tail}".upper(),
        exchange_type="FUT" if strike is None else "OP",
        lot=1,
        tick=thing.tick,
        price=thing.price,
        underlying=thing.symbol,
        expiry=expiry,
        expiry_flag="M",
        expiry_code=code,
        strike=strike,
        option_type=option_type,
    )
