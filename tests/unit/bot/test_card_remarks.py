"""What a card says of the alert as a whole, and until when."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot import card_views
from core.domain.alert import Exchange, InstrumentKind
from core.domain.instrument import Instrument, Segment
from core.domain.order import OrderState
from core.settings import Mode
from core.tickets import outside_band
from tests.unit.bot.reports import order, report

LASTING = "2 lots × 65 = 130 units of M&M."
TODAY = date(2026, 11, 25)
SHARE = Instrument(
    security_id="2031",
    segment=Segment.NSE_EQ,
    exchange=Exchange.NSE,
    kind=InstrumentKind.EQUITY,
    symbol="M&M",
    name="Mahindra & Mahindra",
    lot=1,
    tick=Decimal("0.1"),
    band=(Decimal(1200), Decimal(1400)),
    listed_on=TODAY,
)


@pytest.mark.parametrize(
    "share", [replace(SHARE, has_derivatives=True), replace(SHARE, listed_on=date(2026, 11, 24))], ids=["moved", "old"]
)
@pytest.mark.parametrize("prices", [{"trigger": None}, {"trigger": Decimal(1410)}], ids=["limit", "both"])
@pytest.mark.parametrize("state", OrderState)
def test_a_price_outside_the_days_range_is_told_until_its_order_is_final(
    state: OrderState, prices: dict[str, Any], share: Instrument
) -> None:
    foretold = outside_band(share, TODAY, limit=Decimal("1412.50"), **prices)
    card = card_views.card(report(order(state), reason=" ".join([*foretold, LASTING])), Mode.PAPER)
    assert ("lies outside the" in card) is not state.is_final
    assert ("<i>2 lots × 65 = 130 units of M&amp;M.</i>" in card) is state.is_final, "alone, and whole"
    assert card.endswith("130 units of M&amp;M.</i>")


def test_it_is_told_while_one_leg_may_still_be_refused_for_it() -> None:
    foretold = outside_band(replace(SHARE, has_derivatives=True), TODAY, limit=Decimal(1450), trigger=None)
    legs = [order(OrderState.FILLED), order(OrderState.WORKING, position=2)]
    assert "lies outside the" in card_views.card(report(*legs, reason=foretold[0]), Mode.PAPER)


def test_nothing_is_left_of_a_remark_that_was_all_there_was_to_say() -> None:
    foretold = outside_band(replace(SHARE, has_derivatives=True), TODAY, limit=Decimal(1450), trigger=None)
    card = card_views.card(report(order(OrderState.FILLED), reason=foretold[0]), Mode.PAPER)
    assert "<i>" not in card
