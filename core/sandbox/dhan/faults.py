"""Scripted misfortune: what the next calls of a kind shall suffer. Kept in memory; a restart is a recovery."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, assert_never

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.clock import monotonic
from core.sandbox.dhan.connection import Drip, HalfReply, HangUp, Silence
from core.sandbox.dhan.errors import NOT_FOUND, order_error

Act = Callable[[Request], Awaitable[Response]]


class Call(StrEnum):
    """The calls that a fault can hit."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"
    ORDER = "order"
    LOOKUP = "lookup"
    BOOK = "book"
    TRADES = "trades"
    PROFILE = "profile"
    FUNDS = "funds"
    HOLDINGS = "holdings"
    POSITIONS = "positions"
    IP = "ip"
    KILL_SWITCH = "kill_switch"
    EDIS = "edis"
    PRICES = "prices"
    SET_IP = "set_ip"
    LOGIN = "login"
    CONSENT = "consent"
    CONSUME = "consume"
    INSTRUMENTS = "instruments"
    UPDATES = "updates"  # whatever the kind, the socket is hung up on instead of the next update


class Kind(StrEnum):
    """What goes wrong. Unless noted, the call takes effect first; `recorded` in the script says otherwise."""

    DELAY = "delay"  # waits `seconds`, then acts; with recorded=true it acts, then waits
    HANG = "hang"  # never answers; acts only with recorded=true
    DROP_BEFORE = "drop_before"  # closes the connection, does nothing
    DROP_AFTER = "drop_after"  # acts, then closes the connection
    STATUS = "status"  # answers `status`, `body` and `headers`; acts only with recorded=true
    BAD_JSON = "bad_json"  # a complete reply whose JSON breaks off
    NO_ID = "no_id"  # the reply without its orderId
    ERROR_BODY_200 = "error_body_200"  # an error body with HTTP 200; acts only with recorded=true
    HALF_REPLY = "half_reply"  # half the reply, then the connection closes
    DRIP = "drip"  # the reply byte by byte over `seconds`
    INDEX_LAG = "index_lag"  # "no such order", for `times` calls or for `seconds`
    LATE_REJECT = "late_reject"  # placed, then rejected with `text`
    STUCK = "stuck"  # placed, and never leaves TRANSIT
    TWICE = "twice"  # one request, two orders


_DEFAULT_REJECTION = "RMS:You have insufficient funds. Please add Rs.1000.00 to trade."


class BadScript(ValueError):
    """The test asked for a fault that does not exist."""


@dataclass(kw_only=True)
class Fault:
    call: Call
    kind: Kind
    times: int = 1
    seconds: float = 0.0
    recorded: bool = False
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    body: Any = ""
    headers: dict[str, str] | None = None
    text: str = _DEFAULT_REJECTION
    until: float | None = None


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def script(self, wish: Mapping[str, Any]) -> None:
        """Raises BadScript for an unknown call, kind or parameter."""
        try:
            named: dict[str, Any] = {"call": Call(wish["call"]), "kind": Kind(wish["kind"])}
            fault = Fault(**{**wish, **named})
        except (KeyError, TypeError, ValueError) as error:
            raise BadScript(str(error)) from None
        if fault.kind is Kind.INDEX_LAG and fault.seconds:
            fault.until = monotonic() + fault.seconds
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._waiting]

    def take(self, call: Call) -> Fault | None:
        """The fault that this call suffers, oldest script first."""
        now = monotonic()
        self._waiting = [fault for fault in self._waiting if fault.until is None or fault.until > now]
        for fault in self._waiting:
            if fault.call is call:
                self._spend(fault)
                return fault
        return None

    def _spend(self, fault: Fault) -> None:
        if fault.until is None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)


async def suffer(fault: Fault, request: Request, act: Act) -> Response:
    """The answer under the fault; `act` is what the call would do on a good day."""
    match fault.kind:
        case Kind.LATE_REJECT | Kind.STUCK | Kind.TWICE:
            request.state.fault = fault
            return await act(request)
        case Kind.DROP_AFTER:
            await act(request)
            return HangUp()
        case Kind.DELAY:
            return await _delayed(fault, request, act)
        case Kind.BAD_JSON | Kind.NO_ID | Kind.HALF_REPLY | Kind.DRIP:
            return _spoiled(fault, await act(request))
        case Kind.DROP_BEFORE | Kind.HANG | Kind.STATUS | Kind.ERROR_BODY_200 | Kind.INDEX_LAG:
            if fault.recorded:
                await act(request)
            return _instead(fault)
        case _:
            assert_never(fault.kind)


async def _delayed(fault: Fault, request: Request, act: Act) -> Response:
    if fault.recorded:
        response = await act(request)
        await asyncio.sleep(fault.seconds)
        return response
    await asyncio.sleep(fault.seconds)
    return await act(request)


def _spoiled(fault: Fault, reply: Response) -> Response:
    body = bytes(reply.body)
    if fault.kind is Kind.HALF_REPLY:
        return HalfReply(reply)
    if fault.kind is Kind.DRIP:
        return Drip(reply, fault.seconds)
    if fault.kind is Kind.BAD_JSON:
        return Response(body[: len(body) // 2], reply.status_code, media_type="application/json")
    fields = {name: value for name, value in json.loads(body).items() if name != "orderId"}
    return JSONResponse(fields, reply.status_code)


def _instead(fault: Fault) -> Response:
    if fault.kind is Kind.DROP_BEFORE:
        return HangUp()
    if fault.kind is Kind.HANG:
        return Silence()
    if fault.kind is Kind.ERROR_BODY_200:
        return JSONResponse(order_error(NOT_FOUND).body)
    if fault.kind is Kind.INDEX_LAG:
        return JSONResponse(order_error(NOT_FOUND).body, HTTPStatus.NOT_FOUND)
    if isinstance(fault.body, str):
        return Response(fault.body, fault.status, fault.headers, "text/html")
    return JSONResponse(fault.body, fault.status, fault.headers)
