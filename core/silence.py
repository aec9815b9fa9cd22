"""What a source does not say: a silence is told once, and again only after it has spoken.

An alert by a key that was retired belongs here, too: its sender believes that the desk hears it.
"""

from datetime import datetime

from sqlalchemy import Connection

from core import journal, notifications
from core.db import sources
from core.db.sources import Key, Watched
from core.domain.notice import Notice
from core.domain.sessions import Calendar, spoken
from core.domain.silence import is_silent


def anything_to_tell(connection: Connection, calendar: Calendar, now: datetime) -> bool:
    if sources.used_late(connection):
        return True
    return any(
        sources.heard_since(connection, each) is not None or _is_news(each, calendar, now)
        for each in sources.watched(connection)
    )


def tell(connection: Connection, calendar: Calendar, now: datetime) -> None:
    """Note who has spoken, and ring about who has not."""
    for each in sources.watched(connection):
        newest = sources.heard_since(connection, each)
        if newest is not None:
            alert_id, at = newest
            sources.hear(connection, each.source.id, at, alert_id=alert_id)
        elif _is_news(each, calendar, now):
            _tell_silence(connection, each, now)
    for key in sources.used_late(connection):
        _tell_late_use(connection, key, now)


def _is_news(each: Watched, calendar: Calendar, now: datetime) -> bool:
    return each.told_at is None and is_silent(each.watch, calendar, each.last_word, now)


def _tell_silence(connection: Connection, each: Watched, now: datetime) -> None:
    words = (
        f"{each.source.name} has said nothing for {each.watch.words}, since {spoken(each.last_word)}. "
        "See whether its alert in TradingView is still active: one that fires too often is stopped there."
    )
    sources.silence_told(connection, each.source.id, now)
    _ring(connection, Notice.SILENT, words, now)


def _tell_late_use(connection: Connection, key: Key, now: datetime) -> None:
    source = sources.get(connection, key.source_id)
    name = source.name if source else "a source"
    words = (
        f"An alert came to {name} by a key that was retired or removed, and was not taken. "
        "Put the new address into that alert in TradingView; this is told once."
    )
    sources.late_use_told(connection, key, now)
    _ring(connection, Notice.OLD_KEY, words, now)


def _ring(connection: Connection, kind: Notice, words: str, now: datetime) -> None:
    journal.append(connection, journal.Event(at=now, actor=journal.DESK, kind=kind.value, reason=words))
    notifications.ring(connection, kind, at=now, words=words)
