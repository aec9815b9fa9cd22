"""Orders that are filled at once or not at all, from the alert to the exchange and back."""

from tests.world import World

SATURDAY = "2026-11-28T14:00"


def test_an_ioc_order_takes_what_is_there_and_says_that_the_rest_was_cancelled(world: World) -> None:
    answer = world.fire(world.leg("IRCON", quantity="3000", validity="IOC"))
    alert = answer["alert_id"]
    assert answer["placement_mode"] == "immediate"
    card = world.phone.card_shows(alert, "Filled 2000 of 3000 at ₹", "the rest was cancelled at once since it was IOC")
    assert "Validity: IOC" in card.text
    [order] = world.ledger()
    assert (order["validity"], order["orderStatus"], order["filledQty"]) == ("IOC", "EXPIRED", 2000)
    assert world.placements() == 1


def test_the_card_of_an_order_for_the_day_says_nothing_of_validity(world: World) -> None:
    alert = world.fire()["alert_id"]
    card = world.phone.card_shows(alert, "Filled 1 at ₹")
    assert "Validity" not in card.text
    assert [order["validity"] for order in world.ledger()] == ["DAY"]


def test_an_ioc_order_waits_for_a_tap_and_a_session_and_never_goes_after_market(world: World) -> None:
    world.jump(SATURDAY)
    answer = world.fire(world.leg(validity="IOC"))
    alert = answer["alert_id"]
    assert (answer["placement_mode"], answer["order_status"]) == ("queue", "awaiting_approval")
    card = world.phone.card_shows(alert, "only while the market is open", "At the exchange Mon 30 Nov 09:15")
    assert not any("after-market" in text or "Sooner" in text for text in [card.text, *card.buttons])
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "Queued")

    world.jump("2026-11-30T09:15:01")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert [(order["validity"], order["afterMarketOrder"]) for order in world.ledger()] == [("IOC", False)]


def test_what_if_knows_what_ioc_means(world: World) -> None:
    told = world.phone.ask(f"/whatif 2026-11-28T14:00 {world.alert(world.leg(validity='IOC'))}", "What if")
    way = "queue, leaves Mon 30 Nov 09:15 as a regular order, reaches the exchange Mon 30 Nov 09:15."
    assert f"BUY 1 RELIANCE on NSE, IOC: {way}" in told
    assert "An IOC order goes at once or not at all, and only while the market is open." in told
    assert "You would be asked first." in told
