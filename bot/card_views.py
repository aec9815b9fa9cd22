"""An alert's card and its story, as the operator reads them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import assert_never

from bot.text import day_time, fit, moment, one_line, plain, quoted, rupees, span
from core.allowance import value
from core.domain.alert import AlertState, OrderType, Validity
from core.domain.order import WAITING, Mode, Order, OrderState
from core.journal import Event
from core.reports import AlertReport
from core.settings import Mode as DeskMode
from core.tickets import once_answered

_NOTHING = timedelta(0)

MARKS = {
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

SELF_EXPLAINED = frozenset({OrderState.FILLED, OrderState.DECLINED, OrderState.SUBMITTING})


def card(report: AlertReport, mode: DeskMode, trace: str | None = None) -> str:
    """One alert: what, where it stands, when it reaches the exchange, and why.

    Key facts stand on lines of their own, in one order, after labels that no text from outside can imitate: those
    texts are on one line each, below the facts. `trace` is the address of the trace page, where one can be opened.
    """
    lines = [f"<b>{mode.upper()}</b> · alert {report.alert.id} · {moment(report.alert.received_at, report.at)}", ""]
    if not report.orders:
        lines += [MARKS[OrderState.REFUSED] if report.alert.state is AlertState.REFUSED else "🔵 Received"]
        lines += [one_line(report.alert.reason)] if report.alert.reason else []
    if len(report.orders) == 1:
        lines += [*_facts(report, report.orders[0]), "", *_standing(report, report.orders[0])]
    else:
        for order in report.orders:
            lines += [*_leg(report, order), ""]
        lines += _origin(report) if report.orders else []
    lines += ["", *_remarks(report)]
    lines += [f'<a href="{escape(trace)}">Trace</a>'] if trace else []
    return fit("\n".join(lines).strip().replace("\n\n\n", "\n\n"))


def _facts(report: AlertReport, order: Order) -> list[str]:
    """The order of these lines never changes; a line is left out only where there is nothing to say."""
    return [
        f"Side: <b>{order.side}</b>",
        f"Quantity: <b>{order.quantity}</b>",
        f"Symbol: <b>{plain(order.symbol)}</b>",
        f"Exchange: {order.exchange}",
        f"Type: {order.order_type}",
        *([f"Trigger: {quoted(order.trigger_price)}"] if order.trigger_price is not None else []),
        *([f"Validity: {order.validity}"] if order.validity is not Validity.DAY else []),
        f"Price: {'at the market' if order.price is None else quoted(order.price)}",
        f"Product: {order.product}",
        f"Value: {_worth(order)}",
        *_origin(report),
        *_when(report, order),
        f"Id: {order.label}",
    ]


def _worth(order: Order) -> str:
    """What was paid once there is a fill, else what it would be at its price, or at the market's as last known."""
    filled, worth = order.filled_quantity, _amount(order)
    if worth is not None:
        return rupees(worth) + (" filled" if 0 < filled < order.quantity else "")
    if filled and order.average_price is None:
        return "not known"
    if not filled and order.price is None:
        return _estimate(order) or "not known before the fill"
    return "not known: Dhan's list leaves out the size of a lot"


def _amount(order: Order) -> Decimal | None:
    filled = order.filled_quantity
    return value(order.segment, filled or order.quantity, order.average_price if filled else order.price)


def _estimate(order: Order) -> str:
    """Of an order at the market, by what the alert or the last question said of the price; empty where neither did."""
    last = order.asked_at_price or order.alert_price
    worth = value(order.segment, order.quantity, last)
    return "" if worth is None else f"about {rupees(worth)}, by the last known price of {quoted(last)}"


def _origin(report: AlertReport) -> list[str]:
    """Who sent it, and how old it is while that matters; drawn anew every minute while a tap is awaited."""
    waits = any(order.state in WAITING for order in report.orders)
    age = report.at - (report.alert.fired_at or report.alert.received_at)
    return [f"Source: {plain(report.origin)}", *([f"Age: {_spoken(age)}"] if waits else [])]


def _spoken(age: timedelta) -> str:
    if age <= -timedelta(minutes=1):  # the sender's clock is wrong, or a paper clock was moved back
        return "none, its time lies ahead"
    return span(age) if age >= timedelta(minutes=1) else "under a minute"


def _leg(report: AlertReport, order: Order) -> list[str]:
    """One of several legs: the same facts, on as few lines as twenty of them bear."""
    worth = _amount(order)
    return [
        f"{order.position}. <b>{order.side} {order.quantity} {plain(order.symbol)}</b>",
        terms(order) + (f" · {rupees(worth)}" if worth is not None else ""),
        *_standing(report, order),
        *_when(report, order),
    ]


def terms(order: Order) -> str:
    """Type, prices, product and exchange of an order."""
    match order.order_type:
        case OrderType.MARKET:
            price = "Market"
        case OrderType.LIMIT:
            price = f"Limit {quoted(order.price)}"
        case OrderType.STOP_LIMIT:
            price = f"Stop {quoted(order.trigger_price)}, limit {quoted(order.price)}"
        case OrderType.STOP_MARKET:
            price = f"Stop {quoted(order.trigger_price)}"
        case _:
            assert_never(order.order_type)
    price += "" if order.validity is Validity.DAY else f" · {order.validity}"
    return f"{price} · {order.product.replace('_', ' ').lower()} · {order.exchange}"


def _standing(report: AlertReport, order: Order) -> list[str]:
    """Where it stands, and why."""
    if report.is_held(order):
        return ["🟠 Held", *(one_line(reason) for reason in report.holds.values())]
    fill = f" {order.filled_quantity} at {quoted(order.average_price)}" if order.filled_quantity else ""
    why = "" if order.state in SELF_EXPLAINED else order.reason
    return [f"{MARKS[order.state]}{fill}", *([f"<i>{one_line(why)}</i>"] if why else [])]


def _when(report: AlertReport, order: Order) -> list[str]:
    """When it goes out and reaches the exchange, and until when a tap counts, while that lies ahead."""
    if report.is_held(order):
        return []
    lines: list[str] = []
    waiting = order.state in WAITING
    if waiting and order.release_at is not None and order.mode is not Mode.IMMEDIATE:
        lines.append(f"Goes out {_leaves(order, order.release_at, report.at)}")
    reaches = order.reaches_exchange_at
    if (waiting or order.state is OrderState.WORKING) and reaches is not None and reaches > report.at:
        lines.append(f"At the exchange {day_time(reaches)}{_way(order)}")
    if order.state is OrderState.AWAITING_APPROVAL:
        lines += _deadline(report, order)
    return lines


def _leaves(order: Order, release_at: datetime, now: datetime) -> str:
    """When it leaves; a question may be answered after that, and then the tap sends it."""
    if order.state is not OrderState.AWAITING_APPROVAL:
        return day_time(release_at)
    if release_at <= now:
        return "when you tap"
    is_open_later = order.expires_at is not None and order.expires_at > release_at
    return day_time(release_at) + (", or when you tap later" if is_open_later else "")


def _way(order: Order) -> str:
    if order.into_auction:
        return ", in the closing auction"
    return ", as an after-market order" if order.as_amo else ""


def _deadline(report: AlertReport, order: Order) -> list[str]:
    """Until when a tap counts; drawn anew every minute."""
    lines: list[str] = []
    if order.expires_at is not None:
        left = order.expires_at - report.at
        lines.append(f"Answer by {day_time(order.expires_at)}" + (f", {span(left)} left" if left > _NOTHING else ""))
    reminder = order.remind_at
    if reminder is not None and reminder > report.at and reminder != order.release_at:
        lines.append(f"Reminder {day_time(reminder)}")
    return lines


def _remarks(report: AlertReport) -> list[str]:
    lines: list[str] = []
    is_over = all(order.state.is_final for order in report.orders)
    said = once_answered(report.alert.reason) if is_over else report.alert.reason
    if report.orders and said:
        lines.append(f"<i>{one_line(said)}</i>")
    if report.repeats:
        count = len(report.repeats)
        lines.append(f"The same alert came {count} more time{'s' * (count > 1)} and did nothing.")
    if report.alert.folded:
        lines.append(f"Its sender repeated it {report.alert.folded} time{'s' * (report.alert.folded > 1)}; folded in.")
    return lines


def story(report: AlertReport, events: Sequence[Event], mode: DeskMode) -> str:
    """The card, and below it everything that happened, in order."""
    labels = {order.id: order.label for order in report.orders}
    lines = [card(report, mode), "", "<b>What happened</b>"]
    for event in events:
        move = f" {event.before or 'new'} → {event.after}" if event.after else f" {event.kind.replace('_', ' ')}"
        subject = labels.get(event.order_id or 0, "alert")
        words = f" {one_line(event.reason)}" if event.reason else ""
        lines.append(f"{moment(event.at, report.at)} <b>{subject}</b>{escape(move)} · {escape(event.actor)}.{words}")
    return fit("\n".join(lines))
