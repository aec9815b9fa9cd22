"""The broker's back office and the exchange: orders that are due move on, in the order in which their instants come.

Nothing runs by itself. Whoever reads the ledger calls `advance(now)` first, and everything that would have happened up
to `now` happens, stamped with its own instant. So the clock may stand still, run, or jump over a whole day; when it
goes back, what has happened stays.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from core.clock import to_india
from core.sandbox.dhan.account import Account
from core.sandbox.dhan.controls import Controls
from core.sandbox.dhan.ledger import Ledger
from core.sandbox.dhan.matching import Step, arrive, first_step, match, reject, security_of
from core.sandbox.dhan.order import Order, Product, Side, Status, Trade
from core.sandbox.dhan.store import Store

Hear = Callable[[Order], None]


class Exchange:
    """Holds the open orders in memory, in step with the ledger; `take` and `advance` alone change them."""

    def __init__(self, store: Store, ledger: Ledger, controls: Controls) -> None:
        self._controls = controls
        self.listeners = set[Hear]()
        self._store = store
        self._ledger = ledger
        self._news: list[Order] = []
        self._reload()

    def take(self, orders: list[Order]) -> None:
        """New orders, or changed ones: durable when this returns."""
        with self._store.transaction():
            for order in orders:
                if order.order_id in self._open:
                    self._ledger.save(order)
                else:
                    self._ledger.add(order)
        for order in orders:
            self._keep(Step(order, first_step(order)))
        self._news += orders
        self._announce()

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due at `now`."""
        if not self._agenda or self._agenda[0][0] > now:
            return
        try:
            with self._store.transaction():
                while self._agenda and self._agenda[0][0] <= now:
                    at, order_id = heapq.heappop(self._agenda)
                    if self._due.get(order_id) == at:
                        self._move(self._open[order_id], at)
        except BaseException:
            self._news.clear()
            self._reload()
            raise
        self._announce()

    def _announce(self) -> None:
        """Tell the listeners what has changed, now that it is on the disk."""
        news, self._news = self._news, []
        for order in news:
            for hear in list(self.listeners):
                hear(order)

    def open_order(self, order_id: str) -> Order | None:
        return self._open.get(order_id)

    @property
    def has_open_orders(self) -> bool:
        return bool(self._open)

    def spendable(self, now: datetime) -> Decimal:
        """Rupees left for new orders."""
        return self.account.cash(to_india(now).date()) - self._blocked

    def _reload(self) -> None:
        self.account = Account()
        self._open: dict[str, Order] = {}
        self._due: dict[str, datetime] = {}
        self._agenda: list[tuple[datetime, str]] = []
        self._blocked = Decimal(0)
        orders = {order.order_id: order for order in self._ledger.all_orders()}
        for trade in self._ledger.all_trades():
            self.account.add(trade, orders[trade.order_id])
        for order in orders.values():
            if order.status.is_open:
                self._keep(Step(order, first_step(order)))

    def _keep(self, step: Step) -> None:
        order = step.order
        known = self._open.pop(order.order_id, None)
        self._blocked -= known.blocked if known else 0
        self._due.pop(order.order_id, None)
        if not order.status.is_open:
            return
        self._open[order.order_id] = order
        self._blocked += order.blocked
        if step.due is not None:
            self._due[order.order_id] = step.due
            heapq.heappush(self._agenda, (step.due, order.order_id))

    def _move(self, order: Order, at: datetime) -> None:
        if order.status is Status.TRANSIT:
            step = self._check(order, at)
        elif order.exchange_order_id is None:
            step = arrive(order, at)
        else:
            step = match(order, at)
        if step.traded:
            self._trade(step, at)
        if step.order != order:
            self._ledger.save(step.order)
            self._news.append(step.order)
        self._keep(step)

    def _check(self, order: Order, at: datetime) -> Step:
        """The broker's risk check, a moment after the order was taken."""
        need = self._need(order, at)
        objection = order.doom or self._objection(order, need, at)
        if objection:
            return Step(reject(order, at, "RMS", objection))
        status = Status.PART_TRADED if order.filled else Status.PENDING
        checked = replace(order, status=status, blocked=need.quantize(Decimal("0.01")), updated_at=at)
        return arrive(checked, at) if order.release_at <= at else Step(checked, order.release_at)

    def _need(self, order: Order, at: datetime) -> Decimal:
        price = order.price or security_of(order).price_at(at)
        return self.account.needs(order, price, to_india(at).date())

    def _objection(self, order: Order, need: Decimal, at: datetime) -> str | None:
        short = need - order.blocked - self.spendable(at)
        if need and short > 0:
            return f"RMS:{order.order_id}:You have insufficient funds. Please add Rs.{short:.2f} to trade."
        if order.product is Product.CNC and order.side is Side.SELL:
            others = [other for other in self._open.values() if other.order_id != order.order_id]
            if self.account.sellable(order, others) < order.remaining:
                return f"RMS:{order.order_id}:You cannot sell more than the quantity you currently hold."
            if not self._may_leave_the_depository(order):
                return f"RMS:{order.order_id}:Please Validate Qty from CDSL."
        return None

    def _may_leave_the_depository(self, order: Order) -> bool:
        approved = self._controls.approved.get(security_of(order).isin, 0)
        return self._controls.has_ddpi or approved >= order.quantity

    def _trade(self, step: Step, at: datetime) -> None:
        trade = Trade(
            trade_id=self._ledger.next_trade_id(),
            order_id=step.order.order_id,
            day=to_india(at).date(),
            at=at,
            quantity=step.traded,
            price=step.price,
        )
        self._ledger.add_trade(trade)
        self.account.add(trade, step.order)
