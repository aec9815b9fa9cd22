"""What a button carries: a verb, the card's secret name and the version it shows. At most 64 bytes, never facts."""

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    APPROVE = "approve"
    CANCEL = "cancel"
    ASK_SEND_AGAIN = "again?"
    SEND_AGAIN = "again"
    DROP = "drop"
    REPEAT = "repeat"
    SOONER = "sooner"
    SNOOZE = "snooze"
    NET = "net"
    SUPERSEDE = "supersede"
    BACK = "back"
    ASK_CANCEL_WORKING = "undo?"
    CANCEL_WORKING = "undo"
    YES = "yes"
    SET_IP = "ip"
    CALENDAR = "calendar"
    APPROVE_SURELY = "approve!"
    SOONER_SURELY = "sooner!"
    EDIT = "edit"
    DETAILS = "why"
    QUEUE = "queue"
    APPROVE_ALL = "yes*"
    CANCEL_ALL = "no*"
    TOUR = "tour"
    TOUR_CLOCK = "tour!"
    MORE_DAYS = "days"
    SOURCE = "source"
    NOTIFY = "notify"
    CURE = "cure"
    PICTURE = "picture"


@dataclass(frozen=True)
class CardTap:
    """`leg` is the one leg that it is about, 0 for all of them."""

    verb: Verb
    nonce: str
    version: int
    leg: int = 0


def pack(tap: CardTap) -> str:
    return f"{tap.verb}:{tap.nonce}:{tap.version}" + (f":{tap.leg}" if tap.leg else "")


def unpack(data: str | None) -> CardTap | None:
    """None for anything that no button of ours carries."""
    verb, *parts = (data or "").split(":")
    if verb not in set(Verb) or len(parts) not in (2, 3) or not all(_is_number(part) for part in parts[1:]):
        return None
    return CardTap(Verb(verb), parts[0], *(int(part) for part in parts[1:]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9
