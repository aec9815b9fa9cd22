"""Signing in by a call instead of by the chat: for cron jobs, and for programs that show the link themselves.

As everywhere in web, the calls leave rows, and tell what the desk made of them.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection
from starlette.responses import Response

from core import journal, notifications
from core.clock import Clock
from core.db import logins, tokens
from core.db.engine import Database
from core.db.logins import Login
from core.domain.login import LINK_LIVES, LoginState
from core.domain.notice import Notice
from core.errors import Unavailable
from core.login_link import LoginLinks, Offer, offer
from core.settings import Settings
from core.wakeup import Nudger
from webhook.answers import Answer, error, unavailable
from webhook.logins import LoginWatch
from webhook.openapi import ADMIN, error_text, text
from webhook.security import Administrators

_NO_KEY = "Sign-in links need DHAN_API_KEY and DHAN_API_SECRET."
_ASKED = "A sign-in at Dhan was asked for by a call of the webhook's address."
_NAME = "munshi-"
_PENDING = {
    "status": "pending_login",
    "login_url": "https://desk.example.com/auth/login/17-Zm9v",
    "consent_app_id": "munshi-17",
}
_LINKS: dict[int | str, dict[str, Any]] = {
    200: text(
        "The link; opening it makes the consent at Dhan, and it can be opened for twelve hours. A `message` counts "
        "Dhan's links of the day when they run short",
        _PENDING,
    ),
    409: error_text("No link can be made here", _NO_KEY),
    429: error_text("Dhan's links of this day are used up, or too many tries with wrong credentials", "24 of Dhan's …"),
    503: error_text("The database or the desk cannot be reached", "The desk does not run."),
    **ADMIN,
}
_REFRESHED: dict[int | str, dict[str, Any]] = {
    **_LINKS,
    200: text(
        "Signed in for so many seconds, or the link that signs in",
        {"status": "success", "token_id": "munshi-token-8", "expires_in": 79200},
    ),
    409: error_text("The desk cannot sign in by itself, and why", "Not signed in at Dhan: signing in failed: …"),
}


class SignInCalls:
    def __init__(self, settings: Settings, database: Database, clock: Clock, nudger: Nudger) -> None:
        self._has_links = settings.api_key_and_secret is not None
        self._links = LoginLinks(settings)
        self._watch = LoginWatch(database, nudger)
        self._database = database
        self._clock = clock

    async def offer_link(self, *, ring: bool) -> Response:
        """A new link; `ring`: and in the chat, too."""
        if not self._has_links:
            return error(409, _NO_KEY)
        now = self._clock.now()

        def make(connection: Connection) -> Offer:
            made = offer(connection, by=journal.WEB, at=now)
            if ring and made.login_id is not None:
                words = f"{_ASKED} {made.words}".rstrip()
                notifications.ring(connection, Notice.SIGN_IN, at=now, words=words, login=made.login_id)
            return made

        offered = await self._database.write(make)
        if offered.login_id is None:
            return error(429, offered.words, headers={"Retry-After": "3600"})
        answer = {
            "status": LoginState.PENDING,
            "login_url": self._links.url(offered.login_id),
            "consent_app_id": f"{_NAME}{offered.login_id}",
        }
        return Answer(answer | ({"message": offered.words} if offered.words else {}))

    async def status(self, consent_app_id: str) -> Response:
        def look(connection: Connection) -> tuple[Login | None, tokens.TokenAge | None]:
            return self._find(connection, consent_app_id), tokens.age(connection)

        login, token = await self._database.read(look)
        if login is None:
            return error(404, "There is no such sign-in.")
        status = self._spoken(login)
        answer: dict[str, Any] = {"status": status, "consent_app_id": consent_app_id}
        if status is LoginState.COMPLETED:
            answer |= {"token_id": _token_name(token), "expires_in": self._seconds_left(token)}
        elif login.words:
            answer["message"] = login.words
        return Answer(answer)

    async def refresh(self) -> Response:
        """A sign-in without a person where the desk can, else the link."""
        now = self._clock.now()
        login_id = await self._database.write(lambda c: logins.ask(c, by=journal.WEB, at=now))
        login = await self._watch.wait(login_id, lambda login: login.state.is_final)
        if login is None or not login.state.is_final:
            return error(503, "The desk has not answered yet; it signs in when it can.", headers={"Retry-After": "30"})
        token = await self._database.read(tokens.age)
        if login.state is LoginState.COMPLETED and token is not None:
            return Answer(
                {"status": "success", "token_id": _token_name(token), "expires_in": self._seconds_left(token)}
            )
        return await self.offer_link(ring=False) if self._has_links else error(409, login.words)

    def _find(self, connection: Connection, name: str) -> Login | None:
        """By the name that we gave it, or by Dhan's own for the consent."""
        number = name.removeprefix(_NAME)
        if name.startswith(_NAME) and number.isascii() and number.isdecimal() and len(number) <= 15:
            return logins.get(connection, int(number))
        return logins.of_consent(connection, name)

    def _spoken(self, login: Login) -> LoginState:
        """One of the four words of the contract; a link that nobody opened in time is over."""
        if login.state.is_final:
            return login.state
        is_over = login.state is not LoginState.RECEIVED and self._clock.now() - login.requested_at >= LINK_LIVES
        return LoginState.EXPIRED if is_over else LoginState.PENDING

    def _seconds_left(self, token: tokens.TokenAge | None) -> int:
        return max(0, int((token.expires_at - self._clock.now()).total_seconds())) if token else 0


def _token_name(token: tokens.TokenAge | None) -> str | None:
    """A name for people and logs, which opens nothing: Dhan's own id of a sign-in is forgotten once it was used."""
    return f"munshi-token-{token.number}" if token else None


def sign_in_routes(
    settings: Settings, database: Database, clock: Clock, nudger: Nudger, administrators: Administrators
) -> APIRouter:
    calls = SignInCalls(settings, database, clock, nudger)
    router = APIRouter(tags=["sign-in"], dependencies=[Depends(administrators.check)])

    @router.post("/initiate-oauth", summary="Make a link that signs the desk in at Dhan", responses=_LINKS)
    async def initiate() -> Response:
        """Nothing is asked of Dhan before the link is opened. `/oauth-status` tells how it went."""
        try:
            return await calls.offer_link(ring=False)
        except Unavailable as trouble:
            return unavailable(str(trouble))

    @router.get(
        "/oauth-status",
        summary="How a sign-in went",
        responses={
            200: text(
                "One of pending_login, completed, failed and expired",
                {
                    "status": "completed",
                    "consent_app_id": "munshi-17",
                    "token_id": "munshi-token-8",
                    "expires_in": 86000,
                },
            ),
            404: error_text("No such sign-in", "There is no such sign-in."),
            422: error_text("The question is incomplete", "consent_app_id: field required"),
            503: error_text("The database cannot be reached", "The database is locked."),
            **ADMIN,
        },
    )
    async def status(consent_app_id: Annotated[str, Query(max_length=100, examples=["munshi-17"])]) -> Response:
        """`consent_app_id` is what `/initiate-oauth` answered, or Dhan's own id of the consent."""
        try:
            return await calls.status(consent_app_id)
        except Unavailable as trouble:
            return unavailable(str(trouble))

    @router.post(
        "/refresh-token",
        summary="Have the desk signed in afresh",
        responses=_REFRESHED | {422: error_text("use_callback is no yes or no", "use_callback: …")},
    )
    async def refresh(use_callback: bool = False) -> Response:
        """By PIN and TOTP, or by renewing a token from web.dhan.co, where the desk has one of them.

        Else, and with `use_callback=true`, the answer is a link as from `/initiate-oauth`; with `use_callback=true` it
        also goes to the operators' chats. A sign-in that lasts for 22 hours more is left as it is.
        """
        try:
            return await (calls.offer_link(ring=True) if use_callback else calls.refresh())
        except Unavailable as trouble:
            return unavailable(str(trouble))

    return router
