"""Alerts with several legs: one after the other, and not past a leg that went wrong."""

import pytest

from tests.world import World

NO_FUNDS = {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Insufficient <funds> & margin"}


@pytest.mark.fault("BR-25")
class TestAfterARejectedLeg:
    """INV-23: after a rejection no further leg is sent without new approval."""

    @pytest.mark.parametrize("when", ["at once", "by the exchange, later"])
    def test_the_next_leg_stays_here_and_asks(self, world: World, when: str) -> None:
        alert = self.first_leg_rejected(world, when)
        assert [order["tradingSymbol"] for order in world.ledger() if order["orderStatus"] != "REJECTED"] == []
        assert world.placements() == 1
        world.phone.tap(alert, "Cancel")
        world.phone.card_shows(alert, "Cancelled before it was sent")
        assert world.placements() == 1

    def test_the_next_leg_goes_when_the_operator_approves_it_all_the_same(self, world: World) -> None:
        alert = self.first_leg_rejected(world, "at once")
        assert world.phone.tap(alert, "Approve") == "Approved"
        world.phone.card_shows(alert, "2. BUY 1 HDFCBANK", "Filled 1 at ₹")
        assert [order["tradingSymbol"] for order in world.ledger()] == ["HDFCBANK"]

    def first_leg_rejected(self, world: World, when: str) -> int:
        if when == "at once":
            world.fault("place", "status", status=400, body=NO_FUNDS)
        else:
            world.fault("place", "late_reject", text=NO_FUNDS["errorMessage"])
        alert = world.fire(world.leg("INFY"), world.leg("HDFCBANK"))["alert_id"]
        asked = world.phone.card_shows(
            alert, "Rejected", NO_FUNDS["errorMessage"], "Waiting for your tap", "only if you approve it again"
        )
        assert list(asked.buttons) == ["Approve", "Cancel", "Snooze", "Edit", "Details"]
        return alert


def test_legs_go_out_in_their_order(world: World) -> None:
    answer = world.fire(world.leg("INFY"), world.leg("HDFCBANK"), world.leg("SBIN"))
    world.phone.card_shows(answer["alert_id"], "1. BUY 1 INFY", "2. BUY 1 HDFCBANK", "3. BUY 1 SBIN")
    world.until(lambda: [order["orderStatus"] for order in world.ledger()] == ["TRADED"] * 3, "all three are filled")
    assert [order["tradingSymbol"] for order in world.ledger()] == ["INFY", "HDFCBANK", "SBIN"]
    world.until(lambda: not any(world.health()["orders"].values()), "our rows say so, too")
