"""Dhan's order-update socket (Dhan API v2 docs, Live Order Update). It only ever says: look at the book now.

Its spelling of fields and states differs between documents and production, so nothing of it is believed but that
something happened. A bad token gets no answer there: the connection is reset right after the login.
"""

import json
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from core.errors import BrokerUnavailable

_LOGIN = 42
_MOST_BYTES = 64 * 1024


class OrderUpdates:
    """One account's updates. `token` gives the access token in force, or raises SignInNeeded."""

    def __init__(self, url: str, *, client_id: str, token: Callable[[], str]) -> None:
        self._url = url
        self._client_id = client_id
        self._token = token

    async def follow(self, heard: Callable[[], None]) -> int:
        """Call `heard` once connected and then for every update, until the connection ends; returns how many came.

        Raises SignInNeeded without a token, BrokerUnavailable when there is no connection to be had.
        """
        login = {"LoginReq": {"MsgCode": _LOGIN, "ClientId": self._client_id, "Token": self._token()}}
        updates = 0
        try:
            async with connect(
                self._url, proxy=None, compression=None, max_size=_MOST_BYTES, open_timeout=10
            ) as socket:
                await socket.send(json.dumps({**login, "UserType": "SELF"}))
                heard()
                async for message in socket:
                    if is_update(message):
                        updates += 1
                        heard()
        except (TimeoutError, InvalidHandshake, InvalidURI, OSError) as trouble:
            raise BrokerUnavailable(f"Dhan's order updates cannot be reached: {type(trouble).__name__}") from None
        except WebSocketException:
            pass  # it broke off; whoever follows reads the book and connects again
        return updates


def is_update(message: str | bytes) -> bool:
    """Whether the message is about an order at all; one that only mentions it costs a look at the book."""
    said = message if isinstance(message, bytes) else message.encode()
    return b"order_alert" in said.lower()
