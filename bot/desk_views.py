"""The desk as a whole, as the operator reads it: what it is, what it can do, how it stands, and its orders."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape

from bot.card_views import MARKS, terms
from bot.commands import COMMANDS, Purpose, may
from bot.text import clock_time, day_time, fit, one_line, plain, quoted, rupees, span
from core.allowance import value
from core.clock import to_india
from core.domain.order import WAITING, Order, OrderState
from core.reports import DeskReport
from core.settings import Mode as DeskMode
from core.settings import Role
from core.tour import Outlook


def welcome(mode: DeskMode, role: Role, moved_to: datetime | None = None, *, outlook: Outlook | None = None) -> str:
    """What the desk is, and a first step for this role.

    `moved_to`: what a paper clock says that is not real time. `outlook`: what becomes of an alert of the tour.
    """
    moved = f"\n\nThe sandbox's clock was moved: for it, it is {day_time(moved_to)} IST." if moved_to else ""
    return (
        f"<b>Munshi</b> · {mode.upper()}\n\n"
        "I keep your order book. TradingView sends an alert to my webhook; I check it against the market's clock, "
        "ask you here where asking is due, place the order at Dhan, and tell you what became of it.\n\n"
        f"Every alert gets one card in this chat, and the card changes as things happen. "
        f"{_first_step(mode, role, outlook)}{moved}"
    )


def _first_step(mode: DeskMode, role: Role, outlook: Outlook | None) -> str:
    if not may(role, Role.APPROVER):
        return "You may look at everything: /status is a good start, /help lists what you can ask."
    if mode is DeskMode.LIVE:
        return (
            "A first step: /alert RELIANCE buy 1 writes the message for a TradingView alert. "
            "/help lists what you can ask."
        )
    held = _held(outlook)
    once = ", once nothing holds it" if held else ""
    if outlook is not None and outlook.refused:
        why = one_line(outlook.refused)
        return f"A paper alert fired now would be refused: {why}{held}\n\n/help lists what you can ask."
    if outlook is not None and outlook.waits:
        return (
            f"Try it, it takes a minute and no money. The market is closed now ({day_time(outlook.at)} IST): an alert "
            f"fired now, once approved, {one_line(outlook.way)}. So first:\n\n"
            "<b>1.</b> Make it a trading morning with the button below; only the paper clock moves.\n"
            f"<b>2.</b> Fire a paper alert.\n<b>3.</b> Its card asks you: tap Approve, and it fills{once}.{held}\n\n"
            "/help lists what you can ask."
        )
    return (
        "Try it, it takes a minute and no money:\n\n<b>1.</b> Fire a paper alert with the button below.\n"
        f"<b>2.</b> Its card asks you: tap Approve.\n<b>3.</b> Watch the card turn to Filled{once}.{held}\n\n"
        "/help lists what you can ask."
    )


def second_step(alert: int, outlook: Outlook) -> str:
    """After the tour's alert was fired."""
    held = _held(outlook)
    if outlook.refused:
        return f"Alert {alert} is refused: {one_line(outlook.refused)}{held}"
    if outlook.is_open:
        once = " once nothing holds it" if held else ""
        return (
            f"<b>2.</b> The card of alert {alert} asks you now: tap <b>Approve</b>, and it fills within seconds{once}. "
            f"<b>3.</b> /why {alert} then tells every step. Your own alerts: /alert RELIANCE buy 1.{held}"
        )
    return (
        f"<b>2.</b> The card of alert {alert} asks you. The market is closed now: once approved, it "
        f"{one_line(outlook.way)}. To see a fill at once, make it a trading morning on paper, and fire another.{held}"
    )


def _held(outlook: Outlook | None) -> str:
    """Why nothing goes out, below the rest; empty when orders may go."""
    if outlook is None or not outlook.holds:
        return ""
    return "\n\n" + "\n".join(["🟠 Nothing goes out now:", *(f"🟠 {one_line(reason)}" for reason in outlook.holds)])


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
    """How the desk stands, counted as /queue lists it: an order in doubt that needs you waits for your tap, too."""
    needs_you = report.counts.get(OrderState.NEEDS_OPERATOR, 0)
    at_dhan = sum(report.counts.get(state, 0) for state in OrderState if state.is_at_broker)
    doubtful = report.counts.get(OrderState.UNKNOWN, 0) + needs_you
    among_them = f", of which {needs_you} wait{'s' * (needs_you == 1)} for your tap" if needs_you else ""
    lines = [
        f"<b>{mode.upper()}</b> · {day_time(now)} IST",
        "",
        *([f"🟠 {one_line(reason)}" for reason in report.holds.values()] or ["🟢 Orders go out"]),
        f"Signed in at Dhan for {span(report.token.left(now))}"
        if report.token and report.token.expires_at > now
        else "Not signed in at Dhan",
        "",
        f"Waiting for your tap: {report.counts.get(OrderState.AWAITING_APPROVAL, 0) + needs_you}",
        f"Queued: {report.counts.get(OrderState.QUEUED, 0)}",
        f"At Dhan: {at_dhan}",
        f"In doubt: {doubtful}{among_them}",
    ]
    return "\n".join(lines)


def queue(
    orders: Sequence[Order],
    now: datetime,
    *,
    which: str = "all",
    page: tuple[int, int] = (1, 1),
    total: int = 0,
    holds: Iterable[str] = (),
) -> str:
    """One page of what waits, with the time at which it was looked at, and why nothing goes out while that is so."""
    kind = "" if which == "all" else f" · {plain(which)}"
    if not orders:
        return f"Nothing waits{kind}. {day_time(now)} IST"
    number, last = page
    pages = f" · {total} in all, page {number} of {last}" if last > 1 else ""
    lines = [f"<b>Waiting</b>{kind} · {day_time(now)}:{to_india(now):%S} IST{pages}"]
    lines += [*(f"🟠 {one_line(reason)}" for reason in holds), ""]
    for order in orders:
        lines += [
            f"<b>{order.side} {order.quantity} {plain(order.symbol)}</b> · {order.label}",
            f"{MARKS[order.state]}{_way(order, now)}",
        ]
    return fit("\n".join(lines))


def _way(order: Order, now: datetime) -> str:
    """When it goes out and reaches the exchange, as far as that lies ahead."""
    reaches = order.reaches_exchange_at
    exchange = f" → exchange {day_time(reaches)}" if reaches is not None and reaches > now else ""
    if order.state not in WAITING or order.release_at is None:
        return ""
    if order.release_at > now:
        return f" · goes {day_time(order.release_at)}{exchange}"
    if order.state is OrderState.QUEUED:
        return f" · due since {day_time(order.release_at)}{exchange}"
    return f" · after your tap{exchange}"


def all_of(verb: str, orders: Sequence[Order]) -> str:
    """The question whether to do it to all of these; the last of very many are counted, not named."""
    lines = [f"<b>{verb.capitalize()} all of these?</b>", ""]
    lines += [
        f"{order.label} {order.side} {order.quantity} {plain(order.symbol)} · {terms(order)}" for order in orders[:40]
    ]
    more = len(orders) - 40
    lines += [f"… and {more} more, by /queue"] if more > 0 else []
    values = [value(order.segment, order.quantity, order.price) for order in orders]
    known = [worth for worth in values if worth is not None]
    more_unknown = " and more, of unknown value" if len(known) < len(values) else ""
    worth = f"Worth {rupees(sum(known, Decimal(0)))}{more_unknown}" if known else "Worth: not known before the fill"
    return fit("\n".join([*lines, "", worth]))


def order_list(orders: Sequence[Order], now: datetime) -> str:
    if not orders:
        return "No orders yet."
    lines = ["<b>Latest orders</b>", ""]
    for order in orders:
        fill = f" {order.filled_quantity} at {quoted(order.average_price)}" if order.filled_quantity else ""
        lines += [
            f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}",
            f"{MARKS[order.state]}{fill} · {_whole(order.updated_at, now)}",
        ]
    return fit("\n".join(lines))


def _whole(instant: datetime, now: datetime) -> str:
    """The time of day, with its day where that is not today's; a narrow screen does not break it."""
    is_today = to_india(instant).date() == to_india(now).date()
    return f"{to_india(instant):%H:%M}" if is_today else day_time(instant).replace(" ", "\N{NO-BREAK SPACE}")


def health(report: DeskReport, facts: Mapping[str, str], mode: DeskMode, now: datetime) -> str:
    """Green or not, line by line; `facts` are the console's own, in words."""
    token = report.token.expires_at if report.token else None
    lines = [f"<b>{mode.upper()}</b> · {day_time(now)} IST", ""]
    lines += [f"🟠 {one_line(reason)}" for reason in report.holds.values()] or ["🟢 Nothing holds orders back"]
    lines += [f"🟢 Signed in until {day_time(token)}" if token and token > now else "🔴 Not signed in: /login"]
    lines += [f"🟠 Alerts not decided yet: {report.undecided}"] if report.undecided else []
    doubtful = report.counts.get(OrderState.UNKNOWN, 0) + report.counts.get(OrderState.NEEDS_OPERATOR, 0)
    lines += [f"🟠 In doubt: {doubtful}"] if doubtful else []
    lines += [f"🟠 Oldest message that is owed: {clock_time(report.oldest_unsent)}"] if report.oldest_unsent else []
    lines += [f"{name}: {escape(words)}" for name, words in facts.items()]
    return fit("\n".join(lines))


def log_lines(lines: Sequence[str]) -> str:
    """The newest ones that fit."""
    if not lines:
        return "No warnings since the desk started."
    kept, room = list[str](), 3800
    for line in reversed(lines):
        shown = one_line(line)
        room -= len(shown) + 1
        if room < 0:
            break
        kept.insert(0, shown)
    return fit("\n".join(kept))


def facts(title: str, found: Mapping[str, str]) -> str:
    """Names and values, one to a line."""
    lines = [f"<b>{escape(title)}</b>", "", *(f"{escape(name)}: {one_line(words)}" for name, words in found.items())]
    return fit("\n".join(lines))
