"""When an order goes, when the exchange sees it, and until when a tap counts, as the card says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import card_views
from core.domain.order import OrderState
from core.settings import Mode
from tests.builders import NOON
from tests.unit.bot.reports import order, report

PAPER = Mode.PAPER


def test_an_order_that_waits_says_when_it_goes_and_when_the_exchange_sees_it() -> None:
    lines = card_views.card(report(order()), PAPER).splitlines()
    assert "Goes out Wed 25 Nov 17:00" in lines
    assert "At the exchange Thu 26 Nov 09:45, as an after-market order" in lines


@pytest.mark.parametrize(("changes", "way"), [({}, ""), ({"into_auction": True}, ", in the closing auction")])
def test_a_card_names_the_way_to_the_exchange(changes: dict[str, Any], way: str) -> None:
    lines = card_views.card(report(order(as_amo=False, **changes)), PAPER).splitlines()
    assert f"At the exchange Thu 26 Nov 09:45{way}" in lines


@pytest.mark.parametrize(
    ("answer_within", "now", "goes"),
    [
        (20, 0, "Goes out Wed 25 Nov 17:00, or when you tap later"),
        (5, 0, "Goes out Wed 25 Nov 17:00"),
        (20, 5, "Goes out when you tap"),
    ],
)
def test_a_question_says_when_a_yes_sends_the_order(answer_within: int, now: int, goes: str) -> None:
    asked = order(OrderState.AWAITING_APPROVAL, expires_at=NOON + timedelta(hours=answer_within))
    shown = replace(report(asked), at=NOON + timedelta(hours=now))
    assert goes in card_views.card(shown, PAPER).splitlines()


def test_a_question_says_until_when_a_tap_counts_how_long_that_is_and_how_old_the_alert() -> None:
    asked = order(OrderState.AWAITING_APPROVAL)
    text = card_views.card(report(asked, fired_at=NOON - timedelta(minutes=5)), PAPER)
    assert "Answer by Thu 26 Nov 08:00, 20 h 00 min left" in text
    assert "Age: 5 min" in text
    later = replace(report(asked), at=NOON + timedelta(hours=19, minutes=15))
    assert "Answer by Thu 26 Nov 08:00, 45 min left" in card_views.card(later, PAPER)


def test_an_alert_from_before_the_clock_was_set_back_has_no_age() -> None:
    asked = order(OrderState.AWAITING_APPROVAL)
    ahead = card_views.card(report(asked, fired_at=NOON + timedelta(hours=5)), PAPER)
    assert "Age: none, its time lies ahead" in ahead
    near = card_views.card(report(asked, fired_at=NOON + timedelta(seconds=59)), PAPER)
    assert "Age: under a minute" in near
