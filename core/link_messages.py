"""The chat's messages that carry sign-in links: once a link is over, its message loses the button and says so."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select

from core.db import logins
from core.db.tables import outbox
from core.domain.notice import Notice

_IN_SIGHT = timedelta(days=3)
"""Who scrolls further back than over a weekend is told by the link itself."""
_ASKED_FOR = "A sign-in link, asked for with /login."
_OVER = "The link that stood here is over."


def note(connection: Connection, *, chat_id: int, message_id: int, login_id: int, at: datetime) -> None:
    """A link was sent as an answer: written down as the messages are that carry the desk's own."""
    row = {"chat_id": chat_id, "kind": Notice.SIGN_IN, "payload": {"words": _ASKED_FOR, "login": login_id}}
    connection.execute(insert(outbox), row | {"message_id": message_id, "created_at": at, "sent_at": at, "failures": 0})


def put_away(connection: Connection, at: datetime) -> None:
    """Have the messages edited whose links are over; each once."""
    of_links = outbox.c.kind.in_((Notice.SIGN_IN, Notice.SIGNED_IN)) & (outbox.c.created_at > at - _IN_SIGHT)
    rows = connection.execute(select(outbox.c.chat_id, outbox.c.message_id, outbox.c.payload).where(of_links)).all()
    edited = {(row.chat_id, row.payload.get("edits")) for row in rows}
    for row in rows:
        if row.message_id is None or (row.chat_id, row.message_id) in edited:
            continue
        login = logins.get(connection, row.payload.get("login") or 0)
        if login is not None and login.state.is_final:
            edit = {"chat_id": row.chat_id, "kind": Notice.SIGNED_IN, "created_at": at, "due_at": at, "failures": 0}
            words = {"words": _OVER, "edits": row.message_id}
            connection.execute(insert(outbox), edit | {"payload": words})
