"""Where an alert came from, as its card and its story say."""

from bot import card_views, why_views
from core.settings import Mode
from tests.unit.bot.reports import order, report


def test_an_exit_comes_from_the_operator_and_names_no_command_that_a_finger_could_send() -> None:
    exiting = report(order(closes=True), order(closes=True, position=2))
    told = card_views.card(exiting, Mode.PAPER), why_views.why(exiting, [], [], None)
    assert "Source: the operator\n" in told[0]
    assert "alert 41 from the operator," in told[1]
    assert not any("tradingview" in text or "/flatten" in text for text in told)


def test_all_else_comes_from_its_source() -> None:
    assert "Source: swing\n" in card_views.card(report(order(), source="swing"), Mode.PAPER)
