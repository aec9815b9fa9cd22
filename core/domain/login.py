"""One sign-in at the broker: by which way it goes, where it stands, and why it failed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from core.domain.sessions import INDIA, spoken_time

LINK_LIVES = timedelta(hours=12)
"""How long a link in the chat may be opened."""
TAP_LIVES = timedelta(minutes=10)
"""How long after opening it the operator may take at Dhan's page."""
CONSENTS_A_DAY = 25
"""Dhan makes so many consents in a day (Dhan API v2, Authentication); observed to come back after 24 hours."""
WARN_AT_CONSENTS = 20
STOP_AT_CONSENTS = 24


class Way(StrEnum):
    """LINK: consent in the browser. WEB: a token made on web.dhan.co and handed in. RENEWAL: of such a token.

    ASKED: the web process wants a fresh sign-in, by whichever of these the desk can use by itself.
    """

    TOTP = "totp"
    LINK = "link"
    WEB = "web"
    RENEWAL = "renewal"
    ASKED = "asked"

    @property
    def is_renewable(self) -> bool:
        """Dhan renews only tokens made on its website (Dhan API v2, Authentication, Renew Token)."""
        return self in (Way.WEB, Way.RENEWAL)


class LoginState(StrEnum):
    """OFFERED: the link stands in the chat, and nothing was asked of Dhan. REQUESTED: the desk is to act."""

    OFFERED = "offered"
    REQUESTED = "requested"
    PENDING = "pending_login"
    RECEIVED = "token_received"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self in (LoginState.COMPLETED, LoginState.FAILED, LoginState.EXPIRED)


class LoginRefusal(StrEnum):
    """Why a sign-in failed, as far as it changes what happens next."""

    TOO_SOON = "too_soon"
    WRONG_PIN = "wrong_pin"
    WRONG_CODE = "wrong_code"
    WRONG_ACCOUNT = "wrong_account"
    CONSENT_LIMIT = "consent_limit"
    NO_REPLY = "no_reply"
    INTERRUPTED = "interrupted"
    OTHER = "other"

    @property
    def is_a_no(self) -> bool:
        """To what was handed in, so that the same again is refused again; the others pass by themselves."""
        return self not in (LoginRefusal.TOO_SOON, LoginRefusal.NO_REPLY, LoginRefusal.INTERRUPTED)


def count_aloud(used: int) -> str:
    """A sentence for beside a link, once the consents of 24 hours run short; empty before."""
    return f"{used} of Dhan's {CONSENTS_A_DAY} sign-in links of a day are used." if used >= WARN_AT_CONSENTS else ""


def why_no_link(made: Sequence[datetime]) -> str | None:
    """None: a link may be offered. `made`: when consents were asked for in the last 24 hours, oldest first."""
    if len(made) < STOP_AT_CONSENTS:
        return None
    free = (made[-STOP_AT_CONSENTS] + timedelta(hours=24)).astimezone(INDIA)
    return (
        f"{len(made)} of Dhan's {CONSENTS_A_DAY} sign-in links of a day are used, and the desk stops there: the "
        f"next is free at {spoken_time(free)}. Until then hand in a token from web.dhan.co with `munshi token` on the "
        "desk's machine."
    )
