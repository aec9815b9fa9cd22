"""The desk's sign-in at Dhan: keep the token that is good, get another when it is not, never burn an order for it.

The ladder: the stored token, then PIN and TOTP where configured. While none of
them works, a hold keeps orders queued and says what to do. Every try is a row, so that a restart cannot make more tries
than Dhan allows.
"""

import asyncio
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Connection, delete, func, insert, select, update

from core import controls, journal
from core.broker.dhan.auth import (
    AccessToken,
    LoginRefusal,
    LoginRefused,
    seconds_until_safe_code,
    sign_in_with_totp,
)
from core.broker.dhan.client import CallFailed, DhanClient
from core.clock import Clock, to_india
from core.db import tokens
from core.db.engine import Database
from core.db.tables import logins
from core.db.tokens import StoredToken, TokenVault
from core.errors import SignInNeeded
from core.settings import Settings

log = structlog.get_logger()

BETWEEN_TRIES = timedelta(seconds=130)
WRONG_PINS_A_DAY = 2
RENEW_BEFORE = timedelta(minutes=5)


class LoginState(StrEnum):
    REQUESTED = "requested"
    COMPLETED = "completed"
    FAILED = "failed"


class Session:
    """One account's sign-in. `token()` is what the broker adapter sends; `keep()` is called by the desk's loop."""

    def __init__(self, database: Database, client: DhanClient, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._clock = clock
        self._vault = TokenVault(settings.token_keys)
        self._token: StoredToken | None = None
        self._turn = asyncio.Lock()
        self._may_be_held = True

    def token(self) -> str:
        """The access token in force. Raises SignInNeeded when there is none."""
        if self._token is None or self._token.expires_at <= self._clock.now():
            raise SignInNeeded("not signed in at Dhan")
        return self._token.value

    @property
    def is_signed_in(self) -> bool:
        return self._token is not None and self._token.expires_at > self._clock.now()

    async def keep(self) -> bool:
        """Make sure of a good token, as far as that is possible now. True when signed in."""
        async with self._turn:
            now = self._clock.now()
            if self._token is None:
                self._token = await self._database.read(self._stored)
            if self._token is not None and self._token.expires_at - now > RENEW_BEFORE:
                return await self._signed_in()
            if await self._try_ladder(now):
                return await self._signed_in()
            return self.is_signed_in

    async def die(self, words: str) -> None:
        """Dhan refused the token: forget it, and hold orders until there is another."""
        async with self._turn:
            self._token = None
            self._may_be_held = True
            now = self._clock.now()

            def bury(connection: Connection) -> None:
                tokens.bury(connection, self._settings.client_id, now)
                reason = f"Dhan no longer takes the sign-in ({words}); a new one is being made."
                controls.set_hold(connection, controls.Hold.SIGNED_OUT, reason, at=now, actor=journal.DHAN)

            await self._database.write(bury)

    def _stored(self, connection: Connection) -> StoredToken | None:
        return self._vault.load(connection, self._settings.client_id)

    async def _signed_in(self) -> bool:
        if self._may_be_held:
            now = self._clock.now()
            await self._database.write(
                lambda connection: controls.lift_hold(connection, controls.Hold.SIGNED_OUT, at=now, actor=journal.DESK)
            )
            self._may_be_held = False
        return True

    async def _try_ladder(self, now: datetime) -> bool:
        secrets = self._settings.pin_and_totp
        if secrets is None:
            return await self._hold("sign in by setting DHAN_PIN and DHAN_TOTP_SECRET, then restart the desk.", now)
        refusal = await self._database.read(lambda connection: self._why_not_yet(connection, now))
        if refusal:
            return self.is_signed_in or await self._hold(refusal, now)
        login_id = await self._database.write(lambda connection: _open_login(connection, now))
        await asyncio.sleep(seconds_until_safe_code(now))
        now = self._clock.now()
        try:
            token = await sign_in_with_totp(
                self._client,
                self._settings.dhan_auth,
                client_id=self._settings.client_id,
                pin=secrets[0].get_secret_value(),
                totp_secret=secrets[1].get_secret_value(),
                now=now,
            )
        except (LoginRefused, CallFailed) as trouble:
            return await self._failed(login_id, trouble, now)
        return await self._keep_token(login_id, token)

    def _why_not_yet(self, connection: Connection, now: datetime) -> str:
        last = connection.execute(select(func.max(logins.c.requested_at))).scalar()
        if last is not None and abs(now - last) < BETWEEN_TRIES:
            return (
                f"Dhan allows one sign-in in two minutes: the next try is at {to_india(last + BETWEEN_TRIES):%H:%M:%S}."
            )
        midnight = to_india(now).replace(hour=0, minute=0, second=0, microsecond=0)
        wrong = connection.execute(
            select(func.count()).where(logins.c.requested_at >= midnight, logins.c.reason == LoginRefusal.WRONG_PIN)
        ).scalar_one()
        if wrong >= WRONG_PINS_A_DAY:
            return "Dhan refused the PIN twice today and may lock you out: correct DHAN_PIN; retried tomorrow."
        return ""

    async def _failed(self, login_id: int, trouble: LoginRefused | CallFailed, now: datetime) -> bool:
        refusal = trouble.refusal.value if isinstance(trouble, LoginRefused) else "no_reply"
        if isinstance(trouble, CallFailed) and not trouble.sent:
            await self._database.write(lambda connection: _forget_login(connection, login_id))
            return self.is_signed_in or await self._hold(f"Dhan cannot be reached ({trouble}). It is tried again.", now)
        await self._database.write(
            lambda connection: _close_login(connection, login_id, LoginState.FAILED, refusal, now)
        )
        log.warning("sign_in_failed", refusal=refusal)
        return self.is_signed_in or await self._hold(f"signing in failed: {trouble}. It is tried again.", now)

    async def _keep_token(self, login_id: int, token: AccessToken) -> bool:
        now = self._clock.now()
        if token.client_id != self._settings.client_id:
            words = "the sign-in belongs to another Dhan account than DHAN_CLIENT_ID: its token was thrown away."
            await self._database.write(
                lambda connection: _close_login(connection, login_id, LoginState.FAILED, "wrong_account", now)
            )
            return await self._hold(words, now)

        def keep(connection: Connection) -> StoredToken | None:
            self._vault.store(
                connection,
                token.value,
                client_id=token.client_id,
                source="totp",
                issued_at=token.issued_at,
                expires_at=token.expires_at,
            )
            _close_login(connection, login_id, LoginState.COMPLETED, "", now)
            return self._stored(connection)

        self._token = await self._database.write(keep)
        log.info("signed_in", until=token.expires_at.isoformat())
        return True

    async def _hold(self, words: str, now: datetime) -> bool:
        self._may_be_held = True
        reason = f"Not signed in at Dhan: {words}"
        await self._database.write(
            lambda connection: controls.set_hold(
                connection, controls.Hold.SIGNED_OUT, reason, at=now, actor=journal.DESK
            )
        )
        return False


def _open_login(connection: Connection, at: datetime) -> int:
    return connection.execute(
        insert(logins)
        .values(state=LoginState.REQUESTED, way="totp", requested_by=journal.DESK, requested_at=at, reason="")
        .returning(logins.c.id)
    ).scalar_one()


def _close_login(connection: Connection, login_id: int, state: LoginState, reason: str, at: datetime) -> None:
    connection.execute(update(logins).where(logins.c.id == login_id).values(state=state, reason=reason, finished_at=at))


def _forget_login(connection: Connection, login_id: int) -> None:
    """A try that never left this machine does not count."""
    connection.execute(delete(logins).where(logins.c.id == login_id))
