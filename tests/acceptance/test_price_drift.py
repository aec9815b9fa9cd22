"""An approved order is due, and the price is not the alert's: the operator is asked before anything is sent."""

from pathlib import Path

from tests.world import World

LONG_AGO = "1200"
"""Rupees; the stand-in's RELIANCE trades at about 1,400."""


def test_an_approved_order_whose_price_moved_before_its_release_is_asked_about_and_not_sent(tmp_path: Path) -> None:
    with World.opened(tmp_path) as world:
        world.sells_prices()
        world.jump("2026-11-28T14:00")
        alert = world.fire(world.leg(price=LONG_AGO))["alert_id"]
        world.phone.tap(alert, "Approve")
        world.phone.card_shows(alert, "Queued")

        world.jump("2026-11-30T17:00:01")
        card = world.phone.card_shows(alert, "Waiting for your tap", "The price moved", "since the alert")
        assert "Approve" in card.buttons
        world.until(lambda: any("The price moved" in told for told in world.phone.rings(alert)), "it rings")
        assert world.placements() == 0

        world.phone.tap(alert, "Approve")
        world.phone.card_shows(alert, "Placed at Dhan")
        assert (len(world.ledger()), world.placements()) == (1, 1)
