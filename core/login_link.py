"""The link that a sign-in starts with: it names a row, and cannot be guessed.

Dhan's login carries no state of ours, so the link's key also is the cookie by which the callback is known to come from
the browser that opened the link. It is computed, never stored.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.db import logins
from core.domain.login import LoginState, Way, count_aloud, why_no_link
from core.settings import Settings


@dataclass(frozen=True)
class Offer:
    """`login_id`: whose link it is, None where none may be made. `words`: how short links run, or why there is none."""

    login_id: int | None
    words: str


def offer(connection: Connection, *, by: str, at: datetime) -> Offer:
    """A link, as long as Dhan makes consents today; it costs one only when it is opened."""
    made = logins.consents(connection, at)
    if why_not := why_no_link(made):
        return Offer(None, why_not)
    login_id = logins.start(connection, Way.LINK, LoginState.OFFERED, by=by, at=at)
    return Offer(login_id, count_aloud(len(made)))


class LoginLinks:
    """Made and understood by whoever has the TOKEN_KEYS: the newest key makes them, all of them open them."""

    def __init__(self, settings: Settings) -> None:
        self._web = settings.web_url.rstrip("/")
        self._auth = settings.dhan_auth
        self._keys = [key.encode() for key in settings.token_keys.get_secret_value().split(",")]

    def url(self, login_id: int) -> str:
        """Where the operator's tap goes: to our own web process, since a consent is made only then."""
        return f"{self._web}/auth/login/{self.key(login_id)}"

    def key(self, login_id: int) -> str:
        return f"{login_id}-{_signature(self._keys[0], login_id)}"

    def login_id(self, key: str) -> int | None:
        """Whose key it is; None for one that we did not make."""
        name, _, signature = key.partition("-")
        if not (name.isascii() and name.isdecimal() and len(name) <= 15 and signature.isascii()):
            return None
        found = [hmac.compare_digest(_signature(secret, int(name)), signature) for secret in self._keys]
        return int(name) if any(found) else None

    def dhans_page(self, consent_id: str) -> str:
        """Where Dhan asks for consent (Dhan API v2, Authentication, step 2)."""
        return f"{self._auth}/login/consentApp-login?consentAppId={consent_id}"


def _signature(secret: bytes, login_id: int) -> str:
    made = hmac.digest(secret, f"sign-in link {login_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(made[:15]).decode()
