"""/why: the way to a decision in plain words, told from the events. Every text from outside is escaped here."""

from collections.abc import Sequence
from html import escape

from bot.card_views import MARKS, terms
from bot.text import day_time, fit, moment, one_line, plain
from core.db.alerts import StoredAlert
from core.db.attempts import Attempt
from core.domain.alert import AlertState
from core.domain.attempt import AttemptState
from core.domain.order import Order, OrderState
from core.journal import Event
from core.reports import AlertReport

_BEGAN = {
    OrderState.REFUSED: "our own rules refused it",
    OrderState.AWAITING_APPROVAL: "you were asked",
    OrderState.QUEUED: "it may go without a tap",
}
_MOVED = {
    OrderState.AWAITING_APPROVAL: "you were asked",
    OrderState.QUEUED: "it may go",
    OrderState.SUBMITTING: "the desk sent it",
    OrderState.UNKNOWN: "nobody knew whether Dhan had it",
    OrderState.NEEDS_OPERATOR: "you had to decide",
    OrderState.WORKING: "Dhan had it",
    OrderState.PART_FILLED: "a part was filled",
    OrderState.CANCELLING: "Dhan was asked to cancel it",
    OrderState.DECLINED: "it was cancelled before it was sent",
    OrderState.EXPIRED: "its time ran out",
    OrderState.DROPPED: "it was given up",
    OrderState.FILLED: "it was filled",
    OrderState.CANCELLED: "it was cancelled at the exchange",
    OrderState.REJECTED: "it was rejected",
    OrderState.LAPSED: "it lapsed",
}


def why(report: AlertReport, events: Sequence[Event], tries: Sequence[Attempt], trace: str | None) -> str:
    """What was asked for, each step with its reason, each try at Dhan with Dhan's own words, and where it stands."""
    alert = report.alert
    lines = [f"<b>Why</b> · alert {alert.id} from {plain(report.origin)}, {day_time(alert.received_at)}", ""]
    lines += [
        f"{order.label} {order.side} {order.quantity} {plain(order.symbol)}: {terms(order)}" for order in report.orders
    ]
    lines += ["", "<b>Step by step</b>", *(_step(event, report) for event in events)]
    if tries:
        lines += ["", "<b>Tries at Dhan</b>", *(_try(each, report.orders) for each in tries)]
    lines += ["", "<b>Now</b>", *(f"{order.label} {_now(report, order)}" for order in report.orders)]
    lines += [] if report.orders else [_without_orders(alert)]
    lines += [f'<a href="{escape(trace)}">Trace</a>'] if trace else []
    return fit("\n".join(lines))


def _step(event: Event, report: AlertReport) -> str:
    label = next((order.label for order in report.orders if order.id == event.order_id), "The alert")
    reason = f" {one_line(event.reason)}" if event.reason else ""
    return f"{moment(event.at, report.at)} {label}: {_what(event)}, by {escape(event.actor)}.{reason}"


def _what(event: Event) -> str:
    if event.order_id is None:
        return {"alert": "came"}.get(event.kind, escape(event.kind.replace("_", " ")))
    if (event.before, event.after) == (OrderState.SUBMITTING, OrderState.QUEUED):
        return "it went back to the queue"
    words = _BEGAN if event.before is None else _MOVED
    if event.after is not None:
        return words.get(OrderState(event.after), escape(event.after))
    return "noted" if event.kind == "note" else escape(event.kind.replace("_", " "))


def _try(attempt: Attempt, orders: Sequence[Order]) -> str:
    """Without its time, which is the machine's: the step that names it has the desk's.

    The words are Dhan's only where it refused: of a try in doubt, or one that did not reach Dhan, they are the desk's.
    """
    label = next((order.label for order in orders if order.id == attempt.order_id), "?")
    is_dhans = attempt.refusal is not None and attempt.state is not AttemptState.UNKNOWN
    words = " ".join(part for part in (attempt.code if is_dhans else "", attempt.words) if part)
    speaker = " Dhan said:" if is_dhans else ""
    times = f", sent {attempt.posts} times" if attempt.posts > 1 else ""
    line = f"{label} as {escape(attempt.correlation_id)}{times}: {attempt.state}."
    return f"{line}{speaker} {one_line(words)}" if words else line


def _without_orders(alert: StoredAlert) -> str:
    mark = MARKS[OrderState.REFUSED] if alert.state is AlertState.REFUSED else "🔵 Received"
    return f"{mark}. {one_line(alert.reason)}".strip()


def _now(report: AlertReport, order: Order) -> str:
    if report.is_held(order):
        return f"🟠 Held. {' '.join(one_line(reason) for reason in report.holds.values())}"
    return f"{MARKS[order.state]}. {one_line(order.reason)}" if order.reason else MARKS[order.state]
