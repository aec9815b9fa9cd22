"""The addresses that orders may come from. Since April 2026 Dhan takes orders from registered ones only (Dhan API v2,
Authentication, Static IP): a primary and a secondary, each fixed for seven days once set."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

LOCKED_DAYS = 7


def read_address(written: str) -> IPv4Address | IPv6Address:
    """However it is written: long, short, or an IPv4 address in IPv6's clothes. Raises ValueError."""
    address = ip_address(written)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def are_same(one: str, other: str) -> bool:
    """Whether both name the same address; what is no address is the same as nothing."""
    try:
        return read_address(one) == read_address(other)
    except ValueError:
        return False


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
        if self.allowed:
            return None
        if not known:
            return f"No address is registered at Dhan, so it refuses every order: register {here} with /ip set."
        if self.allowed is None:
            return None
        if self.is_registered(self.detected):
            return (
                f"Dhan takes no orders from here, although this machine's address, {self.detected}, is registered: "
                "send /login, since a new address needs a new sign-in, and then /ip; if it stays so, ask Dhan."
            )
        come = f"Orders would come from {self.detected}" if self.detected else "Orders come from another address"
        return (
            f"{come}, but Dhan takes them from {' and '.join(known)} only: go back to that address, "
            f"or register this one with /ip set, which then is fixed for {LOCKED_DAYS} days."
        )

    def is_registered(self, address: str) -> bool:
        return any(are_same(slot.address, address) for slot in (self.primary, self.secondary))

    def slot_for(self, today: date) -> Registered | None:
        """Where a new address may go today: an empty place first, and none where both are fixed."""
        both = (self.primary, self.secondary)
        return next((slot for slot in both if not slot.address), None) or next(
            (slot for slot in both if slot.may_change(today)), None
        )

    def free_from(self) -> date | None:
        """The day on which the first of two fixed addresses may be changed."""
        return min((slot.free_from for slot in (self.primary, self.secondary) if slot.free_from), default=None)
