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
    GO_LIVE = "live"
    ASK_CANCEL_WORKING = "undo?"
    CANCEL_WORKING = "undo"
    YES = "yes"
    SET_IP = "ip"
    CALENDAR = "calendar"
    MORE_DAYS = "days"
    POLICY = "policy"


@dataclass(frozen=True)
class CardTap:
    verb: Verb
    nonce: str
    version: int


def pack(tap: CardTap) -> str:
    return f"{tap.verb}:{tap.nonce}:{tap.version}"


def unpack(data: str | None) -> CardTap | None:
    """None for anything that no button of ours carries."""
    parts = (data or "").split(":")
    if len(parts) != 3 or parts[0] not in set(Verb) or not parts[2].isdecimal() or len(parts[2]) > 9:
        return None
    return CardTap(Verb(parts[0]), parts[1], int(parts[2]))
