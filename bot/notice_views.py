"""The reports and summaries as the operator reads them, and what he hears of. Texts from outside are escaped here."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from html import escape
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot import ring_views
from bot.callback_data import CardTap, Verb, pack
from bot.text import clock_time, day_time, fit, in_short, quoted, rupees
from core.clock import to_india
from core.domain.notice import Loudness, Loudnesses, Notice, Topic
from core.domain.order import OrderState
from core.domain.readiness import Cure, Light
from core.domain.sessions import spoken_day
from core.notifications import Message
from core.settings import Mode

_LIGHTS = {Light.RED: "🔴", Light.AMBER: "🟠", Light.GREEN: "🟢"}
CURES = {
    Cure.LOGIN: ("Sign in", "/login"),
    Cure.REGISTER: ("Register this address…", "/ip set"),
    Cure.RESUME: ("Send again", "/resume"),
    Cure.UNKILL: ("Let orders out…", "/unkill"),
    Cure.KILL_SWITCH: ("Dhan's kill switch…", "/killswitch"),
    Cure.GO_LIVE: ("Go live…", "/golive"),
    Cure.QUEUE: ("Show the queue", "/queue"),
    Cure.OPEN_TODAY: ("It is open today…", "/calendar open today as usual"),
    Cure.CLOSE_TODAY: ("It is closed today…", "/calendar close today holiday"),
    Cure.LOOK_AGAIN: ("Look again", ""),
}
"""What stands on the button, and the command that a tap on it gives."""
_WORDS = {
    Topic.FILLS: "fills, whole and partial",
    Topic.REJECTIONS: "rejections, what they do to a source's trust, alerts that were not executed",
    Topic.DOUBTS: "market orders that rest, orders in doubt or in conflict, and how that ends",
    Topic.MISSED: "orders that missed their window, or lapsed",
    Topic.TROUBLE: "sign-in, address, clock, Dhan unreachable, a silent source, an old key, a second reader",
    Topic.CANCELLED: "cancellations at the exchange, changes at Dhan",
    Topic.REMINDERS: "reminders of what waits for a tap",
    Topic.REPORTS: "the readiness card, the morning's and the day's report",
    Topic.NEWS: "restarts, a sign-in by a link, the calendar, the instrument list",
}
_SOUNDS = {Loudness.ON: "🔔", Loudness.SILENT: "🔕", Loudness.OFF: "✖️"}
NOTIFY_USAGE = "/notify reports silent\n/notify news off\n/notify quiet 22:00-07:00\n/notify quiet off"
_GROUPS = {
    "Filled": "filled",
    "Not filled": "failed",
    "Cancelled or dropped": "cancelled",
    "In doubt": "doubtful",
    "At Dhan": "at_dhan",
}
"""The orders of a day's report, by their title."""
_MOST_ROWS = 12
_ALL_REASONS = 2000
"""Letters for all the reasons of a day together; with so many rows a message stays within Telegram's limit."""
_SHORT = 100
_LONGEST_SYMBOL = 24


def told(message: Message, mode: Mode) -> str:
    """The text of a message that rings."""
    facts, head = message.payload, f"<b>{mode.upper()}</b>"
    match message.kind:
        case Notice.READINESS:
            return readiness(facts, mode)
        case Notice.DAY:
            return day(facts, mode)
        case Notice.SUMMARY:
            return fit("\n".join([f"{head} · {_count(facts)}", *_summary(facts["rows"])]))
        case _:
            return ring_views.ring(message, mode)


def buttons(message: Message) -> InlineKeyboardMarkup | None:
    return cure_buttons(message.payload) if message.kind is Notice.READINESS else None


def readiness(facts: Mapping[str, Any], mode: Mode) -> str:
    """One line for each thing that the day hangs on, red ones on top."""
    lines = [f"{_LIGHTS[Light(line['light'])]} {escape(line['words'])}" for line in facts["lines"]]
    reds = sum(line["light"] == Light.RED for line in facts["lines"])
    verdict = f"{reds} thing{'s' * (reds > 1)} to see to" if reds else "Ready"
    late = ", late" if facts["late"] else ""
    when = day_time(datetime.fromisoformat(facts["looked_at"]))
    return fit("\n".join([f"<b>{mode.upper()}</b> · {verdict} · {when}{late}", "", *lines]))


def cure_buttons(facts: Mapping[str, Any]) -> InlineKeyboardMarkup:
    """Below the card: for every line what cures it, each once, and a second look."""
    wanted = [Cure(cure) for line in facts["lines"] for cure in line["cures"]]
    cures = dict.fromkeys([*wanted, Cure.LOOK_AGAIN])
    return InlineKeyboardMarkup([[_button(CURES[cure][0], Verb.CURE, cure)] for cure in cures])


def day(facts: Mapping[str, Any], mode: Mode) -> str:
    """What the day brought: counts, fills, what came to nothing and why, what still waits, and where the account stood.

    The fewer orders came to nothing, the more is said of each.
    """
    on = date.fromisoformat(facts["day"])
    late = ", late" if facts["late"] else ""
    lines = [f"<b>{mode.upper()}</b> · Report of {spoken_day(on)}{late}", ""]
    lines += [_alerts(facts["alerts"], facts.get("refused", 0))]
    groups = {title: facts.get(key, []) for title, key in _GROUPS.items()}
    most = max(_SHORT // 2, _ALL_REASONS // sum(map(len, groups.values()), start=1))
    for title, rows in groups.items():
        if rows:
            lines += ["", f"<b>{title}</b>", *(_row(row, most) for row in rows[:_MOST_ROWS])]
            lines += [f"… and {len(rows) - _MOST_ROWS} more: /export"] if len(rows) > _MOST_ROWS else []
    waiting = facts["waiting"]
    lines += ["", f"{waiting} still wait{'s' * (waiting == 1)}: /queue" if waiting else "Nothing waits"]
    lines += [_standing(facts["pnl"])]
    return fit("\n".join(lines))


def _alerts(count: int, refused: int) -> str:
    among_them = f", {refused} refused" if refused else ""
    return f"{count} alert{'s' * (count != 1)}{among_them}" if count else "No alerts"


def _standing(pnl: Mapping[str, Any] | None) -> str:
    if pnl is None:
        return "Profit and loss not known: the desk had no reason to look"
    at, total = datetime.fromisoformat(pnl["at"]), Decimal(pnl["total"])
    still = f", {pnl['open']} open" if pnl["open"] else ""
    sign = "+" if total > 0 else "−" if total < 0 else ""
    return f"Profit and loss {sign}{rupees(abs(total))} at {clock_time(at)[:5]}{still}, before charges"


def _count(facts: Mapping[str, Any]) -> str:
    return f"{facts['messages']} messages in one" if facts.get("messages") else "and further"


def _summary(rows: list[Mapping[str, Any]]) -> list[str]:
    """Grouped by what happened; of every order the last of it."""
    kinds = dict.fromkeys(Notice(row["kind"]) for row in rows)
    lines: list[str] = []
    for kind in kinds:
        lines += ["", f"<b>{ring_views.title(kind)}</b>"]
        lines += [_row(row) for row in rows if row["kind"] == kind]
    return lines


def _row(row: Mapping[str, Any], most: int = _SHORT // 2) -> str:
    """An order, with at most so many letters of why."""
    if "order" not in row:
        return escape(in_short(str(row.get("words", "")), _SHORT * 2))
    what = f"{row['order']} {row['side']} {row['quantity']} {escape(in_short(str(row['symbol']), _LONGEST_SYMBOL))}"
    if row.get("average"):
        return f"{what}: {row['filled']} at {quoted(Decimal(row['average']))}"
    filled = ("kind" in row and row["kind"] == Notice.FILLED) or row.get("state") == OrderState.FILLED
    return what if filled else f"{what}: <i>{escape(in_short(str(row['words']), most))}</i>"


def notify(wished: Loudnesses, now: datetime) -> str:
    """What the operator hears of, and how to change it."""
    lines = ["<b>What you hear of</b>", ""]
    for topic in Topic:
        loudness = wished.of(topic)
        never = "" if topic.may_be_off else ", never off"
        lines.append(f"{_SOUNDS[loudness]} <b>{topic}</b> {loudness}{never}: {_WORDS[topic]}")
    is_quiet = wished.is_quiet(to_india(now).time())
    lines += ["", f"Quiet hours: {_quiet(wished.quiet)}{', now' if is_quiet else ''}"]
    lines += ["In quiet hours messages come without a sound, but for doubts and trouble.", "", NOTIFY_USAGE]
    return "\n".join(lines)


def _quiet(span: tuple[time, time] | None) -> str:
    return f"{span[0]:%H:%M}–{span[1]:%H:%M}" if span else "none"


def notify_buttons(wished: Loudnesses) -> InlineKeyboardMarkup:
    """Each topic's next loudness, two in a row, and the usual quiet hours."""
    each = [_topic_button(topic, wished.of(topic)) for topic in Topic]
    rows = [each[begin : begin + 2] for begin in range(0, len(each), 2)]
    quiet = ("Quiet hours off", "off") if wished.quiet else ("Quiet 22:00–07:00", "22.00-07.00")
    return InlineKeyboardMarkup([*rows, [_button(quiet[0], Verb.NOTIFY, f"quiet.{quiet[1]}")]])


def _topic_button(topic: Topic, now: Loudness) -> InlineKeyboardButton:
    ladder = [Loudness.ON, Loudness.SILENT, *([Loudness.OFF] if topic.may_be_off else [])]
    after = ladder[(ladder.index(now) + 1) % len(ladder)]
    return _button(f"{_SOUNDS[now]} {topic} → {after}", Verb.NOTIFY, f"{topic}.{after}")


def _button(text: str, verb: Verb, what: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text, callback_data=pack(CardTap(verb, what, 0)))
