"""Signing in from the browser: the tap on the link, and the way back from Dhan.

Nothing here talks to Dhan. The tap and what Dhan's page sends back become rows; the desk acts on them, and what it made
of them is read from the rows.
"""

import re
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.clock import Clock, to_india
from core.db import logins, tokens
from core.db.engine import Database
from core.db.logins import Login
from core.domain.login import TAP_LIVES, LoginRefusal, LoginState
from core.errors import Unavailable
from core.login_link import LoginLinks
from core.seal import Seal
from core.settings import Settings
from core.wakeup import Nudger
from webhook.logins import LoginWatch
from webhook.pages import login as pages

COOKIE = "munshi_sign_in"
_TOKEN_ID = re.compile(r"[A-Za-z0-9._~+/=:-]{8,512}")
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


class LoginDoor:
    """The two pages. The key of a link is also its cookie: the callback counts only in the browser that has it."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, nudger: Nudger) -> None:
        self._links = LoginLinks(settings)
        self._seal = Seal(settings.token_keys)
        self._is_https = settings.web_url.startswith("https:")
        self._database = database
        self._clock = clock
        self._watch = LoginWatch(database, nudger)

    async def open_link(self, key: str) -> Response:
        """The tap. The desk makes a consent at Dhan, once per link, and the browser is sent to Dhan's page."""
        login_id = self._links.login_id(key)
        if login_id is None:
            return _page(pages.NO_SUCH_LINK)
        now = self._clock.now()
        if await self._database.write(lambda c: logins.tap(c, login_id, now)) is None:
            return _page(pages.LINK_IS_OVER)
        login = await self._watch.wait(login_id, lambda login: login.state is not LoginState.REQUESTED)
        if login is None or login.state is LoginState.REQUESTED:
            return _page(pages.DESK_IS_AWAY)
        if login.state is not LoginState.PENDING or login.consent_id is None:
            return _page(_ending(login))
        away = RedirectResponse(self._links.dhans_page(login.consent_id), 302, headers=_HEADERS)
        self._set_cookie(away, key)
        return away

    async def come_back(self, request: Request) -> Response:
        """Dhan's redirect, with its `tokenId` (and whatever else it may carry)."""
        login_id = self._links.login_id(request.cookies.get(COOKIE, ""))
        if login_id is None:
            return _page(pages.OTHER_BROWSER)
        token_id = request.query_params.get("tokenId", "")
        if not _TOKEN_ID.fullmatch(token_id):
            return _page(pages.NOT_SIGNED_IN)
        sealed, now = self._seal.close(token_id), self._clock.now()
        if not await self._database.write(lambda c: logins.receive(c, login_id, sealed, now)):
            return _page(pages.TOO_LATE)
        login = await self._watch.wait(login_id, lambda login: login.state.is_final)
        return _page(await self._outcome(login))

    async def _outcome(self, login: Login | None) -> pages.Ending:
        if login is None or not login.state.is_final:
            return pages.STILL_AT_IT
        if login.state is not LoginState.COMPLETED:
            return _ending(login)
        ends = await self._database.read(tokens.expiry)
        return pages.signed_in(f"{to_india(ends):%A %H:%M}") if ends else pages.STILL_AT_IT

    def _set_cookie(self, response: Response, key: str) -> None:
        """Lax, since Dhan's redirect is another site's; not for scripts, and only for these pages."""
        response.set_cookie(
            COOKIE,
            key,
            max_age=int(TAP_LIVES.total_seconds()),
            path="/auth",
            secure=self._is_https,
            httponly=True,
            samesite="lax",
        )


def login_routes(settings: Settings, database: Database, clock: Clock, nudger: Nudger) -> APIRouter:
    door = LoginDoor(settings, database, clock, nudger)
    router = APIRouter(tags=["sign-in"], default_response_class=HTMLResponse)

    @router.get(
        "/auth/login/{key}",
        summary="Begin a sign-in: the link that the desk sends",
        status_code=302,
        responses=_pages(
            {
                400: "Dhan made no consent",
                403: "Wrong account",
                404: "No link of this desk",
                409: "It failed, and why",
                410: "The link is over",
                503: "The desk does not answer",
            }
        ),
    )
    async def open_link(key: str) -> Response:
        return await _or_unavailable(door.open_link(key))

    @router.get(
        "/auth/callback",
        summary="The way back from Dhan's sign-in page",
        description="Counts once, in the browser that opened the link, and within ten minutes of opening it. "
        "Dhan adds `tokenId`.",
        responses=_pages(
            {
                202: "The desk has it and is not finished",
                400: "Dhan sent no token id",
                403: "Another browser, or another account",
                409: "It failed, and why",
                410: "Too late, or for the second time",
                503: "The desk does not answer",
            }
        ),
    )
    @router.get("/auth/callback/", include_in_schema=False)
    async def come_back(request: Request) -> Response:
        return await _or_unavailable(door.come_back(request))

    return router


def _pages(meanings: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": meaning, "content": {"text/html": {}}} for status, meaning in meanings.items()}


async def _or_unavailable(answer: Awaitable[Response]) -> Response:
    try:
        return await answer
    except Unavailable:
        return _page(pages.DESK_IS_AWAY)


def _ending(login: Login) -> pages.Ending:
    if login.state is LoginState.FAILED:
        return pages.wrong_account() if login.refusal is LoginRefusal.WRONG_ACCOUNT else pages.failed(login.words)
    return pages.LINK_IS_OVER


def _page(ending: pages.Ending) -> HTMLResponse:
    return HTMLResponse(pages.login_page(ending), ending.status, headers=_HEADERS)
