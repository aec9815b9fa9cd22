"""Dhan's instrument list: look-ups in the SQLite file in use, and swapping in a new one whole.

A file that fails a check leaves the last good one in place.
"""

import difflib
import os
import re
import threading
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.broker.dhan.instrument_counts import LEAST_AT_DHAN, BadInstrumentFile, Counts, count, living
from core.broker.dhan.instrument_file import (
    BY_EXACT_TICKER,
    FIRST_OF_SEVERAL,
    FURTHER,
    NO_SHARE,
    Loaded,
    build,
    chart_symbol,
    strike_text,
)
from core.broker.dhan.names import contract_name
from core.db.driver import sqlite_driver
from core.domain.alert import Exchange, InstrumentKind, Leg, OptionType
from core.domain.instrument import Instrument, Segment
from core.errors import Refusal, Unavailable

__all__ = ["BadInstrumentFile", "InstrumentList", "Loaded"]
_MOST_HINTS = 3
_SHARE = "exchange = ? AND kind = 'EQUITY' AND chart_symbol = ?"
_CONTRACTS = "exchange = ? AND kind = ? AND kind <> 'EQUITY' AND chart_underlying = ?"


class InstrumentList:
    """Look-ups in the file that is in use, from any thread. `least` is what a new one has to have in it."""

    def __init__(self, file: Path, *, least: Counts = LEAST_AT_DHAN) -> None:
        self._file = file
        self._least = least
        self._connection: Any = None
        self._damage = ""
        self._lock = threading.Lock()

    @property
    def is_there(self) -> bool:
        """Whether names can be looked up: a file that SQLite cannot read is as good as none."""
        if not self._file.exists():
            return False
        with self._lock:
            try:
                self._open()
            except Unavailable:
                return False
        return True

    @property
    def damage(self) -> str:
        """What is wrong with the file that is there; empty while nothing is known to be."""
        return self._damage

    def load(self, source: Path, day: date) -> Loaded:
        """Build a new list from the CSV of that day and swap it in.

        Raises BadInstrumentFile, leaving the old one in use.
        """
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        loaded = build(source, fresh, day=day, in_use=self._counts(day), least=self._least)
        _put_on_disk(fresh)
        with self._lock:
            self._close()
            fresh.replace(self._file)
            self._damage = ""
        _put_on_disk(self._file.parent)
        return loaded

    def _counts(self, today: date) -> Counts:
        """Nothing where there is no readable list: then there is nothing to compare with."""
        driver = sqlite_driver()
        try:
            with closing(_connect(self._file)) as database:
                return living(count(database), today)
        except driver.Error:
            return {}

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
                rows = self._shares(leg)
            case InstrumentKind.FUTURE:
                rows = self._futures(leg, today)
            case InstrumentKind.OPTION:
                rows = self._options(leg, today)
        exact = [row for row in rows if row["symbol"] == leg.symbol]
        rows = exact if len(exact) == 1 else rows
        if len(rows) != 1:
            raise Refusal(self._why_none(leg, today) if not rows else _ambiguous(leg, rows))
        return _instrument(rows[0])

    def named(self, segment: Segment, security_id: str) -> Instrument:
        """The instrument of that id. Raises Refusal when the list has none."""
        rows = self._select("segment = ? AND security_id = ?", segment.value, security_id)
        if not rows:
            raise Refusal(f"Dhan's list has no instrument {security_id} in {segment} any more.")
        return _instrument(rows[0])

    def _shares(self, leg: Leg) -> list[dict[str, Any]]:
        condition = f"{_SHARE} AND (rank < {BY_EXACT_TICKER} OR rank < {NO_SHARE} AND symbol = ?) ORDER BY rank"
        rows = self._select(condition, leg.exchange.value, chart_symbol(leg.symbol), leg.symbol)
        return [row for row in rows if row["rank"] == rows[0]["rank"]]

    def _futures(self, leg: Leg, today: date) -> list[dict[str, Any]]:
        continuous = re.fullmatch(r"(.+?)([1-9])!", leg.symbol)
        if continuous is None:
            by_name = "exchange = ? AND kind = 'FUTURE' AND symbol = ? COLLATE NOCASE"  # an alert's is in capitals
            return self._select(by_name, leg.exchange.value, leg.symbol)
        underlying, nth = continuous.groups()
        of_it = _contract(leg, underlying)
        coming = f"{_CONTRACTS} AND expiry >= ? AND rank < {FURTHER} ORDER BY expiry LIMIT 1 OFFSET {int(nth) - 1}"
        rows = self._select(coming, *of_it, today.isoformat())
        is_one_of_several = bool(rows) and rows[0]["rank"] == FIRST_OF_SEVERAL
        return self._select(f"{_CONTRACTS} AND expiry = ?", *of_it, rows[0]["expiry"]) if is_one_of_several else rows

    def _options(self, leg: Leg, today: date) -> list[dict[str, Any]]:
        if leg.option is None or leg.option.expiry < today:
            return []
        wanted = leg.option.expiry.isoformat(), strike_text(str(leg.option.strike)), leg.option.option_type.value
        condition = f"{_CONTRACTS} AND expiry = ? AND strike = ? AND option_type = ?"
        return self._select(condition, *_contract(leg, leg.symbol), *wanted)

    def _select(self, condition: str, *values: str) -> list[dict[str, Any]]:
        rows = f"SELECT * FROM instruments, pragma_user_version WHERE {condition}"  # noqa: S608 - our own text
        return self._query(rows, *values)

    def _query(self, query: str, *values: str) -> list[dict[str, Any]]:
        with self._lock:
            connection = self._open()
            try:
                cursor = connection.execute(query, values)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor]
            except sqlite_driver().DatabaseError as error:
                raise self._taken_for_none(error) from error

    def _open(self) -> Any:
        """Raises Unavailable."""
        if self._damage:
            raise _damaged(self._damage)
        if self._connection is None:
            if not self._file.exists():
                raise Unavailable("the instrument list has not been downloaded yet")
            try:
                self._connection = _connect(self._file)
                self._connection.execute("SELECT * FROM instruments LIMIT 1").fetchone()  # or it is not read yet
            except sqlite_driver().DatabaseError as error:
                raise self._taken_for_none(error) from error
        return self._connection

    def _taken_for_none(self, error: Exception) -> Unavailable:
        """What SQLite cannot read counts as no list from now on, until there is a new one."""
        self._close()
        self._damage = str(error)
        return _damaged(self._damage)

    def _why_none(self, leg: Leg, today: date) -> str:
        if leg.kind is InstrumentKind.EQUITY:
            return self._no_such_share(leg)
        underlying = re.sub(r"[1-9]!$", "", leg.symbol)
        known = f"SELECT DISTINCT expiry FROM instruments WHERE {_CONTRACTS} AND expiry >= ? ORDER BY expiry LIMIT 4"  # noqa: S608
        expiries = [row["expiry"] for row in self._query(known, *_contract(leg, underlying), today.isoformat())]
        if not expiries:
            return self._no_such_underlying(leg, underlying)
        what = f"No {leg.kind.value.lower()} of {leg.symbol} on {leg.exchange} matches"
        if leg.option is None or leg.option.expiry.isoformat() not in expiries:
            return f"{what}: the next expiries are {', '.join(expiries)}."
        return f"{what}: the nearest strikes of that day are {self._nearest_strikes(leg)}."

    def _no_such_share(self, leg: Leg) -> str:
        """The names are compared within their first letter, so that a flood of wrong ones costs little."""
        if self._select(f"{_SHARE} AND rank = {NO_SHARE}", leg.exchange.value, chart_symbol(leg.symbol)):
            return f"Dhan's list has {leg.symbol} on {leg.exchange} only as a bond or the like, which no alert trades."
        first = chart_symbol(leg.symbol)[:1]
        names = self._query(
            "SELECT DISTINCT symbol FROM instruments "  # noqa: S608 - our own number
            f"WHERE exchange = ? AND kind = 'EQUITY' AND chart_symbol >= ? AND chart_symbol < ? AND rank < {NO_SHARE}",
            leg.exchange.value,
            first,
            chr(ord(first) + 1),
        )
        hint = _did_you_mean(leg.symbol, [row["symbol"] for row in names])
        return f"{leg.symbol} is not traded on {leg.exchange} as far as Dhan's list goes.{hint}"

    def _no_such_underlying(self, leg: Leg, underlying: str) -> str:
        query = "SELECT underlying FROM underlyings WHERE exchange = ? AND kind = ? AND underlying IS NOT NULL"
        names = [row["underlying"] for row in self._query(query, leg.exchange.value, leg.kind.value)]
        hint = _did_you_mean(underlying, names)
        return f"No {leg.kind.value.lower()}s of {underlying} on {leg.exchange} are in Dhan's list.{hint}"

    def _nearest_strikes(self, leg: Leg) -> str:
        if leg.option is None:
            return "not known"
        wanted = leg.option.strike
        condition = f"{_CONTRACTS} AND expiry = ? AND option_type = ?"
        values = leg.option.expiry.isoformat(), leg.option.option_type.value
        rows = self._select(condition, *_contract(leg, leg.symbol), *values)
        strikes = sorted((Decimal(row["strike"]) for row in rows), key=lambda strike: abs(strike - wanted))
        return ", ".join(f"{strike:f}" for strike in sorted(strikes[:_MOST_HINTS]))


def _damaged(how: str) -> Unavailable:
    return Unavailable(f"the instrument list is damaged: {how}")


def _connect(file: Path) -> Any:
    return sqlite_driver().connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def _put_on_disk(path: Path) -> None:
    """A file, or the names in a folder: else a power cut after the swap could leave an empty list."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _contract(leg: Leg, underlying: str) -> tuple[str, str, str]:
    return leg.exchange.value, leg.kind.value, chart_symbol(underlying)


def _did_you_mean(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=_MOST_HINTS)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _ambiguous(leg: Leg, rows: list[dict[str, Any]]) -> str:
    names = ", ".join(sorted(row["symbol"] for row in rows)[:4])
    return f"{leg.symbol} on {leg.exchange} could mean {names}: use the exact symbol."


def _instrument(row: dict[str, Any]) -> Instrument:
    return Instrument(
        security_id=row["security_id"],
        segment=Segment(row["segment"]),
        exchange=Exchange(row["exchange"]),
        kind=InstrumentKind(row["kind"]),
        symbol=contract_name(row["symbol"], row["expiry"] or ""),
        name=row["name"],
        lot=row["lot"],
        tick=Decimal(row["tick"]),
        has_derivatives=bool(row["has_derivatives"]),
        underlying=row["underlying"],
        expiry=date.fromisoformat(row["expiry"]) if row["expiry"] else None,
        strike=Decimal(row["strike"]) if row["strike"] else None,
        option_type=OptionType(row["option_type"]) if row["option_type"] else None,
        isin=row["isin"],
        freezes_at=row["freezes_at"],
        band=(Decimal(row["lower"]), Decimal(row["upper"])) if row["lower"] else None,
        is_of_index=bool(row["is_of_index"]),
        listed_on=date.fromordinal(row["user_version"]) if row["user_version"] else None,
    )
