"""Identical bodies: never executed by themselves, never dropped silently."""

import pytest

from tests.world import World, taken


@pytest.mark.fault("DU-01")
def test_the_same_alert_four_times_in_twenty_seconds_makes_one_order_and_the_card_offers_the_copies(
    world: World,
) -> None:
    body = world.alert()
    first = taken(world.post(body))
    assert not first["duplicate"]
    for _ in range(3):
        world.pass_time(6)
        copy = taken(world.post(body))
        assert (copy["duplicate"], copy["alert_id"]) == (True, first["alert_id"])
    alert = first["alert_id"]
    world.phone.card_shows(alert, "Filled", "The same alert came 3 more times and did nothing.")
    assert len(world.ledger()) == 1

    answered = world.phone.tap(alert, "Execute the copy too (3)")
    copy_alert = int(answered.removeprefix("Taken too, as ").partition(":")[0])
    world.phone.card_shows(copy_alert, "Filled")
    card = world.phone.card_shows(alert, "The same alert came 2 more times and did nothing.")
    assert list(card.buttons) == ["Execute the copy too (2)", "Details"]
    assert (len(world.ledger()), world.placements()) == (2, 2)


def test_a_copy_that_waits_says_everywhere_that_it_is_one_and_did_nothing(world: World) -> None:
    body = world.alert()
    alert = taken(world.post(body))["alert_id"]
    taken(world.post(body))
    copy = alert + 1
    for command in ("/order", "/why"):
        told = world.phone.ask(f"{command} {copy}", f"alert {copy}")
        assert f"A copy of alert {alert}: it did nothing, and waits for a tap on that alert's card." in told
        assert "Refused" not in told
    world.phone.card_shows(alert, "Filled")
    world.phone.tap(alert, "Execute the copy too (1)")
    world.phone.card_shows(copy, "Filled")
    assert "did nothing" not in world.phone.ask(f"/why {copy}", f"alert {copy}")


@pytest.mark.fault("DU-04")
def test_an_alert_replayed_an_hour_later_is_refused_and_said(world: World) -> None:
    body = world.alert()
    taken(world.post(body))
    world.until(lambda: len(world.ledger()) == 1, "the first copy is ordered")
    world.pass_time(3600)
    replay = taken(world.post(body))
    assert replay["order_status"] == "refused"
    world.phone.card_shows(replay["alert_id"], "Refused", "too old")
    assert world.placements() == 1
