"""What each operator wants to hear, kept in a settings row per chat; what is not set there rings."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from sqlalchemy import Connection, select

from core import controls, journal
from core.db.statement import Statement
from core.db.tables import settings
from core.domain.notice import Loudness, Loudnesses, Topic

_KEY = "loudness."
_ALL = Statement(select(settings.c.key, settings.c.value).where(settings.c.key.startswith(_KEY)))


def read_all(connection: Connection) -> dict[int, Loudnesses]:
    """By chat; chats that never said anything are not there."""
    return {int(key.removeprefix(_KEY)): _of(value) for key, value in _ALL.rows(connection)}


def read(connection: Connection, chat: int) -> Loudnesses:
    return _of(controls.fetch(connection, f"{_KEY}{chat}") or {})


def save(connection: Connection, chat: int, wished: Loudnesses, *, at: datetime, actor: str, words: str) -> None:
    """Store it all; `words` say what changed, for the journal."""
    quiet = None if wished.quiet is None else [edge.isoformat("minutes") for edge in wished.quiet]
    stored = {"topics": dict(wished.topics), "quiet": quiet}
    controls.put(connection, f"{_KEY}{chat}", stored, at=at, actor=actor)
    journal.append(connection, journal.Event(at=at, actor=actor, kind="notices changed", reason=words))


def _of(stored: Mapping[str, Any]) -> Loudnesses:
    quiet = stored.get("quiet")
    return Loudnesses(
        topics={Topic(name): Loudness(wish) for name, wish in stored.get("topics", {}).items()},
        quiet=(time.fromisoformat(quiet[0]), time.fromisoformat(quiet[1])) if quiet else None,
    )
