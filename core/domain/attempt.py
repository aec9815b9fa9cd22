"""One physical try to place an order: what may have happened to it, and the name we gave it."""

import base64
import hashlib
import re
from enum import StrEnum

CORRELATION_PREFIX = "MU"
_LIKE_OURS = re.compile(f"{CORRELATION_PREFIX}[A-Z2-7]{{18}}")


class AttemptState(StrEnum):
    """OPEN: committed before the POST. UNKNOWN: the broker may or may not have it. ABSENT: proven not to be there."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    ABSENT = "absent"


def correlation_id(alert_uid: str, position: int, number: int) -> str:
    """Our name for an attempt at the broker: 20 characters of A–Z and 2–7, the same again after a restore.

    Dhan allows 30 of `[A-Za-z0-9 _-]` on paper and 25 as measured (Dhan API v2, Orders, `correlationId`).
    """
    digest = hashlib.sha256(f"{alert_uid}/{position}/{number}".encode()).digest()
    return CORRELATION_PREFIX + base64.b32encode(digest)[:18].decode()


def is_like_ours(name: str) -> bool:
    """Whether a correlation id has the form that this desk gives; another desk's has it, too."""
    return _LIKE_OURS.fullmatch(name) is not None
