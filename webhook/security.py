"""Who may speak to the web process. Every comparison takes the same time whatever was sent."""

import hashlib
import hmac

from fastapi import HTTPException
from starlette.requests import Request

from core.errors import Unavailable
from core.settings import Settings
from webhook.callers import Callers
from webhook.failures import TOO_MANY, Failures
from webhook.google import Google, NotGoogles
from webhook.seldom import Seldom


def same_secret(given: str, expected: str) -> bool:
    """Compare without telling by time how much was right; text of any kind and length may be given."""
    return hmac.compare_digest(_fixed(given), _fixed(expected))


class Administrators:
    """The admin token as a bearer, or Google's where configured.

    On a paper desk that only this machine reaches all is open: a newcomer's curl works.
    """

    def __init__(self, settings: Settings, callers: Callers, failures: Failures) -> None:
        self._all_are = settings.needs_no_admin
        self._token = settings.admin_token.get_secret_value()
        self._google = _google(settings)
        self._refused = Seldom("google_token_refused")
        self._callers = callers
        self._failures = failures

    async def check(self, request: Request) -> None:
        """Raises HTTPException: 401, 429, or 503 when Google's keys cannot be had."""
        if self._all_are:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (same_secret(given, self._token) or await self._is_googles(given)):
            return
        if self._failures.are_too_many(self._callers.address(request.scope)):
            raise HTTPException(429, TOO_MANY, {"Retry-After": "60"})
        raise HTTPException(401, "This needs the admin token.", {"WWW-Authenticate": "Bearer"})

    async def _is_googles(self, token: str) -> bool:
        if self._google is None or token.count(".") != 2:
            return False
        try:
            await self._google.check(token)
        except NotGoogles as reason:
            self._refused.warn(why=str(reason))
            return False
        except Unavailable as trouble:
            raise HTTPException(503, f"{trouble}; try again.", {"Retry-After": "60"}) from None
        return True


def _google(settings: Settings) -> Google | None:
    if settings.oidc_audience is None or settings.oidc_service_account is None:
        return None
    return Google(
        audience=settings.oidc_audience, account=settings.oidc_service_account, keys_url=settings.oidc_keys_url
    )


def _fixed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).digest()
