"""Dhan behind the broker port."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, cast

from core.broker.dhan.addresses import read_addresses
from core.broker.dhan.client import ENTRIES_AT_A_TIME, CallFailed, DhanClient, Reply
from core.broker.dhan.mapping import (
    change_body,
    classify,
    order_body,
    read_order,
    read_placement,
    says_the_same,
    sum_fills,
)
from core.broker.dhan.meanings import meaning_of
from core.broker.dhan.wire import LACKS_DATA_PLAN, DhanError, Row, as_row, read_error, text
from core.broker.port import (
    NOTHING_KNOWN,
    BrokerOrder,
    ChangeRequest,
    IncompleteBook,
    NotSent,
    OrderRequest,
    Outcome,
    PastFill,
    Refused,
    Said,
    Unknown,
    named,
)
from core.broker.port import Refusal as Kind
from core.domain.address import Addresses, Slot
from core.errors import BrokerUnavailable, Refusal, SignInNeeded

MOST_PAGES = 200


class Dhan:
    """One account at Dhan. `token` gives the access token in force, or raises SignInNeeded.

    `address_refused` is awaited with each answer to a call that is no order and that names our address: orders would be
    refused, too. An order's own answer says so in its outcome.
    """

    def __init__(
        self,
        client: DhanClient,
        *,
        url: str,
        client_id: str,
        token: Callable[[], str],
        address_refused: Callable[[Refused], Awaitable[None]] | None = None,
    ) -> None:
        self._client = client
        self._url = url
        self._client_id = client_id
        self._token = token
        self._address_refused = address_refused

    async def place(self, request: OrderRequest) -> Outcome:
        return await self._order_call("POST", "/orders", order_body(self._client_id, request))

    async def modify(self, request: ChangeRequest) -> Outcome:
        return await self._order_call("PUT", f"/orders/{request.order_id}", change_body(self._client_id, request))

    async def cancel(self, order_id: str) -> Outcome:
        return await self._order_call("DELETE", f"/orders/{order_id}", None)

    async def _order_call(self, method: str, path: str, body: Row | None) -> Outcome:
        try:
            headers = self._headers()
        except SignInNeeded as error:
            return NotSent(words=str(error))
        try:
            reply = await self._client.call(method, self._url + path, headers=headers, body=body)
        except CallFailed as failure:
            return Unknown(words=str(failure)) if failure.sent else NotSent(words=str(failure))
        return read_placement(reply)

    async def find(self, correlation_id: str) -> BrokerOrder | None:
        reply = await self.read(f"/orders/external/{correlation_id}")
        body = reply.json()
        if (reply.is_success and body == []) or _says_no_such_order(reply):
            return None
        if not reply.is_success or read_error(reply):
            raise no_evidence(reply)
        rows = cast("list[Any]", body if isinstance(body, list) else [body])
        found = named(map(_order, rows), correlation_id)
        if found is None or any(text(row, "dhanClientId") not in ("", self._client_id) for row in rows):
            raise BrokerUnavailable("Dhan answered with another order than the one that was looked up")
        return found

    async def book(self, known: Mapping[str, Said] = NOTHING_KNOWN) -> list[BrokerOrder]:
        reply = await self.read("/orders")
        rows = reply.json()
        if not reply.is_success or not isinstance(rows, list):
            raise no_evidence(reply)
        book: list[BrokerOrder] = []
        unread: list[str] = []
        left_out = 0
        for number, entry in enumerate(cast("list[Any]", rows)):
            if number % ENTRIES_AT_A_TIME == 0:
                await asyncio.sleep(0)  # a long book must not keep orders waiting
            row = cast("Row", entry) if isinstance(entry, dict) else {}
            if says_the_same(row, known):
                left_out += 1
                continue
            order = read_order(row)
            if order is None:
                unread.append(text(row, "correlationId"))
                continue
            book.append(order)
        if unread:
            raise IncompleteBook(book, unread, left_out)
        return book

    async def past_fills(self, since: date, until: date) -> dict[str, PastFill]:
        rows: list[Row] = []
        for page in range(MOST_PAGES):
            reply = await self.read(f"/trades/{since.isoformat()}/{until.isoformat()}/{page}")
            body = reply.json()
            if not reply.is_success or not isinstance(body, list):
                raise no_evidence(reply)
            if not body:
                return sum_fills(rows)
            rows += cast("list[Row]", body)
        raise BrokerUnavailable("Dhan's trade history does not end")

    async def check_session(self) -> None:
        reply = await self.read("/profile")
        if not reply.is_success or read_error(reply):
            raise no_evidence(reply)

    async def addresses(self) -> Addresses:
        reply = await self.read("/ip/getIP")
        row = as_row(reply.json())
        if not reply.is_success or row is None or read_error(reply) or "primaryIP" not in row:
            raise no_evidence(reply)
        return read_addresses(row)

    async def register_address(self, address: str, slot: Slot, *, is_change: bool) -> None:
        method, path = ("PUT", "/ip/modifyIP") if is_change else ("POST", "/ip/setIP")
        wish = {"dhanClientId": self._client_id, "ip": address, "ipFlag": slot.value}
        reply, error = await self._answer(method, path, wish)
        row = as_row(reply.json())
        if error is not None:
            raise Refusal(f"Dhan did not register it: {error.words or error.code}")
        if not reply.is_success or row is None or text(row, "status") != "SUCCESS":
            raise no_evidence(reply)

    async def read(self, path: str) -> Reply:
        """A reply that is not about our session. Raises SignInNeeded, BrokerUnavailable."""
        return await self._call("GET", path)

    async def write(self, path: str) -> Reply:
        """The reply to a POST without a body that is no order. Raises SignInNeeded, BrokerUnavailable."""
        return await self._call("POST", path)

    async def ask(self, path: str, body: Row) -> Reply:
        """The reply to a POST that only asks. Raises SignInNeeded, BrokerUnavailable."""
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: Row | None = None) -> Reply:
        reply, error = await self._answer(method, path, body)
        if self._address_refused and error is not None and classify(error) is Kind.INVALID_IP:
            await self._address_refused(Refused(refusal=Kind.INVALID_IP, code=error.code, words=error.words))
        return reply

    async def _answer(self, method: str, path: str, body: Row | None) -> tuple[Reply, DhanError | None]:
        """With the error that it states. Raises as `read` does."""
        try:
            reply = await self._client.call(method, self._url + path, headers=self._headers(), body=body)
        except CallFailed as failure:
            raise BrokerUnavailable(str(failure)) from failure
        error = read_error(reply)
        refusal = classify(error) if error else None
        speaks_of_other = refusal is Kind.INVALID_IP or (error is not None and error.code in LACKS_DATA_PLAN)
        if refusal is Kind.SIGNED_OUT or (reply.status == 401 and not speaks_of_other):
            raise SignInNeeded(f"Dhan no longer takes our sign-in: {error.words if error else 'unauthorised'}")
        return reply, error

    def _headers(self) -> dict[str, str]:
        return {"access-token": self._token(), "client-id": self._client_id}


def _order(entry: Any) -> BrokerOrder:
    order = read_order(cast("Row", entry)) if isinstance(entry, dict) else None
    if order is None:
        raise BrokerUnavailable("Dhan's answer about an order cannot be read")
    return order


def _says_no_such_order(reply: Reply) -> bool:
    """Observed: an unknown correlation id comes as 404 or 500 with DH-906 and this text. A bare 404 proves nothing."""
    error = read_error(reply)
    return error is not None and error.code == "DH-906" and error.says("incorrect request for order")


def no_evidence(reply: Reply) -> BrokerUnavailable:
    """The error to raise for an answer that proves nothing."""
    error = read_error(reply)
    if error is None:
        return BrokerUnavailable(f"Dhan answered {reply.status}, which says nothing")
    said = f"{error.code} {error.words}".strip()
    return BrokerUnavailable(f"{meaning_of(error.code, error.words)} Dhan answered {reply.status}: {said}")
