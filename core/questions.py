"""Second steps: a command stores what it would do, and the tap below it does exactly that, once and soon.

The button carries only the question's secret name; the facts stay here.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from core.db.tables import questions
from core.domain.question import Question
from core.errors import Refusal

ANSWER_WITHIN = timedelta(minutes=2)


def ask(
    connection: Connection, kind: Question, payload: Mapping[str, Any], *, user_id: int, at: datetime, name: str = ""
) -> str:
    """Store what would be done; returns the name that the button carries. A question that a message answers, not a
    button, is named after the message it was asked in."""
    nonce = name or secrets.token_urlsafe(16)
    values = {"nonce": nonce, "kind": kind, "payload": payload, "user_id": user_id, "asked_at": at}
    connection.execute(insert(questions).values(values))
    return nonce


def kind_of(connection: Connection, nonce: str) -> Question | None:
    """None when no question has that name."""
    return connection.execute(select(questions.c.kind).where(questions.c.nonce == nonce)).scalar()


def answer(connection: Connection, nonce: str, *, user_id: int, at: datetime) -> tuple[Question, Mapping[str, Any]]:
    """Take the yes, once. Raises Refusal when the question is not this person's, too old, or answered."""
    row = connection.execute(select(questions).where(questions.c.nonce == nonce)).mappings().first()
    if row is None or row["user_id"] != user_id:
        raise Refusal("This question is not yours to answer.")
    if row["answered_at"] is not None:
        raise Refusal("This was answered already.")
    if not timedelta(0) <= at - row["asked_at"] <= ANSWER_WITHIN:
        raise Refusal("That was too long ago: ask again, since things may have changed.")
    taken = update(questions).where(questions.c.id == row["id"], questions.c.answered_at.is_(None))
    if connection.execute(taken.values(answered_at=at)).rowcount == 0:
        raise Refusal("This was answered already.")
    return row["kind"], row["payload"]


def reopen(connection: Connection, nonce: str, *, at: datetime) -> None:
    """The answer was a mistake and did nothing: another one is taken, as long as if it were asked now."""
    open_again = update(questions).where(questions.c.nonce == nonce).values(answered_at=None, asked_at=at)
    connection.execute(open_again)
