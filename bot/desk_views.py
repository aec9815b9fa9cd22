"""The desk as a whole, as the operator reads it: what it is, what it can do, how it stands, and its orders."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from bot.card_views import MARKS
from bot.commands import COMMANDS, Purpose, may
from bot.text import day_time, fit, one_line, rupees, span
from core.domain.order import Order, OrderState
from core.reports import DeskReport
from core.settings import Mode as DeskMode
from core.settings import Role


def welcome(mode: DeskMode) -> str:
    return (
        f"<b>Munshi</b> · {mode.upper()}\n\n"
        "I keep your order book. TradingView sends an alert to my webhook; I check it against the market's clock, "
        "ask you here where asking is due, place the order at Dhan, and tell you what became of it.\n\n"
        "Every alert gets one card in this chat, and the card changes as things happen. /help lists what you can ask."
    )


def help_text(role: Role) -> str:
    lines: list[str] = []
    for purpose in Purpose:
        lines += [f"<b>{purpose}</b>"]
        lines += [
            f"{command.usage or '/' + command.name} – {command.summary}"
            for command in COMMANDS
            if command.purpose is purpose and may(role, command.role)
        ]
        lines += [""]
    return "\n".join(lines).strip()


def status(report: DeskReport, mode: DeskMode, now: datetime) -> str:
    waiting = report.counts.get(OrderState.AWAITING_APPROVAL, 0)
    at_dhan = sum(report.counts.get(state, 0) for state in OrderState if state.is_at_broker)
    doubtful = report.counts.get(OrderState.UNKNOWN, 0) + report.counts.get(OrderState.NEEDS_OPERATOR, 0)
    lines = [
        f"<b>{mode.upper()}</b> · {day_time(now)} IST",
        "",
        *([f"🟠 {one_line(reason)}" for reason in report.holds.values()] or ["🟢 Orders go out"]),
        f"Signed in at Dhan for {span(report.token_expires_at - now)}"
        if report.token_expires_at and report.token_expires_at > now
        else "Not signed in at Dhan",
        "",
        f"Waiting for your tap: {waiting}",
        f"Queued: {report.counts.get(OrderState.QUEUED, 0)}",
        f"At Dhan: {at_dhan}",
        f"In doubt: {doubtful}",
    ]
    return "\n".join(lines)


def queue(orders: Sequence[Order], now: datetime) -> str:
    if not orders:
        return f"Nothing waits. {day_time(now)} IST"
    lines = [f"<b>Waiting</b> · {day_time(now)} IST", ""]
    for order in orders:
        lines += [
            f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}",
            f"{MARKS[order.state]}"
            + (f" · goes {day_time(order.release_at)}" if order.release_at else "")
            + (f" → exchange {day_time(order.reaches_exchange_at)}" if order.reaches_exchange_at else ""),
        ]
    return fit("\n".join(lines))


def order_list(orders: Sequence[Order]) -> str:
    if not orders:
        return "No orders yet."
    lines = ["<b>Latest orders</b>", ""]
    for order in orders:
        fill = f" {order.filled_quantity} at {rupees(order.average_price)}" if order.filled_quantity else ""
        lines += [
            f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}",
            f"{MARKS[order.state]}{fill} · {day_time(order.updated_at)}",
        ]
    return fit("\n".join(lines))
