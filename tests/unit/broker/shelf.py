"""An instrument list and rows of Dhan's files, for the tests of what is taken from them."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.broker.dhan.instrument_counts import LEAST_ON_PAPER
from core.broker.dhan.instruments import InstrumentList, Loaded
from core.domain.alert import Exchange, InstrumentKind, Leg, OptionContract, OptionType, OrderType, Product, Side
from core.domain.instrument import Instrument
from core.sandbox.dhan.instruments import DETAILED_HEADER, HEADER

TODAY = date(2026, 11, 25)
FUTURE, OPTION = InstrumentKind.FUTURE, InstrumentKind.OPTION


def share(symbol: str, security_id: str, series: str = "EQ", exchange: str = "NSE", tick: str = "10.0000") -> str:
    return f"{exchange},E,{security_id},EQUITY,0,{symbol},1.0,{symbol} Ltd,,,,{tick},NA,ES,{series},{symbol} LIMITED"


def future(underlying: str, expiry: str, security_id: str, lot: str = "65.0") -> str:
    month = date.fromisoformat(expiry).strftime("%b%Y")
    symbol = f"{underlying}-{month}-FUT"
    return f"NSE,D,{security_id},FUTSTK,0,{symbol},{lot},{symbol},{expiry} 14:30:00,-0.01000,XX,10.0000,M,FUT,,"


def option(underlying: str, expiry: str, strike: str, side: str, security_id: str) -> str:
    symbol = f"{underlying}-{date.fromisoformat(expiry):%b%Y}-{strike}-{side}"
    strike = f"{strike}.00000"
    return f"NSE,D,{security_id},OPTIDX,0,{symbol},65.0,{symbol},{expiry} 14:30:00,{strike},{side},5.0000,W,OP,,"


FILLERS = [share(f"FILLER{number}", str(90_000 + number)) for number in range(20)]


def leg(symbol: str, kind: InstrumentKind = InstrumentKind.EQUITY, **changes: Any) -> Leg:
    values: dict[str, Any] = {
        "position": 1,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": 1,
        "exchange": Exchange.NSE,
        "symbol": symbol,
        "kind": kind,
        "product": Product.INTRADAY,
    }
    return Leg(**(values | changes))


class Shelf:
    """An instrument list and the files that are loaded into it."""

    def __init__(self, folder: Path) -> None:
        self.listed = InstrumentList(folder / "instruments.db", least=LEAST_ON_PAPER)
        self._source = folder / "list.csv"

    def load(self, *rows: str, header: str = HEADER, fillers: Iterable[str] = FILLERS, today: date = TODAY) -> Loaded:
        return self.load_bytes(("\n".join([header, *fillers, *rows]) + "\n").encode(), today)

    def load_bytes(self, content: bytes, today: date = TODAY) -> Loaded:
        self._source.write_bytes(content)
        return self.listed.load(self._source, today)

    def find(self, symbol: str, kind: InstrumentKind = InstrumentKind.EQUITY, **changes: Any) -> Instrument:
        return self.listed.resolve(leg(symbol, kind, **changes), TODAY)

    def call(self, underlying: str, strike: str, expiry: str, side: OptionType = OptionType.CALL) -> Instrument:
        contract = OptionContract(option_type=side, strike=Decimal(strike), expiry=date.fromisoformat(expiry))
        return self.find(underlying, OPTION, option=contract)


def detailed(**changes: str) -> str:
    """A row of the detailed file: a NIFTY option, changed as named."""
    row = dict.fromkeys(DETAILED_HEADER.split(","), "NA") | {
        "EXCH_ID": "NSE",
        "SEGMENT": "D",
        "SECURITY_ID": "35084",
        "INSTRUMENT": "OPTIDX",
        "UNDERLYING_SYMBOL": "NIFTY",
        "SYMBOL_NAME": "NIFTY-Dec2026-26000-CE",
        "DISPLAY_NAME": "NIFTY 01 DEC 26000 CALL",
        "LOT_SIZE": "65.0",
        "SM_EXPIRY_DATE": "2026-12-01",
        "STRIKE_PRICE": "26000.00000",
        "OPTION_TYPE": "CE",
        "TICK_SIZE": "5.0000",
        "SM_UPPER_LIMIT": "420.1000",
        "SM_LOWER_LIMIT": "0.0500",
        "SM_FREEZE_QTY": "1756",
        "": "",
    }
    return ",".join((row | changes).values())


SHARE_DETAILS = {
    "SEGMENT": "E",
    "SECURITY_ID": "2885",
    "ISIN": "INE002A01018",
    "INSTRUMENT": "EQUITY",
    "UNDERLYING_SYMBOL": "RELIANCE",
    "SYMBOL_NAME": "RELIANCE INDUSTRIES LTD",
    "SERIES": "EQ",
    "LOT_SIZE": "1.0",
    "TICK_SIZE": "10.0000",
}
MORE = [
    detailed(**SHARE_DETAILS | {"SECURITY_ID": str(number), "UNDERLYING_SYMBOL": f"F{number}"}) for number in range(20)
]
