"""Second steps: a yes counts once, soon, and from the one who was asked."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from core import questions
from core.domain.question import Question
from core.errors import Refusal
from tests.builders import NOON


def asked(connection: Connection) -> str:
    return questions.ask(connection, Question.MODIFY, {"order_id": 7}, user_id=42, at=NOON)


def test_a_yes_gives_back_what_was_asked(connection: Connection) -> None:
    kind, payload = questions.answer(connection, asked(connection), user_id=42, at=NOON)
    assert (kind, payload) == (Question.MODIFY, {"order_id": 7})


def test_a_yes_counts_once(connection: Connection) -> None:
    nonce = asked(connection)
    questions.answer(connection, nonce, user_id=42, at=NOON)
    with pytest.raises(Refusal, match="answered already"):
        questions.answer(connection, nonce, user_id=42, at=NOON)


@pytest.mark.parametrize("user", [41, 43])
def test_nobody_answers_for_another(connection: Connection, user: int) -> None:
    with pytest.raises(Refusal, match="not yours"):
        questions.answer(connection, asked(connection), user_id=user, at=NOON)


@pytest.mark.parametrize("later", [timedelta(minutes=2, seconds=1), timedelta(seconds=-1)])
def test_a_yes_that_comes_late_or_out_of_time_does_nothing(connection: Connection, later: timedelta) -> None:
    with pytest.raises(Refusal, match="too long ago"):
        questions.answer(connection, asked(connection), user_id=42, at=NOON + later)


def test_a_guessed_name_is_no_question(connection: Connection) -> None:
    with pytest.raises(Refusal):
        questions.answer(connection, "guessed", user_id=42, at=NOON)
