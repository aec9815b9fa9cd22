"""The desk's side of sign-ins that a person begins: it makes consents for opened links, and trades what came back.

Web and the command line only leave rows; the desk alone talks to Dhan.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from core import controls
from core.broker.dhan.auth import (
    TOKEN_LASTS,
    AccessToken,
    App,
    LoginRefused,
    check_token,
    consume_consent,
    create_consent,
)
from core.broker.dhan.client import CallFailed, DhanClient
from core.clock import Clock
from core.controls import Hold
from core.db import logins, tokens
from core.db.engine import Database
from core.db.logins import Login
from core.domain.login import CONSENTS_A_DAY, TAP_LIVES, LoginRefusal, Way, why_no_link
from core.domain.sessions import spoken
from core.ladder import Try
from core.logins import Session
from core.seal import Seal
from core.settings import Settings

log = structlog.get_logger()

FRESH_LASTS = timedelta(hours=22)
"""A sign-in that a daily job asks for should last until its next run; a younger one is good enough."""

_LOST = "The desk was interrupted while it asked Dhan. Send /login for a new link."
_NOT_REACHED = "Dhan could not be reached. Send /login for a new link."
_TOO_OLD = "For a day Dhan could not say whose token it is: hand in another with `munshi token`."
_NO_KEY = "Sign-in links need DHAN_API_KEY and DHAN_API_SECRET."
_DHANS_LIMIT = (
    f"Dhan makes {CONSENTS_A_DAY} sign-in links in a day, and they are used up. They come back 24 hours after each was "
    "made; until then use a token from web.dhan.co with `munshi token`, or PIN and TOTP."
)


class Mailbox:
    def __init__(
        self, *, database: Database, client: DhanClient, session: Session, settings: Settings, clock: Clock
    ) -> None:
        self._database = database
        self._client = client
        self._session = session
        self._settings = settings
        self._clock = clock
        self._seal = Seal(settings.token_keys)

    async def attend(self) -> bool:
        """Do what lies there; True when the desk has another token now."""
        now = self._clock.now()
        waiting = await self._database.read(lambda c: logins.to_do(c, now))
        return any([await self._attend_to(login) for login in waiting])

    async def _attend_to(self, login: Login) -> bool:
        if login.way is Way.ASKED:
            return await self._sign_in(login)
        if login.sealed is None:
            await self._make_consent(login)
            return False
        secret = self._seal.open(login.sealed)
        if secret is None:
            await self._fail(login, LoginRefusal.OTHER, "TOKEN_KEYS changed in between. Send /login for a new link.")
            return False
        if self._is_too_old(login):
            await self._fail(login, LoginRefusal.NO_REPLY, _TOO_OLD if login.way is Way.WEB else _NOT_REACHED)
            return False
        return await self._session.take(Try(login_id=login.id, way=login.way, fetch=self._fetch(login, secret)))

    async def _sign_in(self, login: Login) -> bool:
        """As the desk does by itself: a job that calls again and again spends none of the day's tries with a PIN."""
        before = self._session.serial
        why_not = await self._session.sign_in_through(self._clock.now() + FRESH_LASTS)
        now = self._clock.now()
        if why_not is None:
            await self._database.write(lambda c: logins.complete(c, login.id, now))
        else:
            await self._fail(login, LoginRefusal.OTHER, await self._database.read(lambda c: _no_new(c, why_not, now)))
        return self._session.serial != before and self._session.is_signed_in

    def _is_too_old(self, login: Login) -> bool:
        """Dhan does not say how long a token id lives; a token of the website that nobody could check has ended."""
        lives = TOKEN_LASTS if login.way is Way.WEB else 2 * TAP_LIVES
        return self._clock.now() - (login.opened_at or login.requested_at) > lives

    def _fetch(self, login: Login, secret: str) -> Callable[[], Awaitable[AccessToken]]:
        async def fetch() -> AccessToken:
            now = self._clock.now()
            if login.way is Way.WEB:
                return await check_token(self._client, self._settings.dhan_api, token=secret, now=now)
            return await consume_consent(self._client, self._app(), secret, now)

        return fetch

    async def _make_consent(self, login: Login) -> None:
        refusal = await self._database.write(lambda c: self._why_no_consent(c, login))
        if refusal:
            await self._fail(login, *refusal)
            return
        try:
            consent_id = await create_consent(self._client, self._app())
        except LoginRefused as refused:
            words = _DHANS_LIMIT if refused.refusal is LoginRefusal.CONSENT_LIMIT else f"Dhan refused: {refused}."
            await self._fail(login, refused.refusal, words)
        except CallFailed as failure:
            if failure.sent:
                await self._fail(login, LoginRefusal.NO_REPLY, f"{failure}. Send /login for a new link.")
            else:
                await self._database.write(lambda c: logins.forget_asking(c, login))
        else:
            await self._database.write(lambda c: logins.pend(c, login, consent_id))
            log.info("consent_made", login=login.id)

    def _why_no_consent(self, connection: Connection, login: Login) -> tuple[LoginRefusal, str] | None:
        """None when Dhan may be asked, which is then written down."""
        now = self._clock.now()
        if self._settings.api_key_and_secret is None:
            return LoginRefusal.OTHER, _NO_KEY
        if why_not := why_no_link(logins.consents(connection, now)):
            return LoginRefusal.CONSENT_LIMIT, why_not
        return None if logins.asking(connection, login, now) else (LoginRefusal.INTERRUPTED, _LOST)

    async def _fail(self, login: Login, refusal: LoginRefusal, words: str) -> None:
        now = self._clock.now()
        await self._database.write(lambda c: logins.fail(c, login.id, refusal, words, now))
        log.warning("sign_in_link_failed", login=login.id, refusal=refusal)

    def _app(self) -> App:
        secrets = self._settings.api_key_and_secret
        if secrets is None:
            raise LoginRefused(LoginRefusal.OTHER, _NO_KEY)
        key, secret = secrets
        return App(
            url=self._settings.dhan_auth,
            client_id=self._settings.client_id,
            key=key.get_secret_value(),
            secret=secret.get_secret_value(),
        )


def _no_new(connection: Connection, why: str, now: datetime) -> str:
    """What stands in the way of a sign-in that was asked for, in a sentence."""
    living = tokens.age(connection)
    if living is None or living.expires_at <= now:
        return controls.holds(connection).get(Hold.SIGNED_OUT, f"Not signed in at Dhan: {why}")
    return f"No new sign-in, and the one in force ends {spoken(living.expires_at)}: {why}"
