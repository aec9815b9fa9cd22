"""The account at Dhan (Dhan API v2 docs, Portfolio, Funds, eDIS, Trader's Control)."""

from decimal import Decimal, InvalidOperation
from typing import Any, cast

from core.broker.account import Fill, Funds, Holding, Position
from core.broker.dhan.adapter import Dhan, no_evidence
from core.broker.dhan.client import Reply
from core.broker.dhan.mapping import PRODUCTS
from core.broker.dhan.meanings import Trouble, meaning_of
from core.broker.dhan.names import name_in
from core.broker.dhan.wire import Row, as_row, read_error, text
from core.domain.alert import Side
from core.errors import BrokerUnavailable, Refusal

_NOTHING_HELD = ("DH-1111", "DH-1112")


class DhanAccount:
    """Reads go through the broker's own session."""

    def __init__(self, dhan: Dhan) -> None:
        self._dhan = dhan

    async def funds(self) -> Funds:
        row = _object(await self._dhan.read("/fundlimit"))
        return Funds(
            available=_rupees(row, "availabelBalance", "availableBalance"),  # Dhan's own spelling comes first
            opening=_rupees(row, "sodLimit"),
            used=_rupees(row, "utilizedAmount"),
            collateral=_rupees(row, "collateralAmount"),
            receivable=_rupees(row, "receiveableAmount", "receivableAmount"),
            withdrawable=_rupees(row, "withdrawableBalance"),
        )

    async def positions(self) -> list[Position]:
        return [_position(row) for row in _rows(await self._dhan.read("/positions"))]

    async def holdings(self) -> list[Holding]:
        """No holdings are an error at Dhan, and an empty list here."""
        reply = await self._dhan.read("/holdings")
        error = read_error(reply)
        if error is not None and error.code in _NOTHING_HELD:
            return []
        return [_holding(row) for row in _rows(reply)]

    async def fills(self) -> list[Fill]:
        return [_fill(row) for row in _rows(await self._dhan.read("/trades"))]

    async def may_sell_holdings(self) -> bool:
        return text(_object(await self._dhan.read("/profile")), "ddpi").lower() == "active"

    async def approved_for_sale(self, isin: str) -> int:
        return _whole(_object(await self._dhan.read(f"/edis/inquire/{isin}")), "aprvdQty")

    async def is_stopped(self) -> bool:
        """Dhan API v2 docs, Traders' Control: ACTIVATE or DEACTIVATE. A word of no known kind is no "off"."""
        status = text(_object(await self._dhan.read("/killswitch")), "killSwitchStatus").upper()
        if not status.startswith(("ACTIV", "DEACTIV")):
            raise BrokerUnavailable("Dhan says of its kill switch neither that it is on nor that it is off")
        return status.startswith("ACTIV")

    async def stop(self, on: bool) -> str:
        reply = await self._dhan.write(f"/killswitch?killSwitchStatus={'ACTIVATE' if on else 'DEACTIVATE'}")
        error = read_error(reply)
        if reply.is_success and error is None:
            return text(_object(reply), "killSwitchStatus")
        if error is None or meaning_of(error.code, error.words).trouble is Trouble.DOUBT:
            raise no_evidence(reply)
        raise Refusal(f"Dhan said: {error.words.rstrip('.') or 'nothing more'} ({error.code or 'no code'}).")


def _object(reply: Reply) -> Row:
    row = as_row(reply.json())
    if not reply.is_success or row is None or read_error(reply) is not None:
        raise no_evidence(reply)
    return row


def _rows(reply: Reply) -> list[Row]:
    body = reply.json()
    if not reply.is_success or not isinstance(body, list):
        raise no_evidence(reply)
    rows = cast("list[Any]", body)
    if not all(isinstance(row, dict) for row in rows):
        raise BrokerUnavailable("Dhan's answer has an entry that cannot be read")
    return cast("list[Row]", rows)


def _position(row: Row) -> Position:
    name = text(row, "productType").upper()
    return Position(
        symbol=name_in(row),
        segment=text(row, "exchangeSegment"),
        security_id=text(row, "securityId"),
        product=PRODUCTS.get(name),
        product_name=name,
        net=_whole(row, "netQty"),
        average=_rupees(row, "costPrice"),
        realised=_rupees(row, "realizedProfit"),
        unrealised=_rupees(row, "unrealizedProfit"),
    )


def _holding(row: Row) -> Holding:
    return Holding(
        symbol=name_in(row),
        security_id=text(row, "securityId"),
        isin=text(row, "isin"),
        total=_whole(row, "totalQty"),
        sellable=_whole(row, "availableQty"),
        average=_rupees(row, "avgCostPrice"),
    )


def _fill(row: Row) -> Fill:
    return Fill(
        order_id=text(row, "orderId"),
        symbol=name_in(row),
        segment=text(row, "exchangeSegment"),
        side=Side.__members__.get(text(row, "transactionType").upper()),
        quantity=_whole(row, "tradedQuantity"),
        price=_rupees(row, "tradedPrice"),
        at=text(row, "exchangeTime") or text(row, "updateTime"),
    )


def _whole(row: Row, key: str) -> int:
    try:
        return int(row[key])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BrokerUnavailable(f"Dhan's answer has no number in {key}") from None


def _rupees(row: Row, *keys: str) -> Decimal:
    """The first of the spellings that is there."""
    value = next((row[key] for key in keys if row.get(key) is not None), None)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise BrokerUnavailable(f"Dhan's answer has no amount in {keys[0]}")
    return amount
