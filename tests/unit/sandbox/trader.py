"""Trades of the stand-in's account without the exchange: what is bought and sold when, at which price."""

from datetime import date, datetime, time
from decimal import Decimal
from itertools import count
from typing import Any

from core.clock import INDIA
from core.sandbox.dhan.account import Account
from core.sandbox.dhan.order import Order, OrderType, Product, Side, Status, Trade, Validity
from core.sandbox.dhan.security import Security
from core.sandbox.dhan.wire import holding_json, position_json


class Trader:
    """Trades one security in one product at a fresh account, and hears of it in Dhan's JSON."""

    def __init__(self, security: Security, product: Product) -> None:
        self._security, self._product = security, product
        self.account = Account()
        self._numbers = count(1)

    def trade(self, day: date, side: Side, quantity: int, price: str) -> None:
        number, at = str(next(self._numbers)), datetime.combine(day, time(10), INDIA)
        order = Order(
            correlation_id="",
            side=side,
            segment=self._security.exchange_segment,
            product=self._product,
            order_type=OrderType.LIMIT,
            validity=Validity.DAY,
            security_id=self._security.id,
            quantity=quantity,
            disclosed=0,
            price=Decimal(price),
            trigger_price=Decimal(0),
            amo_time=None,
            order_id=number,
            entered_at=at,
            release_at=at,
            book_day=day,
            status=Status.TRADED,
            updated_at=at,
        )
        trade = Trade(trade_id=number, order_id=number, day=day, at=at, quantity=quantity, price=Decimal(price))
        self.account.add(trade, order)

    def position(self, day: date) -> dict[str, Any]:
        [position] = self.account.positions(day)
        return position_json(position, datetime.combine(day, time(15), INDIA))

    def holding(self, day: date) -> dict[str, Any]:
        [holding] = self.account.holdings(day)
        return holding_json(holding, day)
