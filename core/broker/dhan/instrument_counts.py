"""Whether a new instrument file has as much in it as it should: a file that lacks a market is worse than yesterday's.

Without the futures every share would keep the hours of those without derivatives, and each alert for one be refused.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from core.domain.alert import InstrumentKind
from core.domain.instrument import Segment
from core.errors import Unavailable

Counts = Mapping[tuple[str, str], int]
"""Rows by segment and kind, of what has not expired."""
ByExpiry = dict[tuple[str, str, str | None], int]
"""Rows by segment, kind and expiry (ISO; None for a share)."""

LEAST_AT_DHAN: Counts = {
    (Segment.NSE_EQ.value, InstrumentKind.EQUITY.value): 1_500,
    (Segment.BSE_EQ.value, InstrumentKind.EQUITY.value): 1_500,
    (Segment.NSE_FNO.value, InstrumentKind.FUTURE.value): 200,
    (Segment.NSE_FNO.value, InstrumentKind.OPTION.value): 20_000,
}
"""About a third of what the exchanges list, or less. In the autumn of 2026 Dhan's file had 228,000 rows, 181,000 of
them derivatives. Whether it goes on to have currencies is not known, so it may do without."""

LEAST_ON_PAPER: Counts = {(Segment.NSE_EQ.value, InstrumentKind.EQUITY.value): 20}
"""The stand-in has a few dozen shares."""

_A_FEW = 10
_NOUNS = {
    InstrumentKind.EQUITY.value: "shares",
    InstrumentKind.FUTURE.value: "futures",
    InstrumentKind.OPTION.value: "options",
}


class BadInstrumentFile(Unavailable):
    """The downloaded file fails a check; the one in use stays."""


def count(database: Any) -> ByExpiry:
    """All rows of a list in its SQLite file."""
    groups = database.execute("SELECT segment, kind, expiry, count(*) FROM instruments GROUP BY segment, kind, expiry")
    return {(segment, kind, expiry): number for segment, kind, expiry, number in groups}


def living(rows: ByExpiry, today: date) -> Counts:
    """What can still be traded on that day."""
    counts: Counter[tuple[str, str]] = Counter()
    for (segment, kind, expiry), number in rows.items():
        if expiry is None or expiry >= today.isoformat():
            counts[segment, kind] += number
    return counts


def check_counts(new: Counts, in_use: Counts, least: Counts) -> None:
    """Raise BadInstrumentFile when a market has too little, or has lost more than a fifth of what `in_use` had.

    Both are counted without what has expired: on the day after a monthly expiry more than half of the options are
    rightly gone, but what lives on stays listed until its own last day, and new contracts only come on top. A few rows
    may go from any market, since in a small one they are a fifth.
    """
    for group, rows in least.items():
        if new.get(group, 0) < rows:
            raise BadInstrumentFile(
                f"Dhan's instrument file has only {_named(group, new)}, where {rows:,} are the least to expect"
            )
    for group, rows in in_use.items():
        if rows - new.get(group, 0) > max(rows // 5, _A_FEW):
            raise BadInstrumentFile(
                f"Dhan's instrument file has only {_named(group, new)}, where the list in use has {rows:,}. "
                "If so many are really gone, delete instruments.db in Munshi's data folder, and the new list is taken"
            )


def _named(group: tuple[str, str], counts: Counts) -> str:
    segment, kind = group
    return f"{counts.get(group, 0):,} {_NOUNS[kind]} in {segment}"
