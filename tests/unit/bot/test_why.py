"""/why and the trace tell each step as it happened, and put into Dhan's mouth only what Dhan said."""

from dataclasses import replace
from typing import Any

import pytest

from bot import why_views
from core.domain.attempt import AttemptState
from core.domain.order import OrderState
from core.journal import Event
from tests.builders import NOON
from tests.unit.bot.reports import ATTEMPT, order, report
from webhook.pages.trace import trace_page


def told(before: OrderState, after: OrderState) -> list[str]:
    event = Event(at=NOON, alert_id=41, order_id=7, actor="desk", kind="move", before=before, after=after)
    return why_views.why(report(order()), [event], [], None).splitlines()


def tried(state: AttemptState, **facts: Any) -> list[str]:
    return why_views.why(report(order()), [], [replace(ATTEMPT, state=state, **facts)], None).splitlines()


def test_the_first_question_is_not_called_another_one() -> None:
    assert "12:00:00 41.1: you were asked, by desk." in told(OrderState.QUEUED, OrderState.AWAITING_APPROVAL)


def test_an_order_that_came_back_from_dhan_is_not_said_to_be_let_go() -> None:
    assert "12:00:00 41.1: it went back to the queue, by desk." in told(OrderState.SUBMITTING, OrderState.QUEUED)


def test_an_approved_order_may_go() -> None:
    assert "12:00:00 41.1: it may go, by desk." in told(OrderState.AWAITING_APPROVAL, OrderState.QUEUED)


@pytest.mark.parametrize("state", [AttemptState.REFUSED, AttemptState.NOT_SENT])
def test_a_refused_try_has_dhans_own_words(state: AttemptState) -> None:
    lines = tried(state, refusal="rate_limited", code="DH-904", words="Too many requests")
    assert f"41.1 as MUA: {state}. Dhan said: DH-904 Too many requests" in lines


def test_a_try_without_an_answer_has_the_desks_words_alone() -> None:
    lines = tried(AttemptState.NOT_SENT, refusal=None, code="", words="the connection was refused")
    assert "41.1 as MUA: not_sent. the connection was refused" in lines


def test_a_doubtful_try_does_not_repeat_the_refusal_before_it() -> None:
    lines = tried(AttemptState.UNKNOWN, refusal="rate_limited", code="DH-904", words="Dhan answered 500")
    assert "41.1 as MUA: unknown. Dhan answered 500" in lines


def test_a_try_that_was_sent_again_under_its_name_says_how_often() -> None:
    assert "41.1 as MUA, sent 3 times: accepted." in tried(AttemptState.ACCEPTED, posts=3)
    assert "41.1 as MUA: accepted." in tried(AttemptState.ACCEPTED)
    page = trace_page(report(order()), [], [replace(ATTEMPT, state=AttemptState.ACCEPTED, posts=3)])
    assert "<code>MUA</code>, sent 3 times: accepted" in page
