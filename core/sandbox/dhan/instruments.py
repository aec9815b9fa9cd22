"""What can be traded at the stand-in, and the instrument file that says so (Dhan's compact CSV, 16 columns).

Shares carry the ids, names and ticks of the real file; futures and options are made for the day.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files

from core.sandbox.dhan.contracts import INDICES, derivatives
from core.sandbox.dhan.other_markets import commodities, currencies
from core.sandbox.dhan.security import Security

HEADER = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,"
    "SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME"
)
DETAILED_HEADER = (
    "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,"
    "INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,BRACKET_FLAG,"
    "COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,BUY_CO_MIN_MARGIN_PER,BUY_CO_SL_RANGE_MAX_PERC,"
    "BUY_CO_SL_RANGE_MIN_PERC,BUY_BO_MIN_MARGIN_PER,BUY_BO_PROFIT_RANGE_MAX_PERC,BUY_BO_PROFIT_RANGE_MIN_PERC,"
    "MTF_LEVERAGE,SM_UPPER_LIMIT,SM_LOWER_LIMIT,SM_FREEZE_QTY,"
)
_UNUSED = ["N", "N", "N", "NA", "A", "0", "0", "0", "0", "0", "0", "0"]
_PAISE = Decimal(100)


@lru_cache(maxsize=64)
def listed_on(day: date) -> dict[tuple[str, str], Security]:
    """Everything tradable on that day by (exchange segment, security id)."""
    rows = [*_shares(), *derivatives(day, _shares()), *currencies(day), *commodities(day)]
    return {(row.exchange_segment, row.id): row for row in rows}


@lru_cache(maxsize=4)
def instrument_file(day: date) -> bytes:
    """The compact file as published on the morning of that day."""
    text = io.StringIO()
    text.write(HEADER + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(_line(security) for security in [*_index_rows(), *listed_on(day).values(), _TEST_ROW])
    return text.getvalue().encode()


@lru_cache(maxsize=4)
def detailed_file(day: date) -> bytes:
    """The detailed file of that morning: also ISINs, price bands and the quantities at which orders freeze."""
    text = io.StringIO()
    text.write(DETAILED_HEADER + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(_detailed(security) for security in [*_index_rows(), *listed_on(day).values(), _TEST_ROW])
    return text.getvalue().encode()


# The real file carries such rows, too; a reader has to drop them.
_TEST_ROW = Security(
    exchange="NSE",
    segment="E",
    id="2701",
    kind="EQUITY",
    symbol="011NSETEST",
    display="011NSETEST",
    company="NSE TEST SYMBOL",
    series="EQ",
    exchange_type="ES",
    lot=1,
    tick=Decimal("0.05"),
    price=Decimal(10),
    underlying="011NSETEST",
)


@lru_cache(maxsize=1)
def _shares() -> tuple[Security, ...]:
    text = files("core.sandbox.dhan").joinpath("shares.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    return tuple(_share(row, exchange) for exchange in ("NSE", "BSE") for row in rows)


def _share(row: dict[str, str], exchange: str) -> Security:
    return Security(
        exchange=exchange,
        segment="E",
        id=row["nse_id"] if exchange == "NSE" else row["bse_id"],
        kind="EQUITY",
        symbol=row["symbol"],
        display=row["display"],
        company=row["company"],
        series=row["series"] if exchange == "NSE" else "A",
        exchange_type="ES",
        lot=int(row["lot"] or 1),
        tick=Decimal(row["tick_paise"]) / _PAISE,
        price=Decimal(row["price"]),
        underlying=row["symbol"],
        has_derivatives=bool(row["lot"]),
    )


def _index_rows() -> Iterator[Security]:
    for index in INDICES:
        yield Security(
            exchange=index.exchange,
            segment="I",
            id=index.id,
            kind="INDEX",
            symbol=index.symbol,
            display=index.display,
            exchange_type="INDEX",
            series="X",
            lot=1,
            tick=Decimal("0.05"),
            price=index.price,
            underlying=index.symbol,
        )


def _line(security: Security) -> list[str]:
    expiry, strike, option_type = "", "", ""
    if security.expiry:
        expiry = f"{datetime.combine(security.expiry, time(14, 30)):%Y-%m-%d %H:%M:%S}"
        strike = f"{security.strike:.5f}" if security.strike is not None else "-0.01000"
        option_type = security.option_type or "XX"
    lot = security.lot if security.segment == "D" else 1
    return [
        security.exchange,
        security.segment,
        security.id,
        security.kind,
        str(security.expiry_code),
        security.symbol,
        f"{lot}.0",
        security.display,
        expiry,
        strike,
        option_type,
        f"{security.tick * _PAISE:.4f}",
        security.expiry_flag,
        security.exchange_type,
        security.series,
        security.company,
    ]


def _detailed(security: Security) -> list[str]:
    is_share = security.segment == "E"
    band = security.band
    expiry = security.expiry.isoformat() if security.expiry else ""
    strike = f"{security.strike:.5f}" if security.strike is not None else "-0.01000" if security.expiry else ""
    return [
        security.exchange,
        security.segment,
        security.id,
        security.isin,
        security.kind,
        security.id,
        security.underlying,
        security.company if is_share else security.symbol,
        security.display,
        security.exchange_type,
        security.series or "NA",
        f"{security.lot if security.segment == 'D' else 1}.0",
        expiry,
        strike,
        security.option_type or ("XX" if security.expiry else ""),
        f"{security.tick * _PAISE:.4f}",
        security.expiry_flag,
        *_UNUSED,
        f"{band[1]:.4f}" if band else "0",
        f"{band[0]:.4f}" if band else "0",
        str(security.freezes_at),
        "",
    ]
