"""How the desk signs in by itself, and how often it may: each try is a row, so a restart makes no more of them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Connection

from core import journal
from core.broker.dhan.auth import (
    AccessToken,
    LoginRefused,
    check_token,
    claims,
    renew,
    seconds_until_safe_code,
    sign_in_with_totp,
)
from core.broker.dhan.client import DhanClient
from core.clock import Clock, to_india
from core.db import logins
from core.db.engine import Database
from core.db.tokens import StoredToken
from core.domain.login import LoginRefusal, LoginState, Way
from core.settings import Settings

BETWEEN_TRIES = timedelta(seconds=130)
BETWEEN_RENEWALS = timedelta(minutes=10)
REFUSALS_A_DAY = 2
_BY_HAND = "hand in a token from web.dhan.co with `munshi token`"


@dataclass(frozen=True, kw_only=True)
class Try:
    """One sign-in that is written down and may be made. `by_the_way`: nobody waits for it, and others come after it."""

    login_id: int
    way: Way
    fetch: Callable[[], Awaitable[AccessToken]]
    by_the_way: bool = False


@dataclass(frozen=True)
class Wait:
    """No try now, for this reason. `needs_operator`: and none will come without him."""

    words: str
    needs_operator: bool = False


class Ladder:
    """The rungs, in order: the settings' token, once; renew a web token; PIN and TOTP; then the operator has to."""

    def __init__(self, database: Database, client: DhanClient, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._clock = clock
        self._given = settings.access_token

    async def next_try(self, token: StoredToken | None, *, asked: bool) -> Try | Wait:
        """`asked`: by the operator, who may have one more try than the desk allows itself."""
        now = self._clock.now()
        if token is None and self._given is not None:
            return await self._take_given(self._given.get_secret_value(), now)
        if token is not None and await self._database.read(lambda c: self._may_renew(c, token, now)):
            return await self._renewal(token, now)
        if secrets := self._settings.pin_and_totp:
            wait = await self._database.read(lambda c: self._why_not_yet(c, now, asked))
            return wait or await self._totp(*secrets, now)
        return Wait(self._what_to_do(), needs_operator=True)

    async def _take_given(self, given: str, now: datetime) -> Try:
        """Until Dhan has said yes or no to it."""
        is_web_made = claims(given).get("tokenConsumerType", "SELF") == "SELF"
        way = Way.WEB if is_web_made else Way.LINK
        return Try(login_id=await self._start(way, now), way=way, fetch=lambda: self._checked(given), by_the_way=True)

    async def _checked(self, given: str) -> AccessToken:
        try:
            token = await check_token(self._client, self._settings.dhan_api, token=given, now=self._clock.now())
        except LoginRefused:
            self._given = None
            raise
        self._given = None
        return token

    def _may_renew(self, connection: Connection, token: StoredToken, now: datetime) -> bool:
        """Not after Dhan said no to this token, and not in a hurry after an answer that got lost."""
        if not token.source.is_renewable or token.expires_at <= now:
            return False
        last = logins.last_try(connection, Way.RENEWAL)
        if last is None or last.refusal is None or last.requested_at < token.issued_at:
            return True
        return last.refusal is LoginRefusal.NO_REPLY and now - last.requested_at >= BETWEEN_RENEWALS

    async def _renewal(self, token: StoredToken, now: datetime) -> Try:
        async def fetch() -> AccessToken:
            account, url = self._settings.client_id, self._settings.dhan_api
            return await renew(self._client, url, client_id=account, token=token.value, now=self._clock.now())

        return Try(login_id=await self._start(Way.RENEWAL, now), way=Way.RENEWAL, fetch=fetch)

    async def _totp(self, pin: SecretStr, totp_secret: SecretStr, now: datetime) -> Try:
        """A try counts from when it is made: a desk that stops while it waits for a safe code has made none."""
        await asyncio.sleep(seconds_until_safe_code(now))

        async def fetch() -> AccessToken:
            return await sign_in_with_totp(
                self._client,
                self._settings.dhan_auth,
                client_id=self._settings.client_id,
                pin=pin.get_secret_value(),
                totp_secret=totp_secret.get_secret_value(),
                now=self._clock.now(),
            )

        return Try(login_id=await self._start(Way.TOTP, self._clock.now()), way=Way.TOTP, fetch=fetch)

    async def _start(self, way: Way, now: datetime) -> int:
        return await self._database.write(lambda c: logins.start(c, way, LoginState.REQUESTED, by=journal.DESK, at=now))

    def _why_not_yet(self, connection: Connection, now: datetime, asked: bool) -> Wait | None:
        if stop := why_stopped(connection, self._settings, now, asked=asked):
            return Wait(stop, needs_operator=True)
        last = logins.last_try(connection, Way.TOTP)
        if last is not None and abs(now - last.requested_at) < BETWEEN_TRIES:
            again = to_india(last.requested_at + BETWEEN_TRIES)
            return Wait(f"Dhan allows one sign-in in two minutes: the next try is at {again:%H:%M:%S}.")
        return None

    def _what_to_do(self) -> str:
        if self._settings.api_key_and_secret:
            return "open the sign-in link in the chat; /login sends a new one."
        return (
            "set DHAN_API_KEY and DHAN_API_SECRET to sign in by a link, or DHAN_PIN and DHAN_TOTP_SECRET to have it "
            f"done by itself, then restart the desk; or {_BY_HAND}."
        )


def signs_in_by_itself(connection: Connection, settings: Settings, now: datetime) -> bool:
    """Whether the desk can get a new sign-in today without the operator."""
    return settings.pin_and_totp is not None and why_stopped(connection, settings, now) is None


def why_stopped(connection: Connection, settings: Settings, now: datetime, *, asked: bool = False) -> str | None:
    """Why PIN and one-time code are not tried any more today, in Dhan's last words, and what to do; None: they are.

    Dhan may lock the account after some wrong PINs (Dhan API v2, Authentication), in whatever words it refuses them.
    """
    midnight = to_india(now).replace(hour=0, minute=0, second=0, microsecond=0)
    refused = logins.refused_since(connection, Way.TOTP, midnight)
    if len(refused) < REFUSALS_A_DAY + asked:
        return None
    times = "twice" if len(refused) == REFUSALS_A_DAY else f"{len(refused)} times"
    wrong = "DHAN_PIN, DHAN_TOTP_SECRET and this machine's clock"
    if settings.api_key_and_secret:
        to_do = f"open the sign-in link in the chat (/login sends a new one), and check {wrong}."
    elif len(refused) == REFUSALS_A_DAY:
        to_do = f"check {wrong}, restart, and send /login for another try; or {_BY_HAND}."
    else:
        to_do = f"{_BY_HAND}, and check {wrong}."
    return (
        f"{refused[-1].words.rstrip('.')}. Dhan refused PIN and one-time code {times} today and may lock you out, so "
        f"the desk stops trying until tomorrow: {to_do}"
    )
