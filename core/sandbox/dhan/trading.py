"""Order calls: place, change, cancel and read (Dhan API v2, Orders)."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.clock import Clock, to_india
from core.sandbox.dhan.controls import Controls
from core.sandbox.dhan.errors import (
    BAD_INPUT,
    CLOSED,
    IN_TRANSIT,
    NO_AMO_NOW,
    NO_IOC_OFFLINE,
    NOT_FOUND,
    bad_input,
    order_error,
)
from core.sandbox.dhan.exchange import Exchange
from core.sandbox.dhan.faults import Fault, Kind
from core.sandbox.dhan.hours import Market, amo_release, closing_auction, is_open, takes_amo
from core.sandbox.dhan.instruments import listed_on
from core.sandbox.dhan.ledger import Ledger, order_of
from core.sandbox.dhan.order import Order, OrderType, Status, Ticket, Validity
from core.sandbox.dhan.security import Security
from core.sandbox.dhan.ticket import read_changes, read_object, read_ticket
from core.sandbox.dhan.wire import order_json, trade_json
from core.settings import PaperAccount

MOST_MODIFICATIONS = 25
TRADES_A_PAGE = 20
ROWS_AT_A_TIME = 50
_LARGEST_BOOK = 20_000


@dataclass
class Trading:
    """`placements` counts the placing requests that arrived, whatever became of them."""

    clock: Clock
    ledger: Ledger
    exchange: Exchange
    controls: Controls
    refuse_duplicates: bool = False
    placements: int = 0

    async def place(self, request: Request) -> Response:
        ticket = read_ticket(read_object(await request.body()), PaperAccount.CLIENT_ID)
        if self.controls.is_stopped:
            raise order_error("Trading is blocked for the day by the kill switch")
        now = self.clock.now()
        _check_hours(ticket, now)
        if self.refuse_duplicates and self.ledger.by_correlation(ticket.correlation_id, to_india(now).date()):
            raise bad_input("Duplicate correlationId")
        fault: Fault | None = getattr(request.state, "fault", None)
        copies = 2 if fault and fault.kind is Kind.TWICE else 1
        orders = [self._enter(ticket, now, fault) for _ in range(copies)]
        self.exchange.take(orders)
        return JSONResponse({"orderId": orders[0].order_id, "orderStatus": Status.TRANSIT})

    async def modify(self, request: Request) -> Response:
        order = self._open_order(request)
        if order.modifications >= MOST_MODIFICATIONS:
            raise order_error(NOT_FOUND)
        changed = read_changes(read_object(await request.body()), order)
        # It passes the checks of the broker and the exchange once more, from the start.
        again = {"status": Status.TRANSIT, "exchange_order_id": None, "modifications": order.modifications + 1}
        self.exchange.take([replace(changed, **again, updated_at=self.clock.now())])
        return JSONResponse({"orderId": order.order_id, "orderStatus": Status.TRANSIT})

    async def cancel(self, request: Request) -> Response:
        order = self._open_order(request)
        if order.status is Status.TRANSIT:
            raise order_error(IN_TRANSIT)
        self.exchange.take([replace(order, status=Status.CANCELLED, updated_at=self.clock.now())])
        return JSONResponse({"orderId": order.order_id, "orderStatus": Status.CANCELLED}, HTTPStatus.ACCEPTED)

    async def order(self, request: Request) -> Response:
        """Unknown ids, and those of earlier days, get an empty list with HTTP 200, as observed."""
        today = self._advance()
        order = self.ledger.order(request.path_params["order_id"])
        return JSONResponse(order_json(order) if order and order.book_day >= today else [])

    async def lookup(self, request: Request) -> Response:
        today = self._advance()
        order = self.ledger.by_correlation(request.path_params["correlation_id"], today)
        if order is None:
            raise order_error(NOT_FOUND, HTTPStatus.NOT_FOUND)
        return JSONResponse(order_json(order))

    async def book(self, _request: Request) -> Response:
        today = self._advance()
        texts: list[str] = []
        for number, row in enumerate(self.ledger.book_rows(today)):
            if number % ROWS_AT_A_TIME == 0:
                await asyncio.sleep(0)  # Dhan takes orders meanwhile, too
            texts.append(_book_text(row))
        return Response(f"[{','.join(texts)}]", media_type="application/json")

    async def trades(self, _request: Request) -> Response:
        today = self._advance()
        orders = {order.order_id: order for order in self.ledger.book(today)}
        trades = self.ledger.trades(today)
        return JSONResponse([trade_json(trade, orders[trade.order_id]) for trade in trades])

    async def trades_of(self, request: Request) -> Response:
        today = self._advance()
        order = self.ledger.order(request.path_params["order_id"])
        if order is None or order.book_day < today:
            return JSONResponse([])
        return JSONResponse([trade_json(trade, order) for trade in self.ledger.trades_of(order.order_id)])

    async def past_trades(self, request: Request) -> Response:
        """Fills of a range of days, both included, in pages; an empty page ends them."""
        self._advance()
        try:
            since, until = (date.fromisoformat(request.path_params[name]) for name in ("since", "until"))
        except ValueError:
            raise bad_input(BAD_INPUT) from None
        trades = [trade for trade in self.ledger.trades(since) if trade.day <= until]
        first = request.path_params["page"] * TRADES_A_PAGE
        rows = trades[first : first + TRADES_A_PAGE]
        return JSONResponse([trade_json(trade, _known(self.ledger.order(trade.order_id))) for trade in rows])

    def _advance(self) -> date:
        """Let the exchange catch up; the India date it is now."""
        now = self.clock.now()
        self.exchange.advance(now)
        return to_india(now).date()

    def _enter(self, ticket: Ticket, now: datetime, fault: Fault | None) -> Order:
        release = amo_release(now, ticket.amo_time, _listed(ticket, now).market) if ticket.amo_time else now
        book_day = to_india(release).date()
        made_up = f"{PaperAccount.CLIENT_ID}-{int(now.timestamp() * 1000)}"
        return Order(
            **vars(replace(ticket, correlation_id=ticket.correlation_id or made_up)),
            order_id=self.ledger.next_order_id(to_india(now).date()),
            entered_at=now,
            release_at=release,
            book_day=book_day,
            status=Status.TRANSIT,
            updated_at=now,
            doom=fault.text if fault and fault.kind is Kind.LATE_REJECT else None,
            stuck=fault is not None and fault.kind is Kind.STUCK,
        )

    def _open_order(self, request: Request) -> Order:
        self._advance()
        order = self.exchange.open_order(request.path_params["order_id"])
        if order is None:
            raise order_error(NOT_FOUND)
        return order


def _known(order: Order | None) -> Order:
    if order is None:
        raise LookupError("a trade without its order")
    return order


def _check_hours(ticket: Ticket, now: datetime) -> None:
    market = _listed(ticket, now).market
    if ticket.amo_time is None and not (is_open(now, market) or _takes_in_auction(ticket, now, market)):
        raise order_error(CLOSED)
    if ticket.amo_time is not None and ticket.validity is Validity.IOC:
        raise order_error(NO_IOC_OFFLINE)
    if ticket.amo_time is not None and not takes_amo(now, market):
        raise order_error(NO_AMO_NOW)


def _takes_in_auction(ticket: Ticket, now: datetime, market: Market) -> bool:
    """Limit and market orders for the day; how Dhan's API treats the auction is unpublished."""
    auction = closing_auction(to_india(now).date(), market)
    if auction is None or ticket.validity is Validity.IOC:
        return False
    match ticket.order_type:
        case OrderType.MARKET:
            return auction.opens <= now < auction.market_until
        case OrderType.LIMIT:
            return auction.opens <= now < auction.limit_until
        case OrderType.STOP_LOSS | OrderType.STOP_LOSS_MARKET:
            return False


def _listed(ticket: Ticket, now: datetime) -> Security:
    """Raises Refused for what is not traded."""
    security = listed_on(to_india(now).date()).get((ticket.segment, ticket.security_id))
    if security is None:
        raise bad_input(BAD_INPUT)
    return security


@lru_cache(maxsize=_LARGEST_BOOK)
def _book_text(row: tuple[Any, ...]) -> str:
    """Most of a long book is as it was at the last look."""
    return json.dumps(order_json(order_of(row)), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
