"""Cancelling and changing from the chat what Dhan has."""

import pytest

from tests.world import World

FAR = {"orderType": "LMT", "price": "1000"}


@pytest.mark.fault("OP-11", "BR-26")
def test_a_resting_order_is_changed_after_a_second_tap_and_cancelled_after_another(world: World) -> None:
    alert = world.fire(world.leg(**FAR))["alert_id"]
    world.phone.card_shows(alert, "Placed at Dhan", "resting at ₹1,000.00")
    question = world.phone.ask(f"/modify {alert}.1 price=1010 quantity=2")
    assert "Then: quantity 2, limit ₹1,010.00" in question
    answer = world.phone.confirm("Yes, change it")
    assert answer == "Change asked for: quantity 2, limit ₹1,010.00. Its card says what becomes of it"
    world.phone.card_shows(alert, "Quantity: 2", "Price: ₹1,010.00", "Changed at Dhan")
    assert (world.ledger()[0]["quantity"], world.ledger()[0]["price"]) == (2, 1010.0)

    assert world.phone.tap(alert, "Cancel at Dhan").startswith("Not yet: “Yes, cancel it” asks Dhan")
    assert world.phone.tap(alert, "Yes, cancel it") == "Cancellation asked for: its card says what becomes of it"
    world.phone.card_shows(alert, "Cancelled at the exchange")
    assert world.ledger()[0]["orderStatus"] == "CANCELLED"
    world.until(lambda: world.phone.rings(alert), "the end rings")
    world.phone.ask(f"/cancel {alert}.1", "Nothing is open of it any more: cancelled")
    assert (len(world.ledger()), world.placements()) == (1, 1)
