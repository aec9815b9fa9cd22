"""Signing in at the stand-in: PIN and one-time code, or consent in the browser; one live token per account."""

import base64
import json
import secrets
import uuid
from datetime import datetime, timedelta
from http import HTTPStatus

from pyotp.totp import TOTP

from core.clock import Clock, to_india
from core.sandbox.dhan.errors import Refused, bad_input, bad_token, consent_limit, sign_in_error
from core.sandbox.dhan.ledger import plain
from core.sandbox.dhan.store import Store
from core.settings import PaperAccount

TOKEN_LIFE = timedelta(hours=24)
OTHER_ACCOUNT = "1100000002"
ONCE_PER = timedelta(minutes=2)
CONSENTS_PER_DAY = 25
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
  token TEXT PRIMARY KEY, issued_at TEXT NOT NULL, expires_at TEXT NOT NULL, live INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS consents (
  consent_id TEXT PRIMARY KEY, made_at TEXT NOT NULL, account TEXT NOT NULL, token_id TEXT UNIQUE,
  used INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS codes (code TEXT NOT NULL) STRICT;
"""


class Login:
    """Issues tokens and checks them. Refusals are raised, in the shapes of the host that refuses."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._last_try: datetime | None = None
        store.create(_SCHEMA)
        row = store.read_one("SELECT token, expires_at FROM tokens WHERE live = 1")
        self._live = (row[0], datetime.fromisoformat(row[1])) if row else None

    def check(self, token: str | None) -> datetime:
        """When the token ends. Raises Refused (DH-901) unless it is the live one."""
        if token is None or self._live is None or not secrets.compare_digest(token.encode(), self._live[0].encode()):
            raise bad_token()
        if self._live[1] <= self._clock.now():
            raise bad_token()
        return self._live[1]

    def with_code(self, client_id: str, pin: str, code: str) -> dict[str, object]:
        """Dhan API v2, Authentication, Access Token with TOTP. A refused try restarts the two minutes."""
        now = self._clock.now()
        with self._store.transaction():
            self._store.write("INSERT INTO codes VALUES (?)", [code])  # for whoever looks where codes turn up
        last, self._last_try = self._last_try, now
        if last is not None and timedelta(0) <= now - last < ONCE_PER:
            raise sign_in_error("Token can be generated once every 2 minutes.")
        if client_id != PaperAccount.CLIENT_ID or not secrets.compare_digest(pin.encode(), PaperAccount.PIN.encode()):
            raise sign_in_error("Invalid Pin")
        if not TOTP(PaperAccount.TOTP_SECRET).verify(code, for_time=now):
            raise sign_in_error("Invalid TOTP")
        return self._issue(now)

    def open_consent(self, client_id: str, app_id: str | None, app_secret: str | None) -> str:
        _check_app(app_id, app_secret)
        if client_id != PaperAccount.CLIENT_ID:
            raise sign_in_error("Invalid Client Id")
        now = self._clock.now()
        row = self._store.read_one("SELECT count(*) FROM consents WHERE made_at > ?", plain(now - timedelta(days=1)))
        if row and row[0] >= CONSENTS_PER_DAY:
            raise consent_limit()
        consent_id = str(uuid.uuid4())
        with self._store.transaction():
            self._store.write("INSERT INTO consents VALUES (?, ?, '', NULL, 0)", [consent_id, plain(now)])
        return consent_id

    def grant(self, consent_id: str, account: str) -> str | None:
        """The token id that the browser carries back; None when there is no such consent to grant."""
        token_id = str(uuid.uuid4())
        with self._store.transaction():
            granted = self._store.write(
                "UPDATE consents SET token_id = ?, account = ? WHERE consent_id = ? AND token_id IS NULL",
                [token_id, account, consent_id],
            )
        return token_id if granted else None

    def consume(self, token_id: str, app_id: str | None, app_secret: str | None) -> dict[str, object]:
        """The token id works once."""
        _check_app(app_id, app_secret)
        with self._store.transaction():
            row = self._store.read_one("SELECT account FROM consents WHERE token_id = ? AND used = 0", token_id)
            self._store.write("UPDATE consents SET used = 1 WHERE token_id = ?", [token_id])
        if row is None:
            raise sign_in_error("Invalid Token ID")
        return self._issue(self._clock.now(), account=row[0])

    def on_the_website(self) -> str:
        """A token as its owner makes it on the broker's website."""
        return str(self._issue(self._clock.now(), consumer="SELF")["accessToken"])

    def renew(self, token: str) -> dict[str, object]:
        """Dhan API v2, Authentication, Renew Token: the website's own tokens only."""
        if '"SELF"' not in _claims(token):
            raise bad_input("Token cannot be renewed")
        return self._issue(self._clock.now(), consumer="SELF")

    def end(self) -> None:
        """As when its owner signs in with another program, or the broker ends all sessions for the day."""
        with self._store.transaction():
            self._store.write("UPDATE tokens SET live = 0 WHERE live = 1", [])
        self._live = None

    def _issue(
        self, now: datetime, *, account: str = PaperAccount.CLIENT_ID, consumer: str = "APP"
    ) -> dict[str, object]:
        expires = (now + TOKEN_LIFE).replace(microsecond=0)
        token = _jwt(account, consumer, expires)
        if account == PaperAccount.CLIENT_ID:
            with self._store.transaction():
                self._store.write("UPDATE tokens SET live = 0 WHERE live = 1", [])
                self._store.write("INSERT INTO tokens VALUES (?, ?, ?, 1)", [token, plain(now), plain(expires)])
            self._live = (token, expires)
        return {
            "dhanClientId": account,
            "dhanClientName": "PAPER DESK",
            "dhanClientUcc": "PAPR1234A",
            "givenPowerOfAttorney": True,
            "accessToken": token,
            "expiryTime": f"{to_india(expires):%Y-%m-%dT%H:%M:%S}",
        }


def _check_app(app_id: str | None, app_secret: str | None) -> None:
    if (app_id, app_secret) != (PaperAccount.API_KEY, PaperAccount.API_SECRET):
        raise Refused(HTTPStatus.UNAUTHORIZED, {"status": "error", "message": "Invalid app id or secret"})


def _claims(token: str) -> str:
    middle = token.split(".")[1]
    return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)).decode()


def _jwt(account: str, consumer: str, expires: datetime) -> str:
    """Header and claims as production's tokens have them; the signature is random, since only the issuer checks it."""
    claims = {
        "iss": "dhan",
        "partnerId": "",
        "exp": int(expires.timestamp()),
        "tokenConsumerType": consumer,
        "webhookUrl": "",
        "dhanClientId": account,
    }
    parts = [json.dumps({"typ": "JWT", "alg": "HS512"}).encode(), json.dumps(claims).encode(), secrets.token_bytes(64)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
