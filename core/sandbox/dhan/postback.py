"""The stand-in's postbacks: every change of an order is posted to the address that belongs to the token.

Source: Dhan API v2 docs, Postback. Nothing is known of retries, so there are none: what fails is lost.
"""

import contextlib
import json
import queue
import threading
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from core.sandbox.dhan.order import Order
from core.sandbox.dhan.wire import order_json

PATIENCE = 3.0
_MOST_WAITING = 1_000


class Postbacks:
    """Posts from a thread of its own, so that a slow receiver holds up nobody."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._waiting: queue.Queue[Order] = queue.Queue(_MOST_WAITING)
        threading.Thread(target=self._post_for_ever, name="postbacks", daemon=True).start()

    def hear(self, order: Order) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(order)

    def _post_for_ever(self) -> None:
        while True:
            with contextlib.suppress(OSError, HTTPException):
                self._post(postback_json(self._waiting.get()))

    def _post(self, body: dict[str, Any]) -> None:
        connect = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = connect(self._url.hostname or "", self._url.port, timeout=PATIENCE)
        try:
            connection.request("POST", self._url.path, json.dumps(body), {"Content-Type": "application/json"})
            connection.getresponse().read()
        finally:
            connection.close()


def postback_json(order: Order) -> dict[str, Any]:
    """The order as in the book, but for the spelling of what is filled."""
    left_out = ("remainingQuantity", "averageTradedPrice", "filledQty")
    fields = {name: value for name, value in order_json(order).items() if name not in left_out}
    return {**fields, "filled_qty": order.filled}
