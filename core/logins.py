"""The desk's sign-in at Dhan: keep the token that is good, get another when it is not, never burn an order for it.

While there is none, a hold keeps orders queued and says what to do, and the operator is asked once.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from core import controls, journal, notifications, reminders
from core.broker.dhan.auth import AccessToken, LoginRefused
from core.broker.dhan.client import CallFailed, DhanClient
from core.clock import Clock
from core.controls import Hold
from core.db import logins, tokens
from core.db.engine import Database
from core.db.tokens import StoredToken, TokenVault
from core.domain.login import LoginRefusal, Way
from core.domain.notice import Notice
from core.errors import BadSettings, SignInNeeded, Unavailable
from core.ladder import Ladder, Try, Wait, why_stopped
from core.settings import Settings

log = structlog.get_logger()

RENEW_BEFORE = timedelta(minutes=5)
RENEW_WEB_BEFORE = timedelta(hours=4)
SUSPICIOUS = timedelta(hours=1)
_BY_ITSELF = (Way.TOTP, Way.RENEWAL)
_OTHER_ACCOUNT = "that sign-in belongs to another Dhan account than DHAN_CLIENT_ID: its token was thrown away."

_RIVAL = (
    "Dhan ended a sign-in that was less than an hour old. If another program signs in with this account, each ends the "
    "other's sign-in: stop one of them. The desk signs in again by itself."
)


class Session:
    """One account's sign-in. `token()` is what the broker adapter sends; `keep()` is called by the desk's loop.

    `keep_copy` stores each new token elsewhere too; it may block, and raises BadSettings or Unavailable.
    """

    def __init__(
        self,
        database: Database,
        client: DhanClient,
        settings: Settings,
        clock: Clock,
        *,
        keep_copy: Callable[[str], None] | None = None,
    ) -> None:
        self._database = database
        self._keep_copy = keep_copy
        self._settings = settings
        self._clock = clock
        self._vault = TokenVault(settings.token_keys)
        self._ladder = Ladder(database, client, settings, clock)
        self._token: StoredToken | None = None
        self._serial = 0
        self._ended = ""
        self._turn = asyncio.Lock()
        self._may_be_held = True

    def token(self) -> str:
        """The access token in force. Raises SignInNeeded when there is none."""
        if self._token is None or not self.is_signed_in:
            raise SignInNeeded("not signed in at Dhan")
        return self._token.value

    @property
    def is_signed_in(self) -> bool:
        return self._token is not None and self._token.expires_at > self._clock.now()

    @property
    def serial(self) -> int:
        """Another number for every token: a refusal counts only against the token that was refused."""
        return self._serial

    async def keep(self, through: datetime | None = None) -> bool:
        """Make sure of a good token, as far as that is possible now. True when signed in.

        `through`: for so long it should last.
        """
        async with self._turn:
            await self._keep(through)
            return self.is_signed_in

    async def sign_in_through(self, through: datetime) -> str | None:
        """As `keep`; why there is neither a token that lasts so long nor a new one, or None: there is."""
        async with self._turn:
            return await self._keep(through)

    async def sign_in_anew(self) -> str | None:
        """Make a new token even where the old one lasts, as the operator asks; why there is none, or None: there is."""
        async with self._turn:
            return await self._try(asked=True)

    async def take(self, attempt: Try) -> bool:
        """Make one sign-in that the operator began; True when its token is the one in force now."""
        async with self._turn:
            return await self._take(attempt) is None

    async def die(self, words: str, serial: int) -> None:
        """Dhan refused the token of this serial: forget it, and hold orders until there is another."""
        async with self._turn:
            if serial != self._serial:
                return  # it has been replaced meanwhile
            now, token = self._clock.now(), self._token
            self._ended = f"Dhan ended the sign-in ({words.rstrip('.')}); another program may have signed in. "
            self._adopt(None)

            def bury(connection: Connection) -> None:
                tokens.bury(connection, self._settings.client_id, now)
                reason = f"Dhan no longer takes the sign-in ({words}); a new one is being made."
                controls.set_hold(connection, Hold.SIGNED_OUT, reason, at=now, actor=journal.DHAN)
                if token and token.source is Way.TOTP and now - token.issued_at < SUSPICIOUS:
                    notifications.ring(connection, Notice.SIGN_IN, at=now, words=_RIVAL, login=None)

            self._may_be_held = True
            await self._database.write(bury)

    def _stored(self, connection: Connection) -> StoredToken | None:
        return self._vault.load(connection, self._settings.client_id)

    def _adopt(self, token: StoredToken | None) -> None:
        self._token = token
        self._serial += 1

    def _lasts(self, now: datetime, through: datetime | None) -> bool:
        if self._token is None:
            return False
        margin = RENEW_WEB_BEFORE if self._token.source.is_renewable else RENEW_BEFORE
        return self._token.expires_at > max(now + margin, through or now)

    async def _signed_in(self, now: datetime) -> None:
        if self._may_be_held:

            def settle(connection: Connection) -> None:
                controls.lift_hold(connection, Hold.SIGNED_OUT, at=now, actor=journal.DESK)
                reminders.settle(connection, now)

            await self._database.write(settle)
            self._may_be_held, self._ended = False, ""

    async def _keep(self, through: datetime | None) -> str | None:
        now = self._clock.now()
        if self._token is None and (stored := await self._database.read(self._stored)):
            self._adopt(stored)
        if not self._lasts(now, through):
            return await self._try(asked=False)
        await self._signed_in(now)
        return None

    async def _try(self, *, asked: bool) -> str | None:
        """Climb the ladder by one rung; why it led to no token, or None: it did."""
        attempt = await self._ladder.next_try(self._token, asked=asked)
        if not isinstance(attempt, Wait):
            return await self._take(attempt)
        if not self.is_signed_in:
            await self._hold(attempt.words, self._clock.now(), ask=attempt.needs_operator)
        return attempt.words

    async def _take(self, attempt: Try) -> str | None:
        try:
            token = await attempt.fetch()
        except LoginRefused as refused:
            return await self._failed(attempt, refused.refusal, f"signing in failed: {refused}")
        except CallFailed as failure:
            only_asks = attempt.way is Way.WEB or attempt.by_the_way  # whose a token is: that may be repeated
            if failure.sent and not only_asks:
                return await self._failed(attempt, LoginRefusal.NO_REPLY, f"signing in failed: {failure}")
            return await self._not_made(attempt, f"Dhan cannot be reached ({failure}). It is tried again.")
        if token.client_id != self._settings.client_id:
            return await self._failed(attempt, LoginRefusal.WRONG_ACCOUNT, _OTHER_ACCOUNT)
        self._adopt(await self._database.write(lambda c: self._store(c, attempt, token)))
        self._may_be_held = True
        log.info("signed_in", way=attempt.way, until=token.expires_at.isoformat())
        if self._keep_copy and not attempt.by_the_way:
            await self._copy(self._keep_copy, token.value)
        await self._signed_in(self._clock.now())
        return None

    async def _copy(self, keep: Callable[[str], None], token: str) -> None:
        """Where the settings keep secrets, too; the row in the database is good without it."""
        try:
            await asyncio.to_thread(keep, token)
        except (BadSettings, Unavailable) as trouble:
            log.warning("token_not_copied", why=str(trouble))
            words = f"The new sign-in works, but it could not be kept in Secret Manager: {trouble}."
            at = self._clock.now()
            await self._database.write(lambda c: notifications.ring(c, Notice.SIGN_IN, at=at, words=words, login=None))

    def _store(self, connection: Connection, attempt: Try, token: AccessToken) -> StoredToken | None:
        self._vault.store(
            connection,
            token.value,
            client_id=token.client_id,
            source=attempt.way,
            issued_at=token.issued_at,
            expires_at=token.expires_at,
        )
        now = self._clock.now()
        logins.complete(connection, attempt.login_id, now)
        if attempt.way is Way.LINK and not attempt.by_the_way:
            reminders.tell(connection, token.expires_at, now)
        return self._stored(connection)

    async def _not_made(self, attempt: Try, words: str) -> str:
        """A try of ours that never left this machine does not count; what a person handed in is still to be used."""
        if attempt.way in _BY_ITSELF or attempt.by_the_way:
            await self._database.write(lambda c: logins.forget(c, attempt.login_id))
        if not self.is_signed_in:
            await self._hold(words, self._clock.now())
        return words

    async def _failed(self, attempt: Try, refusal: LoginRefusal, words: str) -> str:
        now = self._clock.now()

        def fail(connection: Connection) -> str | None:
            logins.fail(connection, attempt.login_id, refusal, words, now)
            if refusal is LoginRefusal.WRONG_ACCOUNT:
                notifications.ring(connection, Notice.SIGN_IN, at=now, words=words[0].upper() + words[1:], login=None)
            return why_stopped(connection, self._settings, now) if attempt.way is Way.TOTP else None

        stopped = await self._database.write(fail)
        log.warning("sign_in_failed", way=attempt.way, refusal=refusal)
        if not self.is_signed_in:
            ask = refusal is not LoginRefusal.TOO_SOON and not attempt.by_the_way
            tail = " It is tried again." if attempt.way in _BY_ITSELF else ""
            await self._hold(stopped or f"{words.rstrip('.')}.{tail}", now, ask=ask)
        return stopped or f"{words.rstrip('.')}."

    async def _hold(self, words: str, now: datetime, *, ask: bool = False) -> None:
        self._may_be_held = True
        reason = f"Not signed in at Dhan: {self._ended}{words}"

        def hold(connection: Connection) -> None:
            controls.set_hold(connection, Hold.SIGNED_OUT, reason, at=now, actor=journal.DESK)
            if ask:
                reminders.prompt(connection, self._settings, reason, now)

        await self._database.write(hold)
