"""What the chat page and tests post to the stand-ins."""

import json
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request


async def read_json(request: Request) -> dict[str, Any]:
    """The body of a call that a page or a test makes; only real JSON, so that no foreign site can post it."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(415, "send application/json")
    try:
        value = json.loads(await request.body())
    except ValueError:
        raise HTTPException(400, "not JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(400, "send a JSON object")
    return cast("dict[str, Any]", value)
