"""Dhan's words about static addresses. Facts: Dhan API v2 docs, Static IP; the last three fields are undocumented."""

from datetime import date

from core.broker.dhan.wire import Row, text
from core.domain.address import Addresses, Registered, Slot, are_same

_MATCHES = ("PRIMARY_MATCH", "SECONDARY_MATCH", "MATCH")
_MISMATCH = "MISMATCH"


def read_addresses(row: Row) -> Addresses:
    """Whatever of it is there: an address that was never set is "NA"."""
    primary = Registered(slot=Slot.PRIMARY, address=text(row, "primaryIP"), free_from=_day(row, "modifyDatePrimary"))
    secondary = Registered(
        slot=Slot.SECONDARY, address=text(row, "secondaryIP"), free_from=_day(row, "modifyDateSecondary")
    )
    detected = text(row, "detectedIP")
    return Addresses(primary=primary, secondary=secondary, detected=detected, allowed=_allowed(row, primary, secondary))


def _allowed(row: Row, primary: Registered, secondary: Registered) -> bool | None:
    said = row.get("ordersAllowed")
    if isinstance(said, bool):
        return said
    match_status, detected = text(row, "ipMatchStatus").upper(), text(row, "detectedIP")
    if match_status in (*_MATCHES, _MISMATCH):
        return match_status in _MATCHES
    return any(are_same(slot.address, detected) for slot in (primary, secondary)) if detected else None


def _day(row: Row, key: str) -> date | None:
    try:
        return date.fromisoformat(text(row, key)[:10])
    except ValueError:
        return None
