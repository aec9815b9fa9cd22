"""What the operator reads. Read models in, Telegram HTML out; every text from outside is escaped here and only here."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any, assert_never

from bot.commands import COMMANDS, Purpose, may
from core.clock import to_india
from core.domain import money
from core.domain.alert import AlertState, OrderType
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.journal import Event
from core.notifications import Message
from core.reports import AlertReport, DeskReport
from core.settings import Mode as DeskMode
from core.settings import Role

MOST_TEXT = 4096
_MOST_WORDS = 600
_NOTHING = timedelta(0)

_MARKS = {
    OrderState.REFUSED: "🔴 Refused",
    OrderState.AWAITING_APPROVAL: "🟡 Waiting for your tap",
    OrderState.QUEUED: "🔵 Queued",
    OrderState.SUBMITTING: "🔵 Being sent",
    OrderState.UNKNOWN: "🟠 In doubt: looking it up at Dhan",
    OrderState.NEEDS_OPERATOR: "🟠 Needs you",
    OrderState.WORKING: "🔵 Placed at Dhan",
    OrderState.PART_FILLED: "🔵 Partly filled",
    OrderState.CANCELLING: "🔵 Being cancelled",
    OrderState.DECLINED: "⚪ Cancelled before it was sent",
    OrderState.EXPIRED: "⚪ Expired, not sent",
    OrderState.DROPPED: "⚪ Dropped, watched until day end",
    OrderState.FILLED: "🟢 Filled",
    OrderState.CANCELLED: "⚪ Cancelled at the exchange",
    OrderState.REJECTED: "🔴 Rejected",
    OrderState.LAPSED: "⚪ Lapsed",
}

_SELF_EXPLAINED = frozenset({OrderState.FILLED, OrderState.DECLINED, OrderState.SUBMITTING})


def card(report: AlertReport, mode: DeskMode) -> str:
    """One alert: what, where it stands, when it reaches the exchange, and why. Key facts on lines of their own."""
    lines = [f"<b>{mode.upper()}</b> · alert {report.alert.id} · {clock_time(report.alert.received_at)}", ""]
    if not report.orders:
        lines += [_MARKS[OrderState.REFUSED] if report.alert.state is AlertState.REFUSED else "🔵 Received"]
        lines += [_words(report.alert.reason)] if report.alert.reason else []
    for order in report.orders:
        lines += [*_leg(report, order), ""]
    lines += _remarks(report)
    return fit("\n".join(lines).strip())


def _leg(report: AlertReport, order: Order) -> list[str]:
    number = f"{order.position}. " if len(report.orders) > 1 else ""
    lines = [
        f"{number}<b>{order.side} {order.quantity} {escape(order.symbol)}</b>",
        terms(order),
        "",
        _standing(report, order),
    ]
    why = "" if order.state in _SELF_EXPLAINED or report.is_held(order) else order.reason
    return [*lines, *_when(report, order), *([f"<i>{_words(why)}</i>"] if why else [])]


def terms(order: Order) -> str:
    """Type, prices, product and exchange of an order."""
    match order.order_type:
        case OrderType.MARKET:
            price = "Market"
        case OrderType.LIMIT:
            price = f"Limit {rupees(order.price)}"
        case OrderType.STOP_LIMIT:
            price = f"Stop {rupees(order.trigger_price)}, limit {rupees(order.price)}"
        case OrderType.STOP_MARKET:
            price = f"Stop {rupees(order.trigger_price)}"
        case _:
            assert_never(order.order_type)
    return f"{price} · {order.product.replace('_', ' ').lower()} · {order.exchange}"


def _standing(report: AlertReport, order: Order) -> str:
    if report.is_held(order):
        return "🟠 Held"
    fill = f" {order.filled_quantity} at {rupees(order.average_price)}" if order.filled_quantity else ""
    return f"{_MARKS[order.state]}{fill}"


def _when(report: AlertReport, order: Order) -> list[str]:
    """When it goes out and reaches the exchange, and until when a tap counts, while that lies ahead."""
    if report.is_held(order):
        return [_words(reason) for reason in report.holds.values()]
    lines: list[str] = []
    waiting = order.state in (OrderState.AWAITING_APPROVAL, OrderState.QUEUED)
    if waiting and order.release_at is not None and order.mode is not Mode.IMMEDIATE:
        lines.append(f"Goes out {day_time(order.release_at)}")
    reaches = order.reaches_exchange_at
    if (waiting or order.state is OrderState.WORKING) and reaches is not None and reaches > report.at:
        lines.append(f"{_way(order)} → {day_time(reaches)}")
    if order.state is OrderState.AWAITING_APPROVAL:
        lines += _deadline(report, order)
    return lines


def _way(order: Order) -> str:
    if order.into_auction:
        return "Closing auction"
    return "AMO" if order.as_amo else "Exchange"


def _deadline(report: AlertReport, order: Order) -> list[str]:
    """Until when a tap counts, and how old the alert is; drawn anew every minute."""
    age = report.at - (report.alert.fired_at or report.alert.received_at)
    lines = [f"The alert is {_span(age)} old"] if age >= timedelta(minutes=1) else []
    if order.expires_at is not None:
        left = order.expires_at - report.at
        lines.append(f"Answer by {day_time(order.expires_at)}" + (f", {_span(left)} left" if left > _NOTHING else ""))
    reminder = order.remind_at
    if reminder is not None and reminder > report.at and reminder != order.release_at:
        lines.append(f"Reminder {day_time(reminder)}")
    return lines


def _remarks(report: AlertReport) -> list[str]:
    lines: list[str] = []
    if report.orders and report.alert.reason:
        lines.append(f"<i>{_words(report.alert.reason)}</i>")
    if report.repeats:
        count = len(report.repeats)
        lines.append(f"The same alert came {count} more time{'s' * (count > 1)} and did nothing.")
    if report.alert.folded:
        lines.append(f"Its sender repeated it {report.alert.folded} time{'s' * (report.alert.folded > 1)}; folded in.")
    return lines


_RINGS = {
    Notice.FILLED: "🟢 Filled",
    Notice.PART_FILLED: "🔵 Partly filled",
    Notice.REJECTED: "🔴 Rejected",
    Notice.LAPSED: "⚪ Lapsed",
    Notice.CANCELLED: "⚪ Cancelled at the exchange",
    Notice.EXPIRED: "⚪ Expired, not sent",
    Notice.UNKNOWN: "🟠 In doubt",
    Notice.NEEDS_OPERATOR: "🟠 Needs you",
    Notice.FOUND: "🔵 Found at Dhan",
    Notice.CONFLICT: "🔴 Something is wrong at Dhan",
    Notice.NOT_CHANGED: "🟠 It stays as it was",
    Notice.HELD: "🟠 Orders are held",
    Notice.MORNING: "After-market orders this morning",
    Notice.INSTRUMENTS: "🟠 The instrument list is old",
    Notice.BLIND: "🟠 Dhan cannot be read",
    Notice.SIGN_IN: "🟠 Sign in at Dhan",
    Notice.DESK_STARTED: "The desk is back",
    Notice.REMINDER: "🟡 Waiting for your tap",
    Notice.BLOCKED: "🟠 Dhan takes no orders just now",
    Notice.CALENDAR: "🟠 The calendar",
    Notice.CLOCK: "🟠 This machine's clock",
    Notice.ALERT_FAILED: "🔴 An alert was not executed",
}


def ring(message: Message, mode: DeskMode) -> str:
    """A message of its own about what just happened."""
    facts = message.payload
    if message.kind is Notice.DESK_STARTED:
        return _started(facts, mode)
    title = f"<b>{mode.upper()}</b> · {_RINGS[message.kind]}"
    if message.kind is Notice.MORNING:
        return fit("\n".join([title, *_morning(facts)]))
    if "order" not in facts:
        return fit(f"{title}\n{_words(str(facts['words']))}")
    what = f"<b>{facts['side']} {facts['quantity']} {escape(str(facts['symbol']))}</b> · {facts['order']}"
    if message.kind is Notice.FILLED and facts["average"]:
        return fit(f"{title} {facts['filled']} at {rupees(Decimal(facts['average']))}\n{what}")
    return fit(f"{title}\n{what}\n{_words(str(facts['words']))}")


def _morning(facts: Mapping[str, Any]) -> list[str]:
    """How many ended how, then each order, with the reason where it did not fill."""
    rows = facts.get("orders", [])
    marks = [_MARKS[OrderState(row["state"])] for row in rows]
    lines = [" · ".join(f"{mark} {marks.count(mark)}" for mark in dict.fromkeys(marks)), ""] if marks else []
    for row, mark in zip(rows, marks, strict=True):
        fill = f" {row['filled']} at {rupees(Decimal(row['average']))}" if row["average"] else ""
        why = [f"<i>{_words(row['words'])}</i>"] if OrderState(row["state"]) not in _SELF_EXPLAINED else []
        what = f"<b>{row['side']} {row['quantity']} {escape(row['symbol'])}</b> · {row['order']}"
        lines += [what, f"{mark}{fill}", *why]
    return [*lines, f"… and {facts['more']} more: /orders"] if facts.get("more") else lines


def _started(facts: Any, mode: DeskMode) -> str:
    doubt = int(facts["in_doubt"])
    tail = f" {doubt} order{'s' * (doubt > 1)} in doubt: looking up at Dhan." if doubt else ""
    return f"<b>{mode.upper()}</b> · The desk has started.{tail}"


def welcome(mode: DeskMode, moved_to: datetime | None = None) -> str:
    """`moved_to`: what a paper clock says that is not the real time."""
    moved = f"\n\nThe sandbox's clock was moved: for it, it is {day_time(moved_to)} IST." if moved_to else ""
    return (
        f"<b>Munshi</b> · {mode.upper()}\n\n"
        "I keep your order book. TradingView sends an alert to my webhook; I check it against the market's clock, "
        "ask you here where asking is due, place the order at Dhan, and tell you what became of it.\n\n"
        "Every alert gets one card in this chat, and the card changes as things happen. /help lists what you can ask."
        f"{moved}"
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
        *([f"🟠 {_words(reason)}" for reason in report.holds.values()] or ["🟢 Orders go out"]),
        f"Signed in at Dhan for {_span(report.token_expires_at - now)}"
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
            f"{_MARKS[order.state]}"
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
            f"{_MARKS[order.state]}{fill} · {day_time(order.updated_at)}",
        ]
    return fit("\n".join(lines))


def story(report: AlertReport, events: Sequence[Event], mode: DeskMode) -> str:
    """The card, and below it everything that happened, in order."""
    labels = {order.id: order.label for order in report.orders}
    lines = [card(report, mode), "", "<b>What happened</b>"]
    for event in events:
        move = f" {event.before or 'new'} → {event.after}" if event.after else f" {event.kind.replace('_', ' ')}"
        subject = labels.get(event.order_id or 0, "alert")
        words = f" {_words(event.reason)}" if event.reason else ""
        lines.append(f"{clock_time(event.at)} <b>{subject}</b>{escape(move)} · {escape(event.actor)}.{words}")
    return fit("\n".join(lines))


def rupees(amount: Decimal | None) -> str:
    return "–" if amount is None else money.rupees(amount)


def day_time(instant: datetime | None) -> str:
    if instant is None:
        return "–"
    india = to_india(instant)
    return f"{india:%a} {india.day} {india:%b %H:%M}"


def clock_time(instant: datetime) -> str:
    return to_india(instant).strftime("%H:%M:%S")


def fit(text: str) -> str:
    """Cut at a line end so that Telegram takes it; only long stories are ever cut."""
    if _length(text) <= MOST_TEXT:
        return text
    kept = text[: MOST_TEXT - 40]
    while _length(kept) > MOST_TEXT - 40:
        kept = kept[: len(kept) - 20]
    kept = kept.rsplit("\n", 1)[0]
    return f"{kept}\n… the rest is on the trace page."


def _length(text: str) -> int:
    """As Telegram counts: UTF-16 units."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def _span(length: timedelta) -> str:
    """Such as "2 d 3 h", "3 h 20 min" or "45 min"."""
    minutes = int(length.total_seconds() // 60)
    if minutes >= 24 * 60:
        return f"{minutes // 1440} d {minutes % 1440 // 60} h"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{max(minutes, 1)} min"


def _words(text: str) -> str:
    """On one line: a line break could pass for a fact of the card, and `fit` cuts at line ends, between tags."""
    text = " ".join(text.split())
    return escape(text if len(text) <= _MOST_WORDS else text[:_MOST_WORDS] + "…")
