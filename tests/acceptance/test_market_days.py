"""The worked cases: what an alert becomes on a trading day, in the evening and on a weekend."""

from tests.world import World


def test_on_a_tuesday_morning_the_order_is_placed_at_once_and_the_card_tells_of_the_fill(world: World) -> None:
    answer = world.fire()
    assert (answer["placement_mode"], answer["order_status"], answer["duplicate"]) == ("immediate", "placed", False)
    world.phone.card_shows(answer["alert_id"], "Symbol: RELIANCE", "Filled 1 at ₹")
    (order,) = world.ledger()
    assert (order["orderStatus"], order["afterMarketOrder"], order["productType"]) == ("TRADED", False, "CNC")


def test_a_saturday_alert_is_approved_then_goes_out_on_monday_evening_and_fills_on_tuesday(world: World) -> None:
    world.jump("2026-11-28T14:00")
    answer = world.fire()
    alert = answer["alert_id"]
    assert (answer["placement_mode"], answer["order_status"]) == ("queue", "awaiting_approval")
    asked = world.phone.card_shows(
        alert, "Waiting for your tap", "Goes out Mon 30 Nov 17:00", "At the exchange Tue 1 Dec"
    )
    assert list(asked.buttons) == ["Approve", "Cancel", "Sooner: Mon 30 Nov 09:15", "Snooze", "Edit", "Details"]

    assert world.phone.tap(alert, "Approve") == "Approved"
    world.phone.card_shows(alert, "Queued", "Goes out Mon 30 Nov 17:00", "At the exchange Tue 1 Dec 09:45")
    assert world.ledger() == []

    world.jump("2026-11-30T17:00:01")
    world.phone.card_shows(alert, "Placed at Dhan", "At the exchange Tue 1 Dec 09:45")
    assert_one_after_market_order_waits(world)

    world.jump("2026-12-01T09:45:01")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert_filled_half_an_hour_after_the_open(world, "2026-12-01")


def test_after_the_session_the_order_waits_for_five_o_clock_and_fills_the_next_morning(world: World) -> None:
    world.jump("2026-12-01T16:00")
    answer = world.fire()
    alert = answer["alert_id"]
    assert (answer["placement_mode"], answer["order_status"]) == ("queue", "awaiting_approval")
    world.phone.card_shows(alert, "Waiting for your tap", "Goes out Tue 1 Dec 17:00", "At the exchange Wed 2 Dec 09:45")
    world.phone.tap(alert, "Approve")

    world.jump("2026-12-01T17:00:01")
    world.phone.card_shows(alert, "Placed at Dhan", "At the exchange Wed 2 Dec 09:45")
    assert_one_after_market_order_waits(world)

    world.jump("2026-12-02T09:45:01")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert_filled_half_an_hour_after_the_open(world, "2026-12-02")


def test_in_the_evening_the_order_goes_out_at_once_as_after_market_and_fills_the_next_morning(world: World) -> None:
    world.jump("2026-12-01T19:00")
    answer = world.fire()
    assert (answer["placement_mode"], answer["order_status"]) == ("amo", "placed")
    world.phone.card_shows(answer["alert_id"], "Placed at Dhan", "At the exchange Wed 2 Dec 09:45")
    assert_one_after_market_order_waits(world)

    world.jump("2026-12-02T09:45:01")
    world.phone.card_shows(answer["alert_id"], "Filled 1 at ₹")
    assert_filled_half_an_hour_after_the_open(world, "2026-12-02")


def test_an_order_that_nobody_approved_expires_with_its_window_and_says_so(world: World) -> None:
    world.jump("2026-11-28T14:00")
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Waiting for your tap")

    world.jump("2026-12-01T09:20")
    card = world.phone.card_shows(alert, "Expired, not sent", "no answer is never a yes")
    assert card.buttons == {}
    world.until(lambda: any("Expired, not sent" in ring for ring in world.phone.rings(alert)), "the expiry rings")
    assert world.placements() == 0


def test_an_approved_order_whose_window_passed_while_the_desk_was_down_is_not_sent_late(world: World) -> None:
    world.jump("2026-12-01T16:00")
    alert = world.fire()["alert_id"]
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "Queued")
    world.desk.stop()

    world.jump("2026-12-02T10:30")
    world.restart(world.desk)
    world.phone.card_shows(alert, "Expired, not sent", "window passed")
    assert world.placements() == 0


def test_an_order_whose_time_came_while_the_desk_was_down_goes_out_while_its_window_lasts(world: World) -> None:
    world.jump("2026-12-01T16:00")
    alert = world.fire()["alert_id"]
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "Queued")
    world.desk.stop()

    world.jump("2026-12-01T21:00")
    world.restart(world.desk)
    world.phone.card_shows(alert, "Placed at Dhan", "At the exchange Wed 2 Dec 09:45")
    assert_one_after_market_order_waits(world)


def assert_one_after_market_order_waits(world: World) -> None:
    (order,) = world.ledger()
    assert order["afterMarketOrder"]
    assert order["orderStatus"] in ("TRANSIT", "PENDING")


def assert_filled_half_an_hour_after_the_open(world: World, day: str) -> None:
    """Which is what amoTime OPEN_30 asks Dhan for."""
    (order,) = world.ledger()
    assert order["orderStatus"] == "TRADED"
    assert order["trades"][0]["exchangeTime"].startswith(f"{day} 09:45:0")
