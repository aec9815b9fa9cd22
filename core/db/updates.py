"""Updates from Telegram that were taken: each has at most one effect, however often it is delivered."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from core.db.tables import updates

KEPT = timedelta(days=8)
"""Telegram keeps an update for a day, and numbers them anew at random after a week of silence (Bot API, Update)."""


def take(
    connection: Connection,
    arrived: Iterable[tuple[int, int, str]],
    at: datetime,
    *,
    doubted: Collection[datetime] = (),
) -> set[int]:
    """Note updates (id, chat, what they ask for) before they have any effect; the ids that were not taken before.

    `doubted` are the times of takes whose commit failed or not, nobody knew: what they noted had no effect.
    """
    wanted = {number: (chat, words) for number, chat, words in arrived}
    query = select(updates.c.update_id, updates.c.taken_at).where(updates.c.update_id.in_(list(wanted)))
    seen = {row.update_id: row.taken_at for row in connection.execute(query)}
    fresh = set(wanted) - seen.keys()
    without_effect = {number for number, taken_at in seen.items() if taken_at in doubted}
    if fresh:
        rows = [
            {"update_id": number, "chat_id": wanted[number][0], "words": wanted[number][1], "taken_at": at}
            for number in sorted(fresh)
        ]
        connection.execute(insert(updates), rows)
        connection.execute(delete(updates).where(updates.c.taken_at < at - KEPT))
    return fresh | without_effect


def done(connection: Connection, number: int, at: datetime) -> None:
    connection.execute(update(updates).where(updates.c.update_id == number).values(done_at=at))


def cut_off(connection: Connection, at: datetime) -> dict[int, list[str]]:
    """What each chat had asked for when the desk stopped in the middle of it; told once."""
    open_ones = updates.c.done_at.is_(None)
    found: dict[int, list[str]] = {}
    for row in connection.execute(select(updates).where(open_ones).order_by(updates.c.taken_at)):
        found.setdefault(row.chat_id, []).append(row.words)
    connection.execute(update(updates).where(open_ones).values(done_at=at))
    return found
