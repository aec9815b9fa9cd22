"""How the console writes: money, times, and texts that Telegram takes. Every text from outside is escaped here."""

from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from unicodedata import category

from core.clock import to_india
from core.domain import money
from core.domain.sessions import spoken_day

MOST_TEXT = 4096
MOST_ANSWER = 200
"""To a tap; both as Telegram counts, in UTF-16 units (Bot API, sendMessage and answerCallbackQuery)."""
_MOST_WORDS = 600
_MOST_ADDED = 1000
_UNSEEN = {"Cc", "Cf", "Cs", "Co"}


def rupees(amount: Decimal | None) -> str:
    return "–" if amount is None else money.rupees(amount)


def quoted(price: Decimal | None) -> str:
    return "–" if price is None else money.quoted(price)


def day_time(instant: datetime | None) -> str:
    if instant is None:
        return "–"
    india = to_india(instant)
    return f"{india:%a} {india.day} {india:%b %H:%M}"


def clock_time(instant: datetime) -> str:
    return to_india(instant).strftime("%H:%M:%S")


def moment(instant: datetime, now: datetime) -> str:
    """To the second, with the day where that is not today's."""
    india = to_india(instant)
    day = "" if india.date() == to_india(now).date() else f"{spoken_day(india)} "
    return f"{day}{india:%H:%M:%S}"


def fit(text: str) -> str:
    """Cut at a line end so that Telegram takes it; only long stories are ever cut."""
    if _length(text) <= MOST_TEXT:
        return text
    kept = text[: MOST_TEXT - 40]
    while _length(kept) > MOST_TEXT - 40:
        kept = kept[: len(kept) - 20]
    kept = kept.rsplit("\n", 1)[0]
    return f"{kept}\n… the rest is on the trace page."


def cut(text: str, most: int = MOST_TEXT) -> str:
    """Words that are no markup yet, cut so that Telegram takes them."""
    if _length(text) <= most:
        return text
    return text.encode("utf-16-le", errors="surrogatepass")[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


def in_short(text: str, most: int) -> str:
    """On one line of at most so many letters, cut between words where there is a space to cut at; no markup yet."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    return f"{kept if text[len(kept)] == ' ' else kept.rsplit(' ', 1)[0]}…"


def below(html: str, words: str) -> str:
    """A message with words added to it; without what it said where both are too much for one."""
    words = escape(cut(words, _MOST_ADDED))
    return f"{html}\n\n{words}" if _length(html) + _length(words) + 2 <= MOST_TEXT else words


def _length(text: str) -> int:
    """As Telegram counts: UTF-16 units."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def span(length: timedelta) -> str:
    """Such as "2 d 3 h", "3 h 20 min" or "45 min"."""
    minutes = int(length.total_seconds() // 60)
    if minutes >= 24 * 60:
        return f"{minutes // 1440} d {minutes % 1440 // 60} h"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{max(minutes, 1)} min"


def plain(name: str) -> str:
    """A name in plain ASCII: what only looks like the right letter shows as its number."""
    return escape(name.encode("ascii", "backslashreplace").decode())


def one_line(text: str) -> str:
    """On one line, and without marks that turn the writing round or show nothing: either could hide a fact of the
    card. `fit` cuts at line ends, between tags."""
    text = "".join(letter for letter in " ".join(text.split()) if category(letter) not in _UNSEEN)
    return escape(text if len(text) <= _MOST_WORDS else text[:_MOST_WORDS] + "…")
