"""/why tells each step as it happened."""

from bot import why_views
from core.domain.order import OrderState
from core.journal import Event
from tests.builders import NOON
from tests.unit.bot.reports import order, report


def told(before: OrderState, after: OrderState) -> list[str]:
    event = Event(at=NOON, alert_id=41, order_id=7, actor="desk", kind="move", before=before, after=after)
    return why_views.why(report(order()), [event], [], None).splitlines()


def test_the_first_question_is_not_called_another_one() -> None:
    assert "12:00:00 41.1: you were asked, by desk." in told(OrderState.QUEUED, OrderState.AWAITING_APPROVAL)


def test_an_order_that_came_back_from_dhan_is_not_said_to_be_let_go() -> None:
    assert "12:00:00 41.1: it went back to the queue, by desk." in told(OrderState.SUBMITTING, OrderState.QUEUED)


def test_an_approved_order_may_go() -> None:
    assert "12:00:00 41.1: it may go, by desk." in told(OrderState.AWAITING_APPROVAL, OrderState.QUEUED)
