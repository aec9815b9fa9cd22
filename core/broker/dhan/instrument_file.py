"""Dhan's instrument file, read row by row into a SQLite file of its own.

Source: Dhan API v2 docs, Instrument List. Both of its forms are understood, and columns are read by name. The detailed
one also says where orders freeze, the day's price band and the ISIN; prices of ticks are in paise in both.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.broker.dhan.instrument_counts import BadInstrumentFile, ByExpiry, Counts, check_counts, living
from core.db.driver import sqlite_driver
from core.domain.alert import InstrumentKind, OptionType
from core.domain.instrument import Segment

MOST_UNREADABLE = 0.2
MOST_UNITS_IN_A_LOT = 10_000_000
_COMPACT = {
    "exchange": "SEM_EXM_EXCH_ID",
    "segment": "SEM_SEGMENT",
    "id": "SEM_SMST_SECURITY_ID",
    "kind": "SEM_INSTRUMENT_NAME",
    "symbol": "SEM_TRADING_SYMBOL",
    "lot": "SEM_LOT_UNITS",
    "name": "SEM_CUSTOM_SYMBOL",
    "expiry": "SEM_EXPIRY_DATE",
    "strike": "SEM_STRIKE_PRICE",
    "option": "SEM_OPTION_TYPE",
    "tick": "SEM_TICK_SIZE",
    "series": "SEM_SERIES",
    "type": "SEM_EXCH_INSTRUMENT_TYPE",
}
_DETAILED = {
    "exchange": "EXCH_ID",
    "segment": "SEGMENT",
    "id": "SECURITY_ID",
    "kind": "INSTRUMENT",
    "symbol": "SYMBOL_NAME",
    "lot": "LOT_SIZE",
    "name": "DISPLAY_NAME",
    "expiry": "SM_EXPIRY_DATE",
    "strike": "STRIKE_PRICE",
    "option": "OPTION_TYPE",
    "tick": "TICK_SIZE",
    "series": "SERIES",
    "type": "INSTRUMENT_TYPE",
    "ticker": "UNDERLYING_SYMBOL",
    "isin": "ISIN",
    "lower": "SM_LOWER_LIMIT",
    "upper": "SM_UPPER_LIMIT",
    "freezes_at": "SM_FREEZE_QTY",
}
_SEGMENTS: Mapping[tuple[str, str], str] = {
    ("NSE", "E"): Segment.NSE_EQ.value,
    ("NSE", "D"): Segment.NSE_FNO.value,
    ("NSE", "C"): Segment.NSE_CURRENCY.value,
    ("BSE", "E"): Segment.BSE_EQ.value,
    ("BSE", "D"): Segment.BSE_FNO.value,
    ("BSE", "C"): Segment.BSE_CURRENCY.value,
    ("MCX", "M"): Segment.MCX_COMM.value,
}
_EQUITY, _FUTURE, _OPTION = (kind.value for kind in InstrumentKind)
_CONTRACT = re.compile(r"^(?P<underlying>.+)-(?:\d{1,2})?[A-Za-z]{3}\d{4}-(?:FUT|[\d.]+-(?:CE|PE))$")
_OF_INDEX = {"FUTIDX", "OPTIDX"}
_SERIES_FIRST = {"EQ": 0, "BE": 1, "BZ": 2}
ANY_SERIES, BY_EXACT_TICKER, NO_SHARE = 3, 4, 5
"""Ranks of a share in another series, of a fund, and of a bond or the like, which may bear a share's ticker."""
FIRST_OF_SEVERAL, FURTHER = 1, 2
"""Ranks of futures of one underlying that expire on one day; 0 is one that is alone."""
_SCHEMA = """
CREATE TABLE instruments (
  segment TEXT NOT NULL, security_id TEXT NOT NULL, exchange TEXT NOT NULL, kind TEXT NOT NULL, symbol TEXT NOT NULL,
  chart_symbol TEXT NOT NULL, name TEXT NOT NULL, rank INTEGER NOT NULL, lot INTEGER NOT NULL, tick TEXT NOT NULL,
  underlying TEXT, chart_underlying TEXT, expiry TEXT, strike TEXT, option_type TEXT,
  is_of_index INTEGER NOT NULL, isin TEXT NOT NULL, lower TEXT, upper TEXT, freezes_at INTEGER,
  has_derivatives INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_AFTER_LOADING = """
CREATE UNIQUE INDEX by_id ON instruments (segment, security_id);
CREATE INDEX by_share ON instruments (exchange, chart_symbol, rank) WHERE kind = 'EQUITY';
CREATE INDEX by_contract ON instruments (exchange, kind, chart_underlying, expiry, strike, option_type)
  WHERE kind <> 'EQUITY';
CREATE INDEX by_future ON instruments (exchange, symbol COLLATE NOCASE) WHERE kind = 'FUTURE';
UPDATE instruments SET rank = twins.rank FROM (
  SELECT rowid AS twin, CASE row_number() OVER expiries WHEN 1 THEN 1 ELSE 2 END AS rank, count(*) OVER expiries AS rows
  FROM instruments WHERE kind = 'FUTURE' WINDOW expiries AS (PARTITION BY exchange, chart_underlying, expiry)
) AS twins WHERE twins.rows > 1 AND twins.twin = instruments.rowid;
CREATE TABLE underlyings AS SELECT DISTINCT exchange, kind, chart_underlying, underlying FROM instruments
  WHERE kind <> 'EQUITY';
UPDATE instruments SET has_derivatives = 1 WHERE kind = 'EQUITY' AND symbol IN
  (SELECT underlying FROM underlyings WHERE exchange IN ('NSE', 'BSE'));
"""
_WIDTH = 20
_INSERT = f"INSERT INTO instruments VALUES ({', '.join('?' * _WIDTH)}, 0)"  # noqa: S608 - question marks


@dataclass(frozen=True)
class Loaded:
    rows: int
    skipped: int


def build(source: Path, target: Path, *, day: date, in_use: Counts, least: Counts) -> Loaded:
    """Make `target` from the CSV `source` of that day. Raises BadInstrumentFile, also where it lacks of `in_use` or
    `least`.

    The day stands in it as its `user_version`: its ordinal; 0 in a list that was made before days were noted.
    """
    driver = sqlite_driver()
    try:
        with closing(driver.connect(target)) as database, source.open(newline="", encoding="utf-8-sig") as text:
            rows = _fill(database, csv.reader(text), day)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInstrumentFile(f"Dhan's instrument file is no readable text: {error}") from error
    except driver.IntegrityError as error:
        raise BadInstrumentFile(f"Dhan's instrument file names an instrument twice: {error}") from error
    check_counts(living(rows.by_expiry, day), in_use, least)
    return Loaded(rows.taken, rows.skipped)


def _fill(database: Any, lines: Iterator[list[str]], day: date) -> "_Rows":
    places = _places(next(lines, list[str]()))
    database.execute("PRAGMA journal_mode=OFF")  # a half-written file is thrown away
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA page_size=16384")  # written once and in order: fewer and larger pages are quicker
    database.executescript(_SCHEMA)
    rows = _Rows(lines, places)
    database.executemany(_INSERT, rows)
    ours = rows.taken + rows.unreadable
    if rows.unreadable > ours * MOST_UNREADABLE:
        raise BadInstrumentFile(
            f"Dhan's instrument file is damaged: {rows.unreadable:,} of {ours:,} rows cannot be read"
        )
    database.executescript(_AFTER_LOADING)
    database.execute(f"PRAGMA user_version={day.toordinal()}")
    database.commit()
    return rows


def chart_symbol(symbol: str) -> str:
    """TradingView writes `&` and `-` of a ticker as `_`; both spellings are compared in that form."""
    return symbol.replace("&", "_").replace("-", "_")


def _places(header: Sequence[str]) -> dict[str, int]:
    """Where each of our columns stands in the file. Raises BadInstrumentFile when one is missing."""
    columns = _DETAILED if "SECURITY_ID" in header else _COMPACT
    missing = {name for name in columns.values() if name not in header}
    if missing:
        raise BadInstrumentFile(f"Dhan's instrument file lacks the columns {', '.join(sorted(missing))}")
    return {ours: header.index(theirs) for ours, theirs in columns.items()}


class _Rows:
    """The file's rows as our columns. `skipped` are other markets, test symbols, and those that are `unreadable`."""

    def __init__(self, lines: Iterator[list[str]], places: dict[str, int]) -> None:
        self._lines = lines
        self._read = _reader(places)
        self.taken = 0
        self.skipped = 0
        self.unreadable = 0
        self.by_expiry: ByExpiry = defaultdict(int)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        read, by_expiry = self._read, self.by_expiry
        for line in self._lines:
            try:
                row = read(line)
            except (ValueError, IndexError, InvalidOperation):
                row = None
                self.unreadable += 1
            if row is None:
                self.skipped += 1
            else:
                self.taken += 1
                by_expiry[row[0], row[3], row[12]] += 1
                yield row


def _reader(places: dict[str, int]) -> Callable[[list[str]], tuple[Any, ...] | None]:
    """A function from a line to our columns; None for what is not for us, and an error for what cannot be read.

    Called 240,000 times a day, so it is flat.
    """
    exchange_at, segment_at, id_at, kind_at = (places[name] for name in ("exchange", "segment", "id", "kind"))
    symbol_at, lot_at, name_at, expiry_at = (places[name] for name in ("symbol", "lot", "name", "expiry"))
    strike_at, option_at, tick_at, series_at = (places[name] for name in ("strike", "option", "tick", "series"))
    type_at, ticker_at, extras = places["type"], places.get("ticker"), _extras(places)

    def read(line: list[str]) -> tuple[Any, ...] | None:
        segment = _SEGMENTS.get((line[exchange_at], line[segment_at]))
        kind = _kind(line[kind_at])
        if segment is None or kind is None:
            return None
        symbol, ticker = line[symbol_at], line[ticker_at] if ticker_at is not None else ""
        is_share = kind == _EQUITY
        if is_share and ticker not in ("", "NA"):
            symbol = ticker
        lot, tick = _whole(line[lot_at]), _tick(line[tick_at])
        if "NSETEST" in symbol:
            return None
        if not symbol or not 1 <= lot <= MOST_UNITS_IN_A_LOT or tick is None:
            raise ValueError("no name, lot or tick")
        underlying = None if is_share else _underlying(symbol, ticker)
        is_option = kind == _OPTION
        return (
            segment,
            line[id_at],
            line[exchange_at],
            kind,
            symbol,
            chart_symbol(symbol),
            line[name_at] or symbol,
            _rank(line[type_at], line[series_at]) if is_share else 0,
            lot,
            tick,
            underlying,
            None if underlying is None else _chart_underlying(underlying),
            None if is_share else _day(line[expiry_at][:10]),
            strike_text(line[strike_at]) if is_option else None,
            _option(line[option_at]) if is_option else None,
            line[kind_at] in _OF_INDEX,
            *extras(line),
        )

    return read


def _extras(places: dict[str, int]) -> Callable[[list[str]], tuple[Any, ...]]:
    """ISIN, band and freeze quantity, where the file has them."""
    if "isin" not in places:
        return lambda _line: ("", None, None, None)
    isin, lower, upper, freezes_at = (places[name] for name in ("isin", "lower", "upper", "freezes_at"))

    def read(line: list[str]) -> tuple[Any, ...]:
        band = _price(line[lower]), _price(line[upper])
        code = line[isin]
        return "" if code == "NA" else code, *(band if all(band) else (None, None)), _whole(line[freezes_at]) or None

    return read


@lru_cache(maxsize=256)
def _kind(name: str) -> str | None:
    if name == "EQUITY":
        return _EQUITY
    if name.startswith("FUT"):
        return _FUTURE
    return _OPTION if name.startswith("OPT") else None


@lru_cache(maxsize=1024)
def _rank(kind: str, series: str) -> int:
    """Which of several rows of one ticker is meant, the least first. The exchanges' type of a share is ES (equity)."""
    if kind == "ES":
        return _SERIES_FIRST.get(series, ANY_SERIES)
    return BY_EXACT_TICKER if kind == "ETF" or series in _SERIES_FIRST else NO_SHARE


@lru_cache(maxsize=4096)
def _whole(text: str) -> int:
    """A count; 0 for none and for what is no number."""
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return 0


@lru_cache(maxsize=4096)
def _tick(paise: str) -> str | None:
    tick = Decimal(paise) / 100
    return f"{tick.normalize():f}" if tick > 0 else None


@lru_cache(maxsize=4096)
def _chart_underlying(symbol: str) -> str:
    return chart_symbol(symbol)


@lru_cache(maxsize=8)
def _option(text: str) -> str:
    """Raises ValueError."""
    return OptionType(text).value


@lru_cache(maxsize=512)
def _day(text: str) -> str:
    """Raises ValueError."""
    return date.fromisoformat(text).isoformat()


@lru_cache(maxsize=16384)
def strike_text(text: str) -> str:
    """A strike as the list keeps it, whatever zeros it was written with. Raises InvalidOperation."""
    return f"{Decimal(text).normalize():f}"


def _price(text: str) -> str | None:
    """A positive price in rupees, as text; None for none."""
    try:
        return text if float(text) > 0 else None
    except ValueError:
        return None


def _underlying(symbol: str, ticker: str) -> str | None:
    if ticker not in ("", "NA"):
        return ticker
    contract = _CONTRACT.match(symbol)
    return contract["underlying"] if contract else None
