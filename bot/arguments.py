"""What people type behind a command, as values; what cannot be read is a refusal with the usage in it."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from core.clock import to_india
from core.domain.instrument import Market
from core.domain.sessions import INDIA, Span
from core.errors import Refusal

MOST_DAYS_AHEAD = 400
_MONDAY, _TUESDAY, _THURSDAY, _SUNDAY = 0, 1, 3, 6
_PERCENT = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,2})?)%?")


@dataclass(frozen=True, kw_only=True)
class DayChange:
    """The words of `/calendar open` or `close`: `until` None means until the day ends."""

    day: date
    market: Market
    sessions: tuple[Span, ...]
    until: time | None
    reason: str


def calendar_usage(today: date) -> str:
    """Examples, whose days lie ahead."""
    soon = today + timedelta(days=6)
    return (
        f"/calendar close {_next(_THURSDAY, soon)} election\n"
        "/calendar close today until 14:00 trading halt\n"
        f"/calendar open {_next(_SUNDAY, soon)} 18:15-19:15 Muhurat\n"
        f"/calendar open {_next(_MONDAY, soon)} commodity the new list\n"
        "/calendar undo 3\n"
        "/calendar fetch"
    )


def clock_usage(now: datetime) -> str:
    """An example with the next Tuesday morning, when the market is open."""
    return f"For example: /clock {_next(_TUESDAY, to_india(now).date())}T10:30, or /clock real"


def _next(weekday: int, after: date) -> date:
    return after + timedelta(days=(weekday - after.weekday() - 1) % 7 + 1)


def read_day_change(words: list[str], today: date) -> DayChange:
    """DAY [MARKET] [HH:MM-HH:MM,…] [until HH:MM] REASON. Raises Refusal with the usage."""
    try:
        return _read_day_change(words, today)
    except Refusal as fault:
        raise Refusal(f"{fault} For example:\n{calendar_usage(today)}") from None


def _read_day_change(words: list[str], today: date) -> DayChange:
    rest = list(words)
    day = _day(rest.pop(0) if rest else "", today)
    market = Market(rest.pop(0).lower()) if rest and rest[0].lower() in set(Market) else Market.EQUITY
    sessions = _spans(rest.pop(0)) if rest and rest[0][:1].isdecimal() and "-" in rest[0] else ()
    until = None
    if rest and rest[0].lower() == "until":
        until = _time(rest[1] if len(rest) > 1 else "")
        rest = rest[2:]
    if not rest:
        raise Refusal("Say why, in a few words.")
    return DayChange(day=day, market=market, sessions=sessions, until=until, reason=" ".join(rest)[:120])


def _day(word: str, today: date) -> date:
    if not word:
        raise Refusal("Which day?")
    named = {"today": today, "tomorrow": today + timedelta(days=1)}
    try:
        day = named.get(word.lower()) or date.fromisoformat(word)
    except ValueError:
        raise Refusal(f"'{word}' is no day.") from None
    if not today <= day <= today + timedelta(days=MOST_DAYS_AHEAD):
        raise Refusal(f"{day} is past, or too far away.")
    return day


def _spans(word: str) -> tuple[Span, ...]:
    spans = tuple(Span(_time(opens), _time(closes)) for opens, _, closes in (w.partition("-") for w in word.split(",")))
    edges = [edge for span in spans for edge in (span.opens, span.closes)]
    if edges != sorted(set(edges)):
        raise Refusal("Sessions open before they close, one after the other.")
    return spans


def _time(word: str) -> time:
    try:
        return datetime.strptime(word, "%H:%M").replace(tzinfo=INDIA).time()
    except ValueError:
        raise Refusal(f"'{word}' is no time of day.") from None


def read_length(word: str) -> timedelta:
    """Such as 90s, 30m or 4h. Raises Refusal."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = word[:-1], word[-1:].lower()
    if unit not in units or not number.isdecimal() or not 0 < int(number) * units[unit] <= 86_400:
        raise Refusal(f"'{word}' is no length of time: write 90s, 30m or 4h, at most a day.")
    return timedelta(seconds=int(number) * units[unit])


def read_amount(word: str) -> Decimal:
    """A positive number; commas are allowed. Raises Refusal."""
    try:
        amount = Decimal(word.replace(",", "").removeprefix("₹"))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0 or amount > Decimal(10) ** 12:
        raise Refusal(f"'{word}' is no amount: write a number like 50000.")
    return amount


def read_quiet(word: str) -> tuple[time, time]:
    """Such as 22:00-07:00; past midnight is fine. Raises Refusal."""
    begins, _, ends = word.replace(".", ":").replace("–", "-").partition("-")
    try:
        span = time.fromisoformat(begins), time.fromisoformat(ends)
    except ValueError:
        raise Refusal(f"'{word}' is no span of time: write 22:00-07:00.") from None
    if span[0] == span[1] or any(edge.tzinfo or edge.second or edge.microsecond for edge in span):
        raise Refusal(f"'{word}' is no span of time: write 22:00-07:00.")
    return span


def read_days(words: list[str], today: date) -> tuple[date, date]:
    """One day, or the first and the last of some; no word means today. Raises Refusal."""
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        days = [named.get(word.lower()) or date.fromisoformat(word) for word in words] or [today]
    except ValueError:
        days = []
    if not 1 <= len(days) <= 2 or days[0] > days[-1] or (days[-1] - days[0]).days > MOST_DAYS_AHEAD:
        raise Refusal("Which days? For example:\n/export\n/export yesterday\n/export 2026-11-01 2026-11-30")
    return days[0], days[-1]


def read_percent(word: str) -> Decimal:
    """Such as 3% or 2.5. Raises Refusal."""
    match = _PERCENT.fullmatch(word)
    percent = Decimal(match[1]) if match else Decimal(0)
    if not 0 < percent <= 50:
        raise Refusal(f"'{word}' is no drift: write a number of per cent up to 50, such as 3%, or off.")
    return percent
