"""The queue of updates and long polling, with Telegram's rules (Bot API, Getting updates)."""

import asyncio
import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from core.clock import Clock, monotonic
from core.sandbox.telegram.errors import BotApiError
from core.sandbox.telegram.messages import Messages
from core.sandbox.telegram.store import recall, remember

_KEPT = timedelta(hours=24)
_TAPS_KEPT = timedelta(seconds=150)  # seen in Telegram's own Bot API server; no page documents it
_GRACE = 3.0
_NEVER_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}


class Updates:
    def __init__(self, store: sqlite3.Connection, clock: Clock, messages: Messages) -> None:
        self._store = store
        self._clock = clock
        self._messages = messages
        self._news = asyncio.Event()
        self._poller: object | None = None
        self._polled_at = -_GRACE
        self._interruptions = 0
        self._handed_out: list[sqlite3.Row] = []

    @property
    def bot_is_listening(self) -> bool:
        return self._poller is not None or monotonic() - self._polled_at < _GRACE

    def push(self, kind: str, body: dict[str, Any]) -> int | None:
        """Queue an update; None when the bot asked not to get this kind."""
        if not self._is_allowed(kind):
            return None
        row = (kind, json.dumps(body), self._clock.now().isoformat())
        done = self._store.execute("INSERT INTO updates (kind, body, queued_at) VALUES (?, ?, ?)", row)
        self._news.set()
        return done.lastrowid

    def repeat(self) -> int | None:
        """Hand out the latest updates once more, confirmed or not; the last one's id. None while no poll waits for
        them: the next one would confirm them away."""
        if self._poller is None or not self._handed_out:
            return None
        again = "INSERT OR IGNORE INTO updates (update_id, kind, body, queued_at) VALUES (?, ?, ?, ?)"
        names = ("update_id", "kind", "body", "queued_at")
        self._store.executemany(again, [[row[name] for name in names] for row in self._handed_out])
        self._news.set()
        return self._handed_out[-1]["update_id"]

    def interrupt(self) -> None:
        """Let a waiting poll return empty-handed."""
        self._interruptions += 1
        self._news.set()

    def forget_all(self) -> None:
        self._store.execute("DELETE FROM updates")

    def count(self) -> int:
        return self._store.execute("SELECT count(*) FROM updates").fetchone()[0]

    async def poll(self, *, offset: int, limit: int, seconds: float, allowed: list[str] | None) -> list[dict[str, Any]]:
        """Confirm what lies below `offset`, then wait for updates. Raises BotApiError 409 when another poll starts."""
        mine = self._poller = object()
        self._news.set()  # an older poll wakes and finds itself replaced
        interruptions = self._interruptions
        self._confirm(offset)
        if allowed is not None:
            remember(self._store, "allowed_updates", json.dumps(allowed))
        end = monotonic() + seconds
        try:
            while not (batch := self._take(limit)) and interruptions == self._interruptions:
                if not await self._news_before(end):
                    break
                if self._poller is not mine:
                    raise _conflict()
            return batch
        finally:
            self._polled_at = monotonic()
            if self._poller is mine:
                self._poller = None

    async def _news_before(self, end: float) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(max(end - monotonic(), 0)):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _confirm(self, offset: int) -> None:
        """A negative offset keeps that many from the end (Bot API, getUpdates)."""
        if offset < 0:
            last = "SELECT update_id FROM updates ORDER BY update_id DESC LIMIT ?"
            self._store.execute(f"DELETE FROM updates WHERE update_id NOT IN ({last})", (-offset,))  # noqa: S608
        else:
            self._store.execute("DELETE FROM updates WHERE update_id < ?", (offset,))

    def _take(self, limit: int) -> list[dict[str, Any]]:
        self._drop_stale(self._clock.now())
        rows = self._store.execute("SELECT * FROM updates ORDER BY update_id LIMIT ?", (limit,)).fetchall()
        self._handed_out = rows or self._handed_out
        batch = [{"update_id": row["update_id"], row["kind"]: json.loads(row["body"])} for row in rows]
        for update in batch:
            if message := update.get("message"):
                self._messages.mark_delivered(message["chat"]["id"], message["message_id"])
        return batch

    def _drop_stale(self, now: datetime) -> None:
        self._store.execute(
            "DELETE FROM updates WHERE queued_at < ? OR (kind = 'callback_query' AND queued_at < ?)",
            ((now - _KEPT).isoformat(), (now - _TAPS_KEPT).isoformat()),
        )

    def _is_allowed(self, kind: str) -> bool:
        allowed: list[str] = json.loads(recall(self._store, "allowed_updates") or "[]")
        return kind in allowed if allowed else kind not in _NEVER_BY_DEFAULT


def _conflict() -> BotApiError:
    cause = "terminated by other getUpdates request; make sure that only one bot instance is running"
    return BotApiError(409, f"Conflict: {cause}")
