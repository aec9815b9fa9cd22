"""Dhan's postback: kept as a hint and answered at once. Nobody signs it, so the desk reads the book and believes that.

Source: Dhan API v2 docs, Postback. The key in the path is all that tells Dhan's calls from anybody's.
"""

import asyncio
import json
from typing import Any, cast

from fastapi import APIRouter, Request, Response

from core.clock import Clock
from core.db import hints
from core.db.engine import Database
from core.settings import Settings
from core.wakeup import Nudger
from webhook.answers import error
from webhook.callers import Callers
from webhook.failures import TOO_MANY, Failures
from webhook.openapi import BUSY, error_text
from webhook.security import same_secret

READ_WITHIN = 2.0
MOST_BYTES = 16 * 1024
_MOST_TEXT = 40


def postback_routes(
    settings: Settings, database: Database, clock: Clock, nudger: Nudger, *, callers: Callers, failures: Failures
) -> APIRouter:
    router = APIRouter(tags=["dhan"])

    @router.post(
        "/dhan/postback/{key}",
        summary="Dhan says that an order changed; 200 at once",
        responses={
            404: error_text("Not the key of this desk", "Not Found"),
            408: error_text("The body did not arrive in two seconds", "The postback did not arrive in time."),
            413: error_text("Larger than any order", "The postback is larger than 16384 bytes."),
            429: error_text("Too many wrong keys", TOO_MANY),
            503: BUSY,
        },
    )
    async def postback(key: str, request: Request) -> Response:
        if not same_secret(key, settings.postback_key.get_secret_value()):
            if failures.are_too_many(callers.address(request.scope)):
                return error(429, TOO_MANY, headers={"Retry-After": "60"})
            return error(404, "Not Found")
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await _body(request)
        except TimeoutError:
            return error(408, "The postback did not arrive in time.", headers={"Connection": "close"})
        if body is None:
            return error(413, f"The postback is larger than {MOST_BYTES} bytes.", headers={"Connection": "close"})
        order_id, status = read(body)
        at = clock.now()
        await database.write(lambda c: hints.add(c, broker_order_id=order_id, status=status, at=at))
        nudger.nudge()
        return Response()

    return router


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is longer than any order."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def read(body: bytes) -> tuple[str, str]:
    """Order id and status, as far as they can be read: only for whoever looks at the hints later."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(said, dict):
        return "", ""
    fields = cast("dict[str, Any]", said)
    return _word(fields.get("orderId")), _word(fields.get("orderStatus"))


def _word(value: Any) -> str:
    """Letters, digits and underscores; anything else is not what Dhan sends."""
    text = value if isinstance(value, str) else ""
    return text if text.isascii() and text.replace("_", "").isalnum() and len(text) <= _MOST_TEXT else ""
