"""Getting an access token from Dhan, by every way it has. Source: Dhan API v2 docs, Authentication.

PIN, codes and token ids travel in queries: nothing here puts a URL or a reply's body into an error or a log line.
"""

import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pyotp.totp import TOTP

from core.broker.dhan.client import CallFailed, DhanClient, Reply
from core.broker.dhan.wire import Row, as_row, read_error, text
from core.clock import INDIA
from core.domain.login import LoginRefusal

TOKEN_LASTS = timedelta(hours=24)
STEP_SECONDS = 30
TOO_LATE_IN_STEP = 5
_HOST = "Dhan's sign-in"


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A token as Dhan gave it. Valid for 24 hours on paper; it may die earlier, and a newer one kills it."""

    value: str = field(repr=False)
    client_id: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class App:
    """The account's own API key, and where its sign-in host is. `url` has no slash at its end."""

    url: str
    client_id: str
    key: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"app_id": self.key, "app_secret": self.secret}


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
    return _token(reply, now, hide=(pin, query["totp"]))


async def create_consent(client: DhanClient, app: App) -> str:
    """The id of a new consent, one of 25 a day. Raises LoginRefused, CallFailed."""
    url = f"{app.url}/app/generate-consent"
    reply = await client.call("POST", url, query={"client_id": app.client_id}, headers=app.headers)
    row = _row(reply)
    consent_id = text(row, "consentAppId")
    if text(row, "status") != "success" or not consent_id:  # a refusal, too, may come with HTTP 200
        raise _refused(row, reply, hide=(app.secret,))
    return consent_id


async def consume_consent(client: DhanClient, app: App, token_id: str, now: datetime) -> AccessToken:
    """Trade what the browser brought back for a token, which works once. Raises LoginRefused, CallFailed."""
    url, query = f"{app.url}/app/consumeApp-consent", {"tokenId": token_id}
    reply = await client.call("GET", url, query=query, headers=app.headers)
    if reply.status == 405:  # both methods are documented, and either may be taken away
        reply = await client.call("POST", url, query=query, headers=app.headers)
    return _token(reply, now, hide=(token_id, app.secret))


async def renew(client: DhanClient, api_url: str, *, client_id: str, token: str, now: datetime) -> AccessToken:
    """Another 24 hours for a token made on Dhan's website; the old one ends. Raises LoginRefused, CallFailed."""
    headers = {"access-token": token, "dhanClientId": client_id}
    reply = await client.call("GET", f"{api_url}/RenewToken", headers=headers)
    return _token(reply, now, hide=(token,), client_id=client_id)


async def check_token(client: DhanClient, api_url: str, *, token: str, now: datetime) -> AccessToken:
    """A token that was made elsewhere, as Dhan knows it. Raises LoginRefused, and CallFailed where Dhan cannot say."""
    reply = await client.call("GET", f"{api_url}/profile", headers={"access-token": token})
    row = _answer(reply)
    client_id, until = text(row, "dhanClientId"), text(row, "tokenValidity")
    if not reply.is_success or not client_id:
        raise _refused(row, reply, hide=(token,))
    ends = _ends(token, until)
    if ends is None:
        raise CallFailed("Dhan did not say until when the token is good", sent=True)
    return AccessToken(value=token, client_id=client_id, issued_at=now, expires_at=ends)


def claims(token: str) -> Row:
    """What a token says of itself (nobody but Dhan can check that); empty when it is no token at all."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return as_row(json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))) or {}
    except ValueError:
        return {}


def _ends(token: str, *stamps: str) -> datetime | None:
    """By the first of Dhan's times that can be read, else by the token's own claim; None when nothing says it."""
    for stamp in stamps:
        with suppress(ValueError):
            return _sane(_stamp(stamp))
    claimed: Any = claims(token).get("exp")
    with suppress(TypeError, ValueError, OverflowError, OSError):
        return _sane(datetime.fromtimestamp(claimed, UTC))
    return None


def _stamp(written: str) -> datetime:
    """Dhan's times carry no zone and are India's: `2026-11-25T08:41:07`, in the profile `25/11/2026 08:41`."""
    if "/" in written:
        return datetime.strptime(written, "%d/%m/%Y %H:%M").replace(tzinfo=INDIA)
    return datetime.fromisoformat(written).replace(tzinfo=INDIA)


def _sane(at: datetime) -> datetime:
    """Raises ValueError for a year in which no token ends: one at the calendar's edge cannot be reckoned with."""
    if not 2000 <= at.year < 2200:
        raise ValueError("no token ends then")
    return at


def _token(reply: Reply, now: datetime, *, hide: tuple[str, ...], client_id: str = "") -> AccessToken:
    """Kept whatever else the reply lacks: the old token is dead by now, and a token id works once.

    `client_id` stands in where the reply names no account.
    """
    row = _answer(reply)
    value = text(row, "accessToken")
    if not value:  # refusals come with HTTP 200
        raise _refused(row, reply, hide=hide)
    owner = text(row, "dhanClientId") or text(claims(value), "dhanClientId") or client_id
    ends = _ends(value, text(row, "expiryTime"), text(row, "tokenValidity"))
    return AccessToken(value=value, client_id=owner, issued_at=now, expires_at=ends or now + TOKEN_LASTS)


def _row(reply: Reply) -> Row:
    row = as_row(reply.json())
    if row is None:
        raise CallFailed(f"{_HOST} answered {reply.status} with something unreadable", sent=True)
    return row


def _answer(reply: Reply) -> Row:
    """What Dhan says of the sign-in itself; an outage, or a gateway that speaks in its place, says nothing of it."""
    row = _row(reply)
    is_gateways = reply.status == 404 and read_error(reply) is None and not text(row, "message")
    if reply.status == 429 or reply.status >= 500 or is_gateways:
        raise CallFailed(f"{_HOST} answered {reply.status}", sent=True)
    return row


def _refused(row: Row, reply: Reply, *, hide: tuple[str, ...]) -> LoginRefused:
    """In Dhan's words, which reach the chat: should they repeat what was sent, that is taken out."""
    error = read_error(reply)
    words = text(row, "message") or (error.words if error else "") or text(row, "errorMessage")
    code = error.code if error else text(row, "errorCode")
    for secret in filter(None, hide):
        words = words.replace(secret, "…")
    return LoginRefused(_refusal(code, words), words or code or f"HTTP {reply.status}")


def _refusal(code: str, words: str) -> LoginRefusal:
    lowered = words.lower()
    if code == "CONSENT_LIMIT_EXCEED":
        return LoginRefusal.CONSENT_LIMIT
    if "2 minutes" in lowered:
        return LoginRefusal.TOO_SOON
    if "invalid pin" in lowered:
        return LoginRefusal.WRONG_PIN
    return LoginRefusal.WRONG_CODE if "totp" in lowered else LoginRefusal.OTHER
