"""The stand-in's order-update socket: a JSON message for every change of an order (Dhan API v2, Live Order Update).

Keys are camelCase and states are in title case, as production sends them. A bad token is hung up on without a word.
"""

import asyncio
import json
from dataclasses import dataclass
from math import inf
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from core.clock import Clock, monotonic
from core.sandbox.dhan.errors import Refused
from core.sandbox.dhan.exchange import Exchange
from core.sandbox.dhan.faults import Call, Faults
from core.sandbox.dhan.login import Login
from core.sandbox.dhan.matching import security_of
from core.sandbox.dhan.order import Order, OrderType, Product, Side
from core.sandbox.dhan.wire import stamp
from core.settings import PaperAccount

TICK = 0.1
BEAT = 0.02
"""Seconds. What comes within it moves on together: each time is a sync of the ledger."""
LOGIN_WITHIN = 10.0
_PRODUCTS = {Product.CNC: "C", Product.INTRADAY: "I", Product.MARGIN: "M", Product.MTF: "F"}
_TYPES = {
    OrderType.LIMIT: "LMT",
    OrderType.MARKET: "MKT",
    OrderType.STOP_LOSS: "SL",
    OrderType.STOP_LOSS_MARKET: "SLM",
}


@dataclass
class Updates:
    clock: Clock
    exchange: Exchange
    login: Login
    faults: Faults
    _advanced: float = -inf

    async def serve(self, socket: WebSocket) -> None:
        """One client, until it goes, is hung up on, or a scripted fault cuts the line."""
        await socket.accept()
        if not await self._is_known(socket):
            socket.scope["state"]["hang_up"]()
            return
        news: asyncio.Queue[Order] = asyncio.Queue()
        self.exchange.listeners.add(news.put_nowait)
        gone = asyncio.create_task(_wait_until_gone(socket))
        try:
            while not gone.done():
                await self._tell_next(socket, news)
        except WebSocketDisconnect:
            pass
        finally:
            gone.cancel()
            self.exchange.listeners.discard(news.put_nowait)

    async def _is_known(self, socket: WebSocket) -> bool:
        try:
            async with asyncio.timeout(LOGIN_WITHIN):
                request = json.loads(await socket.receive_text())
            self.login.check(request["LoginReq"]["Token"])
        except (Refused, KeyError, TypeError, ValueError, TimeoutError, WebSocketDisconnect):
            return False
        return request["LoginReq"].get("ClientId") == PaperAccount.CLIENT_ID

    async def _tell_next(self, socket: WebSocket, news: asyncio.Queue[Order]) -> None:
        """The next change. While nobody reads the ledger, this is what makes time pass at the exchange."""
        rest = self._advanced + BEAT - monotonic()
        if rest <= 0:
            self.exchange.advance(self.clock.now())
            self._advanced, rest = monotonic(), TICK
        try:
            async with asyncio.timeout(rest):
                order = await news.get()
        except TimeoutError:
            return
        if self.faults.take(Call.UPDATES):
            socket.scope["state"]["hang_up"]()
            raise WebSocketDisconnect
        await socket.send_json({"Type": "order_alert", "Data": update_json(order)})


async def _wait_until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def update_json(order: Order) -> dict[str, Any]:
    security = security_of(order)
    return {
        "exchange": security.exchange,
        "segment": security.segment,
        "source": "P",
        "securityId": order.security_id,
        "clientId": PaperAccount.CLIENT_ID,
        "exchOrderNo": order.exchange_order_id or "0",
        "orderNo": order.order_id,
        "product": _PRODUCTS[order.product],
        "txnType": "B" if order.side is Side.BUY else "S",
        "orderType": _TYPES[order.order_type],
        "validity": order.validity,
        "quantity": order.quantity,
        "remainingQuantity": order.remaining,
        "tradedQty": order.filled,
        "price": float(order.price),
        "triggerPrice": float(order.trigger_price),
        "avgTradedPrice": float(order.average_price),
        "offMktFlag": "1" if order.amo_time else "0",
        "orderDateTime": stamp(order.entered_at),
        "lastUpdatedTime": stamp(order.updated_at),
        "reasonDescription": order.oms_text,
        "legNo": 1,
        "symbol": security.symbol,
        "displayName": security.display,
        "status": order.status.replace("_", " ").title().replace(" ", "_"),
        "correlationId": order.correlation_id,
    }
