"""Updates as they come over the wire: one that cannot be read is counted as seen, and hides none of the others.

The library gives up the whole batch, logs all of it, whatever a trader may have typed, and gets the same batch again.
"""

import json
from typing import Any, cast

import structlog
from telegram import Update
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

Row = dict[str, Any]

log = structlog.get_logger()


class UpdatesRequest(HTTPXRequest):
    """The request of getUpdates."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> Row:
        """The reply, where nothing but its id is left of an update that cannot be read. Raises TelegramError."""
        try:
            reply: Any = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise TelegramError("the answer is no JSON object")
        return _readable(cast("Row", reply))


def _readable(reply: Row) -> Row:
    if not reply.get("ok"):
        return reply
    updates = reply.get("result")
    if not isinstance(updates, list):
        raise TelegramError("the answer has no list of updates")
    return {**reply, "result": [_or_its_id(update) for update in cast("list[Any]", updates)]}


def _or_its_id(update: Any) -> Row:
    number: Any = cast("Row", update).get("update_id") if isinstance(update, dict) else None
    if not isinstance(number, int):
        raise TelegramError("an update has no id")
    try:
        Update.de_json(cast("Row", update))
    except Exception as error:  # noqa: BLE001 - whatever the library makes of it; its words may quote the update
        kinds = sorted(set(cast("Row", update)) - {"update_id"})
        log.error("update_unreadable", update=number, kinds=kinds, why=type(error).__name__)  # noqa: TRY400
        return {"update_id": number}
    return cast("Row", update)
