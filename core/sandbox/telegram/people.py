"""The human side of the chat: what people write, tap and block, turned into the bot's updates."""

import re
import sqlite3
from datetime import timedelta
from secrets import randbelow
from typing import Any

from core.clock import Clock
from core.sandbox.telegram.entities import Formatted, detect, utf16_length
from core.sandbox.telegram.errors import bad_request
from core.sandbox.telegram.files import StoredFile
from core.sandbox.telegram.messages import Messages
from core.sandbox.telegram.store import keep_shown
from core.sandbox.telegram.updates import Updates
from core.settings import PaperAccount

BOT: dict[str, Any] = {
    "id": int(PaperAccount.BOT_TOKEN.partition(":")[0]),
    "is_bot": True,
    "first_name": "Munshi",
    "username": "munshi_paper_bot",
}
_ANSWERABLE = timedelta(seconds=30)  # no official figure; reports range from seconds to some 20 s
_PRIVATE, _CHANNEL = "private", "channel"


class People:
    """`clock` dates messages, so that a desk on paper time finds them fresh; `machine` times the taps."""

    def __init__(
        self, store: sqlite3.Connection, clock: Clock, machine: Clock, messages: Messages, updates: Updates
    ) -> None:
        self._store = store
        self._clock = clock
        self._machine = machine
        self._messages = messages
        self._updates = updates
        self._replies: dict[int, int] = {}
        self._answers: dict[str, str] = {}
        self._meet(PaperAccount.OPERATOR_ID, _PRIVATE)

    def write(
        self, text: str, *, user_id: int, chat_id: int, forwarded: bool = False, reply_to: int | None = None
    ) -> dict[str, Any]:
        """A person writes to the bot, which may answer from now on; to the message whose reply stands open, if any."""
        self._meet(chat_id, _PRIVATE if chat_id > 0 else "group")
        opened = self._replies.pop(chat_id, None)
        reply_to = reply_to or (None if text.startswith("/") else opened)
        body = self._dated(chat_id) | {"from": _person(user_id)} | _text(text)
        if forwarded:
            origin = {"type": "user", "date": body["date"], "sender_user": _person(user_id + 1)}
            body["forward_origin"] = origin
        if replied := self._messages.find(chat_id, reply_to):
            body["reply_to_message"] = {k: v for k, v in replied.body.items() if k != "reply_to_message"}
        message = self._messages.add(chat_id, body)
        self._updates.push("message", message)
        return message

    def send_file(self, file: StoredFile, *, user_id: int, chat_id: int, caption: str = "") -> dict[str, Any]:
        self._meet(chat_id, _PRIVATE)
        document = file.as_json() | {"file_name": file.name, "mime_type": file.mime_type}
        body = self._dated(chat_id) | {"from": _person(user_id), "document": document}
        message = self._messages.add(chat_id, body | ({"caption": caption} if caption else {}))
        self._updates.push("message", message)
        return message

    def open_reply(self, chat_id: int, message_id: int) -> None:
        """The bot wants a reply to this message: the person's next words are one (Bot API, ForceReply)."""
        self._replies[chat_id] = message_id

    def answered(self, query_id: str, text: str) -> None:
        self._answers[query_id] = text
        keep_shown(self._store, text)

    @property
    def answers(self) -> dict[str, str]:
        """What the bot answered to each tap of this sandbox's life."""
        return self._answers

    def post_in_channel(self, text: str, *, chat_id: int) -> dict[str, Any]:
        self._meet(chat_id, _CHANNEL)
        body = self._dated(chat_id)
        message = self._messages.add(chat_id, body | {"sender_chat": body["chat"]} | _text(text))
        self._updates.push("channel_post", message)
        return message

    def rewrite(self, message_id: int, text: str, *, chat_id: int) -> dict[str, Any]:
        """A person edits a message of theirs. Raises BotApiError when it is not there."""
        posted = self._messages.find(chat_id, message_id)
        if posted is None or posted.body.get("from") == BOT:
            raise bad_request("message to edit not found")
        body = posted.body | _text(text) | {"edit_date": self._seconds()}
        self._messages.rewrite(posted, body, html="", text_changed=True)
        self._updates.push("edited_message", body)
        return body

    def tap(self, message_id: int, data: str, *, user_id: int, chat_id: int) -> str:
        """Press a button and answer the query's id. As at Telegram, the data need not be on any button."""
        posted = self._messages.find(chat_id, message_id)
        message = posted.body if posted else self._dated(chat_id) | {"message_id": message_id, "date": 0}
        query_id = str(10**17 + randbelow(10**17))
        row = (query_id, chat_id, self._machine.now().isoformat())
        self._store.execute("INSERT INTO queries (query_id, chat_id, tapped_at) VALUES (?, ?, ?)", row)
        query = {"id": query_id, "from": _person(user_id), "message": message, "data": data}
        self._updates.push("callback_query", query | {"chat_instance": str(chat_id)})
        return query_id

    def chat_of_query(self, query_id: str | None) -> int | None:
        """The chat of a tap that may still be answered."""
        oldest = (self._machine.now() - _ANSWERABLE).isoformat()
        question = "SELECT chat_id FROM queries WHERE query_id = ? AND tapped_at >= ?"
        row = self._store.execute(question, (query_id, oldest)).fetchone()
        return None if row is None else row["chat_id"]

    def block(self, *, user_id: int, blocked: bool) -> None:
        self._meet(user_id, _PRIVATE)
        self._store.execute("UPDATE chats SET blocked = ? WHERE chat_id = ?", (blocked, user_id))
        before, after = ("member", "kicked") if blocked else ("kicked", "member")
        change = {"from": _person(user_id)} | self._dated(user_id)
        self._updates.push(
            "my_chat_member", change | {"old_chat_member": _member(before), "new_chat_member": _member(after)}
        )

    def chat(self, chat_id: int | None) -> sqlite3.Row | None:
        return self._store.execute("SELECT * FROM chats WHERE chat_id = ?", (chat_id,)).fetchone()

    def describe(self, chat_id: int) -> dict[str, Any]:
        row = self.chat(chat_id)
        kind, name = (row["type"], row["name"]) if row else (_PRIVATE, str(chat_id))
        return {"id": chat_id, "type": kind, "first_name" if kind == _PRIVATE else "title": name}

    def _meet(self, chat_id: int, kind: str) -> None:
        name = _person(chat_id)["first_name"] if kind == _PRIVATE else f"{kind.title()} {-chat_id}"
        row = (chat_id, kind, name)
        self._store.execute("INSERT OR IGNORE INTO chats (chat_id, type, name) VALUES (?, ?, ?)", row)

    def _dated(self, chat_id: int) -> dict[str, Any]:
        return {"date": self._seconds(), "chat": self.describe(chat_id)}

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())


def _person(user_id: int) -> dict[str, Any]:
    name = "Operator" if user_id == PaperAccount.OPERATOR_ID else f"Person {user_id}"
    return {"id": user_id, "is_bot": False, "first_name": name, "language_code": "en"}


def _member(status: str) -> dict[str, Any]:
    return {"user": BOT, "status": status} | ({"until_date": 0} if status == "kicked" else {})


def _text(text: str) -> dict[str, Any]:
    """Telegram marks a leading /command, by which the bot recognises it."""
    formatted = detect(Formatted(text=text, entities=[]))
    if len(text) > 4096 or not re.search(r"\S", text) or utf16_length(text) > 4096:
        raise bad_request("message text is empty" if not text.strip() else "message is too long")
    return {"text": formatted.text} | ({"entities": formatted.entities} if formatted.entities else {})
