"""Google's word on who calls: OIDC tokens of one service account, as Cloud Scheduler sends them.

PyJWT, and cryptography behind it, are loaded at the first such token, since most desks never see one.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast
from urllib.request import ProxyHandler, build_opener

import structlog

from core.clock import monotonic
from core.errors import Unavailable

if TYPE_CHECKING:
    from jwt import PyJWK

log = structlog.get_logger()

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
KEYS_LAST = 3_600.0
BETWEEN_FETCHES = 60.0
FETCH_WITHIN = 5.0
LEEWAY = 30
_MOST_BYTES = 256 * 1024


class NotGoogles(Exception):
    """The token proves nothing here; the text says why, for the log."""


class Google:
    """Checks tokens against keys that are fetched now and then, and when a token names one that is not known yet."""

    def __init__(self, *, audience: str, account: str, keys_url: str) -> None:
        self._audience = audience
        self._account = account
        self._url = keys_url
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._turn = asyncio.Lock()

    async def check(self, token: str) -> None:
        """Raises NotGoogles, or Unavailable when its key cannot be had now."""
        import jwt  # noqa: PLC0415 - see the module

        try:
            head = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise NotGoogles(str(error)) from None
        if head.get("alg") != "RS256" or not isinstance(head.get("kid"), str):
            raise NotGoogles("it is not signed with RS256 by a named key")
        key = await self._key(head["kid"])
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=ISSUERS,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "aud", "iss", "email"]},
            )
        except jwt.InvalidTokenError as error:
            raise NotGoogles(str(error)) from None
        if claims["email"] != self._account or claims.get("email_verified") is not True:
            raise NotGoogles("it is another account's")

    async def _key(self, kid: str) -> "PyJWK":
        async with self._turn:
            if self._should_fetch(kid):
                await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched_at is None:
            raise Unavailable("Google's keys cannot be fetched")
        raise NotGoogles("it is signed with a key that Google does not publish")

    def _should_fetch(self, kid: str) -> bool:
        """Made-up key names must not make us call Google all the time."""
        now = monotonic()
        if self._tried_at is not None and now - self._tried_at < BETWEEN_FETCHES:
            return False
        return kid not in self._keys or self._fetched_at is None or now - self._fetched_at > KEYS_LAST

    async def _fetch(self) -> None:
        """The old keys stay when Google cannot be reached."""
        from jwt import PyJWKSet  # noqa: PLC0415 - see the module
        from jwt.exceptions import PyJWTError  # noqa: PLC0415

        self._tried_at = monotonic()
        try:
            published = PyJWKSet.from_dict(await asyncio.to_thread(_read, self._url))
        except (OSError, ValueError, TypeError, AttributeError, PyJWTError) as trouble:
            log.warning("googles_keys_not_fetched", why=type(trouble).__name__)
            return
        self._keys = {key.key_id: key for key in published.keys if key.key_id}
        self._fetched_at = monotonic()


def _read(url: str) -> dict[str, Any]:
    """The key set, if it is one. Raises OSError or ValueError."""
    with build_opener(ProxyHandler({})).open(url, timeout=FETCH_WITHIN) as answer:
        found = json.loads(answer.read(_MOST_BYTES))
    return cast("dict[str, Any]", found)
