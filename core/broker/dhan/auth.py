"""Getting an access token from Dhan with PIN and TOTP. Source: Dhan API v2 docs, Authentication.

PIN and code travel in the query of a POST: nothing here puts a URL or a reply body into an error or a log line.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pyotp.totp import TOTP

from core.broker.dhan.client import CallFailed, DhanClient
from core.broker.dhan.wire import as_row, text
from core.clock import INDIA

STEP_SECONDS = 30
TOO_LATE_IN_STEP = 5


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A token as Dhan gave it. Valid for 24 hours on paper; it may die earlier, and a newer one kills it."""

    value: str = field(repr=False)
    client_id: str
    issued_at: datetime
    expires_at: datetime


class LoginRefusal(StrEnum):
    TOO_SOON = "too_soon"
    WRONG_PIN = "wrong_pin"
    WRONG_CODE = "wrong_code"
    OTHER = "other"


class LoginRefused(Exception):
    """Dhan said no to a sign-in, in its own words."""

    def __init__(self, refusal: LoginRefusal, words: str) -> None:
        super().__init__(words)
        self.refusal = refusal


def seconds_until_safe_code(now: datetime) -> float:
    """How long to wait so that a code is not used in the last seconds of its step, where it may be refused."""
    left = STEP_SECONDS - now.timestamp() % STEP_SECONDS
    return left if left < TOO_LATE_IN_STEP else 0.0


class _Code(TOTP):
    min_secret_length_bits: ClassVar = 80  # secrets of 16 letters are usual, and it is Dhan who makes them


async def sign_in_with_totp(
    client: DhanClient, url: str, *, client_id: str, pin: str, totp_secret: str, now: datetime
) -> AccessToken:
    """One try. Raises LoginRefused, or CallFailed when no reply came (a token may then have been made and lost)."""
    query = {"dhanClientId": client_id, "pin": pin, "totp": _Code(totp_secret).at(now)}
    reply = await client.call("POST", f"{url}/app/generateAccessToken", query=query)
    row = as_row(reply.json())
    if row is None:
        raise CallFailed(f"Dhan's sign-in answered {reply.status} with something unreadable", sent=True)
    value = text(row, "accessToken")
    if not value:  # refusals come with HTTP 200
        words = text(row, "message") or text(row, "errorMessage") or f"HTTP {reply.status}"
        raise LoginRefused(_refusal(words), words)
    return AccessToken(
        value=value,
        client_id=text(row, "dhanClientId"),
        issued_at=now,
        expires_at=_india(text(row, "expiryTime")),
    )


def _refusal(words: str) -> LoginRefusal:
    lowered = words.lower()
    if "2 minutes" in lowered:
        return LoginRefusal.TOO_SOON
    if "invalid pin" in lowered:
        return LoginRefusal.WRONG_PIN
    return LoginRefusal.WRONG_CODE if "totp" in lowered else LoginRefusal.OTHER


def _india(stamp: str) -> datetime:
    """Dhan's times carry no zone and are India's."""
    try:
        return datetime.fromisoformat(stamp).replace(tzinfo=INDIA)
    except ValueError:
        raise CallFailed("Dhan's sign-in gave a token without a readable expiry", sent=True) from None
