"""The stand-in's instrument file and prices."""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import Decimal

from core.clock import INDIA
from core.sandbox.dhan.contracts import monthly_expiries, weekly_expiries
from core.sandbox.dhan.instruments import instrument_file, listed_on

DAY = date(2026, 11, 25)
TEN = datetime(2026, 11, 25, 10, 0, tzinfo=INDIA)
HEADER = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,"
    "SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME"
)


def rows(day: date = DAY) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(instrument_file(day).decode())))


def test_the_file_has_dhans_sixteen_columns_and_a_real_row() -> None:
    lines = instrument_file(DAY).decode().splitlines()
    assert lines[0] == HEADER
    assert "NSE,E,2885,EQUITY,0,RELIANCE,1.0,Reliance Industries,,,,10.0000,NA,ES,EQ,RELIANCE INDUSTRIES LTD" in lines


def test_ids_are_unique_within_exchange_and_segment() -> None:
    keys = [(row["SEM_EXM_EXCH_ID"], row["SEM_SEGMENT"], row["SEM_SMST_SECURITY_ID"]) for row in rows()]
    assert len(set(keys)) == len(keys)


def test_awkward_names_are_listed_and_some_shares_have_no_derivatives() -> None:
    futures = {row["SEM_TRADING_SYMBOL"] for row in rows() if row["SEM_INSTRUMENT_NAME"] == "FUTSTK"}
    shares = {row["SEM_TRADING_SYMBOL"] for row in rows() if row["SEM_INSTRUMENT_NAME"] == "EQUITY"}
    assert {"M&M-Dec2026-FUT", "BAJAJ-AUTO-Dec2026-FUT"} <= futures
    assert {"M&M", "BAJAJ-AUTO", "IRCON"} <= shares
    assert "IRCON-Dec2026-FUT" not in futures


def test_expiries_fall_on_their_weekday_or_on_the_trading_day_before_a_holiday() -> None:
    tuesday = 1
    assert monthly_expiries(date(2026, 11, 23), tuesday)[0] == date(2026, 11, 23)  # the 24th is a holiday
    assert monthly_expiries(DAY, tuesday)[0] == date(2026, 12, 29)
    assert weekly_expiries(DAY, tuesday)[0] == date(2026, 12, 1)


def test_a_contract_keeps_its_id_from_day_to_day() -> None:
    today = {key: security.symbol for key, security in listed_on(DAY).items() if security.expiry == date(2026, 12, 29)}
    later = {key: security.symbol for key, security in listed_on(DAY + timedelta(days=14)).items()}
    assert today.items() <= later.items()


def test_prices_stay_near_their_base_on_the_tick_grid_and_move() -> None:
    reliance = listed_on(DAY)["NSE_EQ", "2885"]
    prices = [reliance.price_at(TEN + timedelta(minutes=minute)) for minute in range(300)]
    assert prices == [reliance.price_at(TEN + timedelta(minutes=minute)) for minute in range(300)]
    assert all(price % reliance.tick == 0 for price in prices)
    assert all(abs(price / reliance.price - 1) < Decimal("0.02") for price in prices)
    assert len(set(prices)) > 50


def test_every_security_has_a_price() -> None:
    assert all(security.price_at(TEN) >= security.tick for security in listed_on(DAY).values())
