"""The messages that ring, as the operator reads them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any

from bot.card_views import MARKS, SELF_EXPLAINED
from bot.text import clock_time, fit, in_short, one_line, quoted
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.notifications import Message
from core.settings import Mode as DeskMode

_RINGS = {
    Notice.FILLED: "🟢 Filled",
    Notice.PART_FILLED: "🔵 Partly filled",
    Notice.RESTING: "🟠 Not all filled yet",
    Notice.FILL_NOT_SHOWN: "🟠 How much filled is not clear",
    Notice.REJECTED: "🔴 Rejected",
    Notice.LAPSED: "⚪ Lapsed",
    Notice.CANCELLED: "⚪ Cancelled at the exchange",
    Notice.CHANGED: "🔵 Changed at Dhan",
    Notice.EXPIRED: "⚪ Expired, not sent",
    Notice.UNKNOWN: "🟠 In doubt",
    Notice.NEEDS_OPERATOR: "🟠 Needs you",
    Notice.FOUND: "🔵 Found at Dhan",
    Notice.UNSEEN: "🟠 Not seen at the exchange",
    Notice.CONFLICT: "🔴 Something is wrong at Dhan",
    Notice.NOT_CHANGED: "🟠 It stays as it was",
    Notice.HELD: "🟠 Orders are held",
    Notice.MORNING: "After-market orders",
    Notice.INSTRUMENTS: "🟠 The instrument list is old",
    Notice.BLIND: "🟠 Dhan cannot be read",
    Notice.SIGN_IN: "🟠 Sign in at Dhan",
    Notice.SIGNED_IN: "🟢 Signed in at Dhan",
    Notice.DESK_STARTED: "The desk is back",
    Notice.REMINDER: "🟡 Waiting for your tap",
    Notice.BLOCKED: "🟠 Dhan takes no orders just now",
    Notice.CROWDED: "🟠 Dhan's limit is used up",
    Notice.CALENDAR: "🟠 The calendar",
    Notice.CLOCK: "🟠 This machine's clock",
    Notice.TRUST: "🟠 A source is trusted less",
    Notice.SILENT: "🟠 A source is silent",
    Notice.OLD_KEY: "🟠 An alert came by an old key",
    Notice.TURNED_AWAY: "🔴 An alert was turned away",
    Notice.SECOND_POLLER: "🔴 Somebody else reads this bot's messages",
    Notice.ALERT_FAILED: "🔴 An alert was not executed",
    Notice.READINESS: "Ready for the day?",
    Notice.DAY: "The day",
    Notice.SUMMARY: "What happened",
}
_ALL_REASONS = 1800
"""Letters for all the reasons of a morning together; with so many orders a message stays within Telegram's limit."""


def title(kind: Notice) -> str:
    return _RINGS[kind]


def ring(message: Message, mode: DeskMode) -> str:
    """A message of its own about what just happened."""
    facts = message.payload
    title = f"<b>{mode.upper()}</b> · {_RINGS[message.kind]}"
    if message.kind is Notice.MORNING:
        return fit("\n".join([f"{title} {_batch(facts.get('reached', []))}", *_morning(facts)]))
    if "order" not in facts:
        return fit(f"{title}\n{one_line(str(facts['words']))}")
    what = f"<b>{facts['side']} {facts['quantity']} {escape(str(facts['symbol']))}</b> · {facts['order']}"
    if message.kind is Notice.FILLED and facts["average"]:
        return fit(f"{title} {facts['filled']} at {quoted(Decimal(facts['average']))}\n{what}")
    return fit(f"{title}\n{what}\n{one_line(str(facts['words']))}")


def _batch(reached: Sequence[str]) -> str:
    """Which orders a report is about: a morning has several."""
    clocks = [clock_time(datetime.fromisoformat(at))[:5] for at in reached]
    return f"of {', '.join(clocks)}" if clocks else "this morning"


def _morning(facts: Mapping[str, Any]) -> list[str]:
    """How many ended how, then each order, with the reason where it did not fill: the fewer such orders, the more of
    it."""
    rows = facts.get("orders", [])
    states = [OrderState(row["state"]) for row in rows]
    marks = [MARKS[state] for state in states]
    most = _ALL_REASONS // max(1, sum(state not in SELF_EXPLAINED for state in states))
    lines = [" · ".join(f"{mark} {marks.count(mark)}" for mark in dict.fromkeys(marks)), ""] if marks else []
    for row, state in zip(rows, states, strict=True):
        fill = f" {row['filled']} at {quoted(Decimal(row['average']))}" if row["average"] else ""
        why = [] if state in SELF_EXPLAINED else [f"<i>{one_line(in_short(row['words'], most))}</i>"]
        what = f"<b>{row['side']} {row['quantity']} {escape(row['symbol'])}</b> · {row['order']}"
        lines += [what, f"{MARKS[state]}{fill}", *why]
    return [*lines, f"… and {facts['more']} more: /orders"] if facts.get("more") else lines
