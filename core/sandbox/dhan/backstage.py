"""What tests and the chat page do behind the broker's back: script faults, change rules, read the whole ledger."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.sandbox.dhan.addresses import Addresses
from core.sandbox.dhan.faults import BadScript, Faults
from core.sandbox.dhan.limits import Limits
from core.sandbox.dhan.login import Login
from core.sandbox.dhan.trading import Trading
from core.sandbox.dhan.wire import order_json, trade_json
from core.sandbox.json_body import read_json


@dataclass
class Backstage:
    trading: Trading
    faults: Faults
    limits: Limits
    login: Login
    addresses: Addresses

    async def script(self, request: Request) -> Response:
        """POST one fault as an object, see `faults.py` for its fields."""
        try:
            self.faults.script(await read_json(request))
        except BadScript as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        return JSONResponse(self.faults.listed())

    async def listed(self, _request: Request) -> Response:
        return JSONResponse(self.faults.listed())

    async def clear(self, _request: Request) -> Response:
        self.faults.clear()
        return JSONResponse([])

    async def set_limits(self, request: Request) -> Response:
        """POST {"second": 10, "minute": 250, …}; a window left out has no limit, so {} switches them all off."""
        try:
            self.limits.set(await read_json(request))
        except KeyError as error:
            return JSONResponse({"error": f"no such window: {error}"}, HTTPStatus.BAD_REQUEST)
        return JSONResponse(self.limits.allowed)

    async def set_duplicates(self, request: Request) -> Response:
        """POST {"refuse": true} to have a repeated correlationId refused; by default it makes a second order."""
        self.trading.refuse_duplicates = bool((await read_json(request))["refuse"])
        return JSONResponse({"refuse": self.trading.refuse_duplicates})

    async def set_depository(self, request: Request) -> Response:
        """POST {"ddpi": false, "approved": {"INE…": 10}}: whether, and how many, shares may leave the depository."""
        wish = await read_json(request)
        controls = self.trading.controls
        controls.has_ddpi = bool(wish.get("ddpi", True))
        controls.approved = {isin: int(count) for isin, count in wish.get("approved", {}).items()}
        return JSONResponse({"ddpi": controls.has_ddpi, "approved": controls.approved})

    async def set_data_plan(self, request: Request) -> Response:
        """POST {"active": true}: whether the account has bought prices."""
        self.trading.controls.has_data_plan = bool((await read_json(request))["active"])
        return JSONResponse({"active": self.trading.controls.has_data_plan})

    async def arrange_addresses(self, request: Request) -> Response:
        """POST what is registered, and where the desk's calls shall seem to come from; see `addresses.py`."""
        self.addresses.arrange(await read_json(request))
        return await self.addresses.show(request)

    async def web_token(self, _request: Request) -> Response:
        """POST makes a token as the account's owner does on the broker's website; the one before it dies."""
        return JSONResponse({"accessToken": self.login.on_the_website()})

    async def end_token(self, _request: Request) -> Response:
        """DELETE ends the live token, whatever it says of itself."""
        self.login.end()
        return JSONResponse({})

    async def orders(self, _request: Request) -> Response:
        """Every order of every day with its trades, and how many placing requests arrived since the start."""
        self.trading.exchange.advance(self.trading.clock.now())
        orders = {order.order_id: order for order in self.trading.ledger.all_orders()}
        trades: dict[str, list[dict[str, Any]]] = {order_id: [] for order_id in orders}
        for trade in self.trading.ledger.all_trades():
            trades[trade.order_id].append(trade_json(trade, orders[trade.order_id]))
        rows = [
            order_json(order) | {"bookDay": order.book_day.isoformat(), "trades": trades[order.order_id]}
            for order in orders.values()
        ]
        return JSONResponse({"placements": self.trading.placements, "orders": rows})
