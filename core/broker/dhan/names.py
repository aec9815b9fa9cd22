"""What the desk calls a contract."""

import re

from core.broker.dhan.wire import Row, text

_MONTH_ALONE = re.compile(r"-([A-Z][a-z]{2}\d{4}-[\d.]+-(?:CE|PE))$")
_DAY = re.compile(r"\d{4}-\d\d-(\d\d)")


def contract_name(theirs: str, expiry: str) -> str:
    """Dhan's trading symbol, for an option with its day: all weekly options of a month share one name there.

    `NIFTY-Dec2026-26000-CE` that expires on `2026-12-08` is `NIFTY-08Dec2026-26000-CE`, as MCX writes it anyway. What
    Dhan says instead of a day (`0001-01-01`, `NA`) adds none. Source: Dhan API v2, Instrument List and Portfolio.
    """
    day = _DAY.match(expiry)
    if day is None or expiry.startswith("0001"):
        return theirs
    return _MONTH_ALONE.sub(rf"-{day[1]}\1", theirs)


def name_in(row: Row) -> str:
    """Of an order, a trade, a position or a holding; the last has no day, and is no contract."""
    return contract_name(text(row, "tradingSymbol"), text(row, "drvExpiryDate"))
