"""Reading what a client asks for: JSON text to a Ticket, or the broker's refusal."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, cast

from core.sandbox.dhan.errors import BAD_INPUT, Refused, bad_input, order_error
from core.sandbox.dhan.hours import AmoTime
from core.sandbox.dhan.order import Order, OrderType, Product, Side, Ticket, Validity

_CORRELATION = re.compile(r"[A-Za-z0-9 _-]{1,25}")
_SEGMENTS = {"NSE_EQ", "BSE_EQ", "NSE_FNO", "BSE_FNO", "NSE_CURRENCY", "MCX_COMM"}
_CHOICE = TypeVar("_CHOICE", bound=StrEnum)


def read_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except ValueError:
        raise bad_input(BAD_INPUT) from None
    if not isinstance(fields, dict):
        raise bad_input(BAD_INPUT)
    return cast("dict[str, Any]", fields)


def read_ticket(fields: Mapping[str, Any], client_id: str) -> Ticket:
    """Raises Refused in Dhan's words."""
    if fields.get("dhanClientId") != client_id:
        raise bad_input(BAD_INPUT)
    if fields.get("quantity") is None:
        raise bad_input("quantity is required")
    ticket = Ticket(
        correlation_id=_correlation_id(fields),
        side=_choice(Side, fields, "transactionType"),
        segment=_segment(fields),
        product=_choice(Product, fields, "productType"),
        order_type=_choice(OrderType, fields, "orderType"),
        validity=_choice(Validity, fields, "validity"),
        security_id=_text(fields, "securityId"),
        quantity=_count(fields, "quantity"),
        disclosed=_count(fields, "disclosedQuantity", least=0),
        price=_money(fields, "price"),
        trigger_price=_money(fields, "triggerPrice"),
        amo_time=_choice(AmoTime, fields, "amoTime") if _flag(fields, "afterMarketOrder") else None,
    )
    _check_product(ticket)
    _check_prices(ticket)
    return ticket


def read_changes(fields: Mapping[str, Any], order: Order) -> Order:
    """The order as a modification wants it; `quantity` is the new total. Raises Refused."""
    changed = replace(
        order,
        order_type=_choice(OrderType, fields, "orderType"),
        validity=_choice(Validity, fields, "validity"),
        quantity=_count(fields, "quantity") if "quantity" in fields else order.quantity,
        disclosed=_count(fields, "disclosedQuantity", least=0),
        price=_money(fields, "price"),
        trigger_price=_money(fields, "triggerPrice"),
    )
    _check_prices(changed)
    if changed.quantity <= order.filled:
        raise order_error("Incorrect request for order and cannot be processed")
    return changed


def _check_product(ticket: Ticket) -> None:
    equity = ticket.segment.endswith("_EQ")
    if ticket.product is Product.MARGIN and equity:
        raise bad_input(BAD_INPUT)
    if ticket.product in {Product.CNC, Product.MTF} and not equity:
        raise bad_input(BAD_INPUT)
    if ticket.disclosed and ticket.disclosed * 10 <= ticket.quantity * 3:
        raise bad_input(BAD_INPUT)


def _check_prices(ticket: Ticket) -> None:
    match ticket.order_type:
        case OrderType.MARKET:
            return
        case OrderType.LIMIT:
            sound = ticket.price > 0
        case OrderType.STOP_LOSS:
            sound = ticket.price > 0 and ticket.trigger_price > 0
            buys = ticket.side is Side.BUY
            beyond = ticket.price > ticket.trigger_price if buys else ticket.price < ticket.trigger_price
            if sound and not beyond:
                raise order_error("Trigger Price should be less than Price" if buys else _TRIGGER_ABOVE)
        case OrderType.STOP_LOSS_MARKET:
            raise order_error(_TRIGGER_ABOVE)  # what production has answered since July 2026
    if not sound:
        raise bad_input(BAD_INPUT)


_TRIGGER_ABOVE = "Trigger Price should be greater than Price"


def _correlation_id(fields: Mapping[str, Any]) -> str:
    """Empty when the client sent none; the broker then makes one up."""
    text = fields.get("correlationId")
    if text is None:
        return ""
    if not isinstance(text, str) or not _CORRELATION.fullmatch(text):
        raise bad_input(BAD_INPUT)
    return text


def _segment(fields: Mapping[str, Any]) -> str:
    segment = _text(fields, "exchangeSegment")
    if segment not in _SEGMENTS:
        raise bad_input(BAD_INPUT)
    return segment


def _choice(choices: type[_CHOICE], fields: Mapping[str, Any], name: str) -> _CHOICE:
    try:
        return choices(_text(fields, name))
    except ValueError:
        raise bad_input(BAD_INPUT) from None


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not text:
        raise bad_input(BAD_INPUT)
    return text


def _count(fields: Mapping[str, Any], name: str, least: int = 1) -> int:
    number = fields.get(name, 0)
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number < 10**9:
        raise bad_input(BAD_INPUT)
    return number


def _money(fields: Mapping[str, Any], name: str) -> Decimal:
    number = fields.get(name, 0)
    if not isinstance(number, int | Decimal) or isinstance(number, bool) or not 0 <= number < 10**9:
        raise bad_input(BAD_INPUT)
    return Decimal(number)


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    flag = fields.get(name, False)
    if not isinstance(flag, bool):
        raise bad_input(BAD_INPUT)
    return flag


def _refuse_constant(text: str) -> Refused:
    raise ValueError(text)
