"""The one bridge between Dhan's names and ours. Facts: Dhan API v2 docs, Orders and Annexure."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, assert_never

from core.broker.dhan.client import Reply
from core.broker.dhan.meanings import SIGN_IN_ENDED, SIGN_IN_NAMED, meaning_of, speaks_of_kill_switch
from core.broker.dhan.names import name_in
from core.broker.dhan.wire import EMPTY, NO_NUMBER, DhanError, Row, as_row, read_error, text
from core.broker.port import (
    Accepted,
    BrokerOrder,
    BrokerState,
    ChangeRequest,
    OrderRequest,
    Outcome,
    PastFill,
    Refusal,
    Refused,
    Said,
    Unknown,
)
from core.domain.alert import OrderType, Product, Side
from core.errors import BrokerUnavailable

_STATES: Mapping[str, BrokerState] = MappingProxyType(
    {
        "TRANSIT": BrokerState.RECEIVED,
        "PENDING": BrokerState.WORKING,
        "PART_TRADED": BrokerState.PART_FILLED,
        "TRADED": BrokerState.FILLED,
        "REJECTED": BrokerState.REJECTED,
        "CANCELLED": BrokerState.CANCELLED,
        "EXPIRED": BrokerState.LAPSED,
    }
)
_STATUSES = frozenset({*_STATES, "CONFIRM", "CLOSED", "TRIGGERED", "MODIFIED", "INACTIVE"})
"""Every status that Dhan is known to name; the last ones belong to no plain order, or only one page lists them."""
PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        "CNC": Product.DELIVERY,
        "INTRADAY": Product.INTRADAY,
        "MARGIN": Product.CARRY_FORWARD,
        "MTF": Product.MARGIN_FUNDED,
    }
)
_DEAD_TOKEN_CODES = frozenset({"DH-901", "807", "808", "809"})
_NO_ACCESS_CODES = frozenset({"DH-902", "DH-903", "DH-911"})
_FINAL_CODES = frozenset({"DH-905", "DH-906", "DH-907"})
_UNREADABLE = (KeyError, TypeError, ValueError, OverflowError, InvalidOperation)
_MOST = 10**12


def order_body(client_id: str, request: OrderRequest) -> dict[str, Any]:
    """The body of `POST /orders`: typed numbers, and nothing that is not used (empty strings are refused)."""
    body: dict[str, Any] = {
        "dhanClientId": client_id,
        "correlationId": request.correlation_id,
        "transactionType": request.side.value,
        "exchangeSegment": request.segment.value,
        "productType": _product(request.product),
        "orderType": _order_type(request.order_type),
        "validity": request.validity.value,
        "securityId": request.security_id,
        "quantity": request.quantity,
        "disclosedQuantity": 0,
        "price": request.price or Decimal(0),
        "triggerPrice": request.trigger_price or Decimal(0),
        "afterMarketOrder": request.amo_time is not None,
    }
    return body if request.amo_time is None else {**body, "amoTime": request.amo_time.value}


def change_body(client_id: str, request: ChangeRequest) -> dict[str, Any]:
    """The body of `PUT /orders/{id}`. `quantity` is the order's new total, not what is left of it."""
    return {
        "dhanClientId": client_id,
        "orderId": request.order_id,
        "orderType": _order_type(request.order_type),
        "legName": "NA",
        "quantity": request.quantity,
        "price": request.price or Decimal(0),
        "disclosedQuantity": 0,
        "triggerPrice": request.trigger_price or Decimal(0),
        "validity": request.validity.value,
    }


def _order_type(order_type: OrderType) -> str:
    match order_type:
        case OrderType.MARKET:
            return "MARKET"
        case OrderType.LIMIT:
            return "LIMIT"
        case OrderType.STOP_LIMIT:
            return "STOP_LOSS"
        case OrderType.STOP_MARKET:
            return "STOP_LOSS_MARKET"
        case _:
            assert_never(order_type)


def _product(product: Product) -> str:
    match product:
        case Product.DELIVERY:
            return "CNC"
        case Product.INTRADAY:
            return "INTRADAY"
        case Product.CARRY_FORWARD:
            return "MARGIN"
        case Product.MARGIN_FUNDED:
            return "MTF"
        case _:
            assert_never(product)


def read_placement(reply: Reply) -> Outcome:
    """What the answer to an order call proves. Whatever is not a clear yes or a well-formed no is unknown."""
    error = read_error(reply)
    if reply.is_success:
        row = as_row(reply.json())
        return Accepted(order_id=text(row, "orderId")) if row and not error and _is_yes(row) else _unclear(reply)
    if error is None or not 400 <= reply.status < 500:
        return _unclear(reply)
    refusal = classify(error)
    if refusal is None:
        return _unclear(reply)
    advice = str(meaning_of(error.code, error.words))
    return Refused(refusal=refusal, code=error.code, words=error.words, advice=advice)


def _is_yes(row: Row) -> bool:
    """An order id with nothing beside it that casts doubt on it. A rejection is a yes, too: the book says why."""
    order_id, status = row.get("orderId"), row.get("orderStatus")
    has_id = bool(text(row, "orderId")) and not (isinstance(order_id, int) and order_id < 0)
    is_known = status in (None, *EMPTY) or (isinstance(status, str) and status.upper() in _STATUSES)
    return has_id and is_known and not text(row, "errorCode")


def classify(error: DhanError) -> Refusal | None:
    """What kind of no it is; None for codes that prove nothing. The generic codes are told apart by their text."""
    if error.says("invalid ip"):
        return Refusal.INVALID_IP
    if error.code in _DEAD_TOKEN_CODES or _speaks_of_token(error):
        return Refusal.SIGNED_OUT
    if speaks_of_kill_switch(error.words):
        return Refusal.KILL_SWITCH
    if error.code == "DH-904":
        return Refusal.RATE_LIMITED
    if error.says("market is closed"):
        return Refusal.MARKET_CLOSED
    if error.says("markets are offline"):
        return Refusal.MARKET_OFFLINE
    if error.says("order is in transit"):
        return Refusal.IN_TRANSIT
    if error.code in _NO_ACCESS_CODES:
        return Refusal.NO_ACCESS
    return Refusal.FINAL if error.code in _FINAL_CODES else None


def _speaks_of_token(error: DhanError) -> bool:
    """A dead token also comes under generic codes: DH-906 says it in so many words, some met others with "token"."""
    pattern = SIGN_IN_NAMED if error.code in ("DH-902", "DH-905") else SIGN_IN_ENDED
    return re.search(pattern, error.words, re.IGNORECASE) is not None


def _unclear(reply: Reply) -> Unknown:
    """Of a meaning only the sentence: a next step may be to send the order once more, which may be there."""
    answered, error = f"Dhan answered {reply.status}", read_error(reply)
    if error is not None:
        refusal = classify(error)
        ours = "" if refusal else f"{meaning_of(error.code, error.words).sentence} "
        return Unknown(words=f"{ours}{answered}: {error.code} {error.words}".rstrip(": "), refusal=refusal)
    if not reply.text:
        return Unknown(words=answered)
    is_page = reply.json() is None
    return Unknown(
        words=f"{answered} with something that cannot be read" if is_page else f"{answered}: {reply.text[:200]}"
    )


def says_the_same(row: Row, known: Mapping[str, Said]) -> bool:
    """Whether this order of the book is known, and still in that state with as much filled; quicker than reading it."""
    order_id = row.get("orderId")
    said = known.get(order_id) if isinstance(order_id, str) else None
    return said is not None and said == (_state(row), _filled(row))


def _state(row: Row) -> BrokerState:
    return _STATES.get(text(row, "orderStatus").upper(), BrokerState.OTHER)


def _filled(row: Row) -> Any:
    spellings = row.get("filledQty"), row.get("filled_qty")
    return next((filled for filled in spellings if filled and filled not in NO_NUMBER), 0)


def read_order(row: Row) -> BrokerOrder | None:
    """One order of the book; None when it lacks what an order must have, which makes the list incomplete."""
    status = text(row, "orderStatus").upper()
    try:
        quantity, filled = _units(row["quantity"]), _units(_filled(row))
        average, price = _rupees(row.get("averageTradedPrice")), _rupees(row.get("price"))
        trigger_price = _rupees(row.get("triggerPrice"))
    except _UNREADABLE:
        return None
    if not status or not text(row, "orderId"):
        return None
    state, words = _state(row), text(row, "omsErrorDescription")
    is_rejected = state is BrokerState.REJECTED
    return BrokerOrder(
        order_id=text(row, "orderId"),
        correlation_id=text(row, "correlationId"),
        state=state,
        status=status,
        side=Side.__members__.get(text(row, "transactionType").upper()),
        segment=text(row, "exchangeSegment"),
        security_id=text(row, "securityId"),
        product=PRODUCTS.get(text(row, "productType").upper()),
        quantity=quantity,
        filled_quantity=filled,
        average_price=average,
        price=price,
        trigger_price=trigger_price,
        symbol=name_in(row),
        is_amo=bool(row.get("afterMarketOrder")),
        words=words,
        advice=str(meaning_of("", words)) if is_rejected else "",
        refusal=Refusal.KILL_SWITCH if is_rejected and speaks_of_kill_switch(words) else None,
    )


def sum_fills(rows: list[Row]) -> dict[str, PastFill]:
    """Trade rows added up by order. Raises BrokerUnavailable for a row that cannot be read: the list is no evidence."""
    pieces: dict[str, list[tuple[int, Decimal]]] = {}
    of_orders: dict[str, Row] = {}
    for row in rows:
        try:
            piece = _units(row["tradedQuantity"]), _amount(row["tradedPrice"])
        except _UNREADABLE:
            raise BrokerUnavailable("Dhan's trade history has an entry that cannot be read") from None
        if piece[0] > 0:
            order_id = text(row, "orderId")
            pieces.setdefault(order_id, []).append(piece)
            of_orders[order_id] = row
    return {order_id: _summed(traded, of_orders[order_id]) for order_id, traded in pieces.items()}


def _summed(traded: list[tuple[int, Decimal]], row: Row) -> PastFill:
    quantity = sum(units for units, _ in traded)
    worth = sum((units * price for units, price in traded), Decimal(0))
    return PastFill(
        quantity=quantity,
        average_price=(worth / quantity).quantize(Decimal("0.0001")),
        side=Side.__members__.get(text(row, "transactionType").upper()),
        segment=text(row, "exchangeSegment"),
        security_id=text(row, "securityId"),
        product=PRODUCTS.get(text(row, "productType").upper()),
    )


def _units(value: Any) -> int:
    """Raises ValueError for what no order can have: the desk would fail on such a number only when it stores it."""
    units = Decimal(str(value))
    if not 0 <= units <= _MOST or units % 1:
        raise ValueError("no order has so many units")
    return int(units)


def _rupees(value: Any) -> Decimal | None:
    return None if value in NO_NUMBER else _amount(value) or None


def _amount(value: Any) -> Decimal:
    amount = Decimal(str(value))
    if abs(amount) > _MOST:
        raise ValueError("no price is so high")
    return amount
