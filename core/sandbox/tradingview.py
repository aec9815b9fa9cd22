"""TradingView's side of the webhook: how it sends an alert, and when it sends it again (TradingView help, Webhooks)."""

import asyncio
import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

_RESENDS = 3
_NO_RESEND = 504


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The last answer to one alert. `status` is None when none came; `sends` counts all tries."""

    status: int | None
    body: str
    sends: int


class TradingView:
    """Posts alerts to one webhook: waits `patience` seconds for the answer, pauses `pause` seconds before a resend."""

    def __init__(self, webhook_url: str, *, patience: float = 3.0, pause: float = 5.0) -> None:
        self._url = urlsplit(webhook_url)
        self._patience = patience
        self._pause = pause

    async def fire(self, message: str) -> Delivery:
        """Resends only after an answer 500–599 except 504; a timeout or a dead connection loses the alert."""
        sends = 1
        status, body = await self._send(message)
        while status is not None and 500 <= status <= 599 and status != _NO_RESEND and sends <= _RESENDS:
            await asyncio.sleep(self._pause)
            sends += 1
            status, body = await self._send(message)
        return Delivery(status=status, body=body, sends=sends)

    async def _send(self, message: str) -> tuple[int | None, str]:
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.to_thread(self._post, message)
        except (TimeoutError, OSError, HTTPException) as error:
            return None, str(error) or "no answer in time"

    def _post(self, message: str) -> tuple[int, str]:
        secure = self._url.scheme == "https"
        connect = HTTPSConnection if secure else HTTPConnection
        connection = connect(self._url.hostname or "", self._url.port, timeout=self._patience)
        try:
            connection.request("POST", self._url.path, message.encode(), {"Content-Type": content_type(message)})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()


def content_type(message: str) -> str:
    """Decided per message: one broken placeholder flips it."""
    try:
        json.loads(message)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json; charset=utf-8"
