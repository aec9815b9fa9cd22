"""Dhan's instrument file: downloaded, checked, kept in a SQLite file of its own, and swapped in whole.

Source: Dhan API v2 docs, Instrument List (compact file). Columns are read by name. A file that fails a check leaves the
last good one in place.
"""

import csv
import difflib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.db.engine import sqlite_driver
from core.domain.alert import Exchange, InstrumentKind, Leg, OptionType
from core.domain.instrument import Instrument, Segment
from core.errors import Refusal, Unavailable

_SEGMENTS: Mapping[tuple[str, str], Segment] = {
    ("NSE", "E"): Segment.NSE_EQ,
    ("NSE", "D"): Segment.NSE_FNO,
    ("NSE", "C"): Segment.NSE_CURRENCY,
    ("BSE", "E"): Segment.BSE_EQ,
    ("BSE", "D"): Segment.BSE_FNO,
    ("BSE", "C"): Segment.BSE_CURRENCY,
    ("MCX", "M"): Segment.MCX_COMM,
}
_COLUMNS = (
    "SEM_EXM_EXCH_ID",
    "SEM_SEGMENT",
    "SEM_SMST_SECURITY_ID",
    "SEM_INSTRUMENT_NAME",
    "SEM_TRADING_SYMBOL",
    "SEM_LOT_UNITS",
    "SEM_CUSTOM_SYMBOL",
    "SEM_EXPIRY_DATE",
    "SEM_STRIKE_PRICE",
    "SEM_OPTION_TYPE",
    "SEM_TICK_SIZE",
    "SEM_SERIES",
)
_CONTRACT = re.compile(r"^(?P<underlying>.+)-(?:\d{1,2})?[A-Za-z]{3}\d{4}-(?:FUT|[\d.]+-(?:CE|PE))$")
_SERIES_FIRST = {"EQ": 0, "BE": 1, "BZ": 2}
_SCHEMA = """
CREATE TABLE instruments (
  segment TEXT NOT NULL, security_id TEXT NOT NULL, exchange TEXT NOT NULL, kind TEXT NOT NULL, symbol TEXT NOT NULL,
  chart_symbol TEXT NOT NULL, name TEXT NOT NULL, rank INTEGER NOT NULL, lot INTEGER NOT NULL, tick TEXT NOT NULL,
  underlying TEXT, chart_underlying TEXT,
  expiry TEXT, strike TEXT, option_type TEXT, has_derivatives INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (segment, security_id)
) STRICT, WITHOUT ROWID;
"""
_AFTER_LOADING = """
CREATE INDEX by_symbol ON instruments (exchange, kind, chart_symbol, rank);
CREATE INDEX by_underlying ON instruments (exchange, kind, chart_underlying, expiry);
UPDATE instruments SET has_derivatives = 1 WHERE kind = 'EQUITY' AND symbol IN
  (SELECT DISTINCT underlying FROM instruments WHERE kind <> 'EQUITY' AND exchange IN ('NSE', 'BSE'));
"""
_INSERT = "INSERT INTO instruments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
LEAST_ROWS = 20


class BadInstrumentFile(Unavailable):
    """The downloaded file fails a check; the one in use stays."""


@dataclass(frozen=True)
class Loaded:
    rows: int
    skipped: int


class InstrumentList:
    """Look-ups in the file that is in use, from any thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: Any = None
        self._lock = threading.Lock()

    @property
    def is_there(self) -> bool:
        return self._file.exists()

    def load(self, source: Path) -> Loaded:
        """Build a new list from the CSV and swap it in. Raises BadInstrumentFile, leaving the old one in use."""
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        try:
            loaded = _build(source, fresh)
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInstrumentFile(f"Dhan's instrument file is no readable text: {error}") from error
        with self._lock:
            self._close()
            fresh.replace(self._file)
        return loaded

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def resolve(self, leg: Leg, today: date) -> Instrument:
        """The one instrument that the leg names. Raises Refusal, with the nearest names, when it is not exactly one."""
        match leg.kind:
            case InstrumentKind.EQUITY:
                rows = self._select("chart_symbol = ? ORDER BY rank", leg, _chart_symbol(leg.symbol))
                rows = [row for row in rows if row["rank"] == rows[0]["rank"]]
            case InstrumentKind.FUTURE:
                rows = self._future(leg, today)
            case InstrumentKind.OPTION:
                rows = self._option(leg, today)
        exact = [row for row in rows if row["symbol"] == leg.symbol]
        rows = exact if len(exact) == 1 else rows
        if len(rows) != 1:
            raise Refusal(self._not_found(leg) if not rows else _ambiguous(leg, rows))
        return _instrument(rows[0])

    def named(self, segment: Segment, security_id: str) -> Instrument:
        """The instrument of that id. Raises Refusal when the list has none."""
        query = "SELECT * FROM instruments WHERE segment = ? AND security_id = ?"
        rows = self._query(query, segment.value, security_id)
        if not rows:
            raise Refusal(f"Dhan's list has no instrument {security_id} in {segment} any more.")
        return _instrument(rows[0])

    def _future(self, leg: Leg, today: date) -> list[dict[str, Any]]:
        continuous = re.fullmatch(r"(.+?)([12])!", leg.symbol)
        if continuous is None:
            return self._select("symbol = ?", leg, leg.symbol)
        underlying, nth = continuous.groups()
        coming = "chart_underlying = ? AND expiry >= ? ORDER BY expiry"
        expiries = self._select(coming, leg, _chart_symbol(underlying), today.isoformat())
        return expiries[int(nth) - 1 : int(nth)]

    def _option(self, leg: Leg, today: date) -> list[dict[str, Any]]:
        if leg.option is None or leg.option.expiry < today:
            return []
        expiry = leg.option.expiry.isoformat()
        rows = self._select("chart_underlying = ? AND expiry = ?", leg, _chart_symbol(leg.symbol), expiry)
        wanted = leg.option.option_type, leg.option.strike
        return [row for row in rows if (row["option_type"], Decimal(row["strike"])) == wanted]

    def _select(self, condition: str, leg: Leg, *values: str) -> list[dict[str, Any]]:
        query = f"SELECT * FROM instruments WHERE exchange = ? AND kind = ? AND {condition}"  # noqa: S608 - our own text
        return self._query(query, leg.exchange.value, leg.kind.value, *values)

    def _query(self, query: str, *values: str) -> list[dict[str, Any]]:
        with self._lock:
            if self._connection is None:
                if not self.is_there:
                    raise Unavailable("the instrument list has not been downloaded yet")
                self._connection = sqlite_driver().connect(self._file, check_same_thread=False)
            cursor = self._connection.execute(query, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def _not_found(self, leg: Leg) -> str:
        if leg.kind is not InstrumentKind.EQUITY:
            return f"No {leg.kind.value.lower()} of {leg.symbol} on {leg.exchange} matches: see its expiry and strike."
        rows = self._query(
            "SELECT DISTINCT symbol FROM instruments WHERE exchange = ? AND kind = ?", leg.exchange, leg.kind
        )
        near = difflib.get_close_matches(leg.symbol, [row["symbol"] for row in rows], n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"{leg.symbol} is not traded on {leg.exchange} as far as Dhan's list goes.{hint}"


def _ambiguous(leg: Leg, rows: list[dict[str, Any]]) -> str:
    names = ", ".join(sorted(row["symbol"] for row in rows)[:4])
    return f"{leg.symbol} on {leg.exchange} could mean {names}: use the exact symbol."


def _chart_symbol(symbol: str) -> str:
    """TradingView writes `&` and `-` of a ticker as `_`; both spellings are compared in that form."""
    return symbol.replace("&", "_").replace("-", "_")


def _build(source: Path, target: Path) -> Loaded:
    with closing(sqlite_driver().connect(target)) as connection, source.open(newline="", encoding="utf-8-sig") as text:
        connection.execute("PRAGMA synchronous=OFF")  # a half-written file is thrown away
        connection.executescript(_SCHEMA)
        reader = csv.DictReader(text)
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise BadInstrumentFile(f"Dhan's instrument file lacks the columns {', '.join(sorted(missing))}")
        counted = _Counted(reader)
        try:
            connection.executemany(_INSERT, counted)
        except sqlite_driver().IntegrityError as error:
            raise BadInstrumentFile(f"Dhan's instrument file names an instrument twice: {error}") from error
        if counted.rows < LEAST_ROWS:
            raise BadInstrumentFile(f"Dhan's instrument file has only {counted.rows} usable rows")
        connection.executescript(_AFTER_LOADING)
        connection.commit()
        return Loaded(counted.rows, counted.skipped)


class _Counted:
    """The file's rows as our columns; other markets, test symbols and unreadable rows are counted as skipped."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._source = rows
        self.rows = 0
        self.skipped = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for row in self._source:
            values = _values(row)
            if values is None:
                self.skipped += 1
            else:
                self.rows += 1
                yield values


def _values(row: dict[str, str]) -> tuple[Any, ...] | None:
    segment = _SEGMENTS.get((row["SEM_EXM_EXCH_ID"], row["SEM_SEGMENT"]))
    kind = _kind(row["SEM_INSTRUMENT_NAME"])
    symbol = row["SEM_TRADING_SYMBOL"]
    if segment is None or kind is None or not symbol or "NSETEST" in symbol:
        return None
    try:
        lot, tick = int(float(row["SEM_LOT_UNITS"])), Decimal(row["SEM_TICK_SIZE"]) / 100
        strike = Decimal(row["SEM_STRIKE_PRICE"]) if kind is InstrumentKind.OPTION else None
    except (ValueError, TypeError, ArithmeticError):
        return None
    if lot < 1 or tick <= 0:
        return None
    contract = _CONTRACT.match(symbol) if kind is not InstrumentKind.EQUITY else None
    underlying = contract["underlying"] if contract else None
    return (
        segment.value,
        row["SEM_SMST_SECURITY_ID"],
        row["SEM_EXM_EXCH_ID"],
        kind.value,
        symbol,
        _chart_symbol(symbol),
        row["SEM_CUSTOM_SYMBOL"] or symbol,
        _SERIES_FIRST.get(row["SEM_SERIES"], 3),
        lot,
        str(tick.normalize()),
        underlying,
        _chart_symbol(underlying) if underlying else None,
        None if kind is InstrumentKind.EQUITY else row["SEM_EXPIRY_DATE"][:10],
        None if strike is None else str(strike),
        None if strike is None else row["SEM_OPTION_TYPE"],
        0,
    )


def _kind(name: str) -> InstrumentKind | None:
    if name == "EQUITY":
        return InstrumentKind.EQUITY
    if name.startswith("FUT"):
        return InstrumentKind.FUTURE
    return InstrumentKind.OPTION if name.startswith("OPT") else None


def _instrument(row: dict[str, Any]) -> Instrument:
    return Instrument(
        security_id=row["security_id"],
        segment=Segment(row["segment"]),
        exchange=Exchange(row["exchange"]),
        kind=InstrumentKind(row["kind"]),
        symbol=row["symbol"],
        name=row["name"],
        lot=row["lot"],
        tick=Decimal(row["tick"]),
        has_derivatives=bool(row["has_derivatives"]),
        underlying=row["underlying"],
        expiry=datetime.fromisoformat(row["expiry"]).date() if row["expiry"] else None,
        strike=Decimal(row["strike"]) if row["strike"] else None,
        option_type=OptionType(row["option_type"]) if row["option_type"] else None,
    )
