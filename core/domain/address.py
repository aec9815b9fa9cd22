"""The addresses that orders may come from. Since April 2026 Dhan takes orders from registered ones only (Dhan API v2,
Authentication, Static IP): a primary and a secondary, each fixed for seven days once set."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

LOCKED_DAYS = 7


class Slot(StrEnum):
    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"


@dataclass(frozen=True, kw_only=True)
class Registered:
    """`address` is empty where none was set; `free_from` is the first day on which it may be changed, where known."""

    slot: Slot
    address: str
    free_from: date | None

    def may_change(self, today: date) -> bool:
        return not self.address or self.free_from is None or self.free_from <= today


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """`detected`: where Dhan sees our calls come from; `allowed`: whether it takes orders from there. Both may lack."""

    primary: Registered
    secondary: Registered
    detected: str
    allowed: bool | None

    def trouble(self) -> str | None:
        """What is wrong, and what to do, in one sentence; None when nothing is known to be."""
        known = [slot.address for slot in (self.primary, self.secondary) if slot.address]
        here = f"this machine's, {self.detected}," if self.detected else "this machine's"
        if not known:
            return f"No address is registered at Dhan, so it refuses every order: register {here} with /ip set."
        if self.allowed is False:
            come = f"Orders would come from {self.detected}" if self.detected else "Orders come from another address"
            return (
                f"{come}, but Dhan takes them from {' and '.join(known)} only: go back to that address, "
                f"or register this one with /ip set, which then is fixed for {LOCKED_DAYS} days."
            )
        return None

    def slot_for(self, today: date) -> Registered | None:
        """Where a new address may go today: an empty place first, and none where both are fixed."""
        both = (self.primary, self.secondary)
        return next((slot for slot in both if not slot.address), None) or next(
            (slot for slot in both if slot.may_change(today)), None
        )

    def free_from(self) -> date | None:
        """The day on which the first of two fixed addresses may be changed."""
        return min((slot.free_from for slot in (self.primary, self.secondary) if slot.free_from), default=None)
