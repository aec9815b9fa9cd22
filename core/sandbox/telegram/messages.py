"""Every message of every chat, as both sides see it."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from core.sandbox.telegram.feed import Feed
from core.sandbox.telegram.store import keep_shown

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Posted:
    """`body` is the Bot API's Message, `html` its source; `edits` counts changes of text, not of buttons alone."""

    chat_id: int
    message_id: int
    body: Body
    html: str
    silent: bool
    edits: int
    deleted: bool
    delivered: bool

    @property
    def buttons(self) -> list[dict[str, Any]]:
        rows: list[list[dict[str, Any]]] = self.body.get("reply_markup", {}).get("inline_keyboard", [])
        return [button for row in rows for button in row]

    def for_page(self) -> Body:
        return self.body | {"edits": self.edits, "delivered": self.delivered, "silent": self.silent}


class Messages:
    def __init__(self, store: sqlite3.Connection, feed: Feed) -> None:
        self._store = store
        self._feed = feed

    def add(self, chat_id: int, body: Body, *, html: str = "", silent: bool = False) -> Body:
        """Store it under the chat's next message id, and answer the complete Message."""
        body = {"message_id": self._next_id(chat_id)} | body
        self._store.execute(
            "INSERT INTO messages (chat_id, message_id, body, html, silent) VALUES (?, ?, ?, ?, ?)",
            (chat_id, body["message_id"], json.dumps(body), html, silent),
        )
        self._publish(chat_id, body["message_id"], "message")
        return body

    def rewrite(self, posted: Posted, body: Body, *, html: str, text_changed: bool) -> Body:
        if text_changed:
            keep_shown(self._store, posted.html)
        self._store.execute(
            "UPDATE messages SET body = ?, html = ?, edits = edits + ? WHERE chat_id = ? AND message_id = ?",
            (json.dumps(body), html, int(text_changed), posted.chat_id, posted.message_id),
        )
        self._publish(posted.chat_id, posted.message_id, "edit")
        return body

    def delete(self, posted: Posted) -> None:
        where = (posted.chat_id, posted.message_id)
        self._store.execute("UPDATE messages SET deleted = 1 WHERE chat_id = ? AND message_id = ?", where)
        self._feed.publish(posted.chat_id, "delete", {"message_id": posted.message_id})

    def mark_delivered(self, chat_id: int, message_id: int) -> None:
        changed = self._store.execute(
            "UPDATE messages SET delivered = 1 WHERE chat_id = ? AND message_id = ? AND delivered = 0",
            (chat_id, message_id),
        ).rowcount
        if changed:
            self._feed.publish(chat_id, "delivered", {"message_id": message_id})

    def find(self, chat_id: int, message_id: int | None) -> Posted | None:
        """None when it never existed or was deleted."""
        row = self._store.execute(
            "SELECT * FROM messages WHERE chat_id = ? AND message_id = ? AND NOT deleted", (chat_id, message_id)
        ).fetchone()
        return None if row is None else _posted(row)

    def everything(self) -> list[Posted]:
        """All chats, deleted messages too, oldest first."""
        return [_posted(row) for row in self._store.execute("SELECT * FROM messages ORDER BY rowid")]

    def in_chat(self, chat_id: int, *, latest: int = 300) -> list[Posted]:
        rows = self._store.execute(
            "SELECT * FROM messages WHERE chat_id = ? AND NOT deleted ORDER BY message_id DESC LIMIT ?",
            (chat_id, latest),
        )
        return [_posted(row) for row in rows][::-1]

    def _next_id(self, chat_id: int) -> int:
        newest = "SELECT coalesce(max(message_id), 0) + 1 FROM messages WHERE chat_id = ?"
        return self._store.execute(newest, (chat_id,)).fetchone()[0]

    def _publish(self, chat_id: int, message_id: int, kind: str) -> None:
        posted = self.find(chat_id, message_id)
        if posted is not None:
            self._feed.publish(chat_id, kind, posted.for_page())


def _posted(row: sqlite3.Row) -> Posted:
    return Posted(
        chat_id=row["chat_id"],
        message_id=row["message_id"],
        body=json.loads(row["body"]),
        html=row["html"],
        silent=bool(row["silent"]),
        edits=row["edits"],
        deleted=bool(row["deleted"]),
        delivered=bool(row["delivered"]),
    )
