"""What became of an order, in the words of the card: from the socket, the postback and the book, which is believed."""

import pytest
from sqlalchemy import select

from core.db.engine import Database
from core.db.tables import hints
from tests.integration.paper_dhan import wish
from tests.world import World


def hinted(world: World) -> set[str]:
    database = Database(world.settings.database)
    with database.snapshot() as connection:
        found = set(connection.execute(select(hints.c.broker_order_id)).scalars())
    database.close()
    return found


@pytest.mark.fault("BR-29")
def test_dhan_tells_of_an_order_by_postback_and_the_book_is_believed(world: World) -> None:
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    [order] = world.ledger()
    world.until(lambda: order["orderId"] in hinted(world), "the postback arrived")


@pytest.mark.fault("BR-30")
def test_what_is_cancelled_in_dhans_app_shows_on_the_card(world: World) -> None:
    alert = world.fire(world.leg(orderType="LMT", price="1000"))["alert_id"]
    world.phone.card_shows(alert, "Dhan says PENDING, resting at ₹1,000.00")
    world.at_dhan("DELETE", f"/orders/{world.ledger()[0]['orderId']}")
    world.phone.card_shows(alert, "Cancelled at the exchange")


def test_the_line_may_break_and_the_card_follows_all_the_same(world: World) -> None:
    world.fault("updates", "drop_before", times=3)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")


@pytest.mark.fault("BR-31", "BR-33")
def test_a_desk_opens_beside_an_entry_of_somebody_else_that_cannot_be_read(world: World) -> None:
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    ours = world.at_dhan("GET", "/orders").json()[-1]
    world.fault("book", "status", status=200, body=[ours, theirs_without_a_status()], times=1000)
    world.desk.stop()
    world.restart(world.desk)


@pytest.mark.fault("BR-33")
def test_a_desk_that_cannot_read_an_entry_that_may_be_its_own_says_why_it_does_not_open(world: World) -> None:
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    ours = world.at_dhan("GET", "/orders").json()[-1]
    world.fault("book", "status", status=200, body=[ours, ours | {"orderStatus": ""}], times=1000)
    world.desk.stop()
    world.desk.start()
    world.until(lambda: "may be an order of this desk" in str(world.phone.ask("/status")), "/status says why")
    held = world.fire()["alert_id"]
    world.phone.card_shows(held, "Held", "may be an order of this desk")
    world.clear_faults()
    world.phone.card_shows(held, "Filled 1 at ₹")
    assert world.placements() == 2


def theirs_without_a_status() -> dict[str, object]:
    return {"orderId": "77", "correlationId": "1106500417-1764000000000", "orderStatus": "", "quantity": 5}


@pytest.mark.fault("BR-31")
def test_an_order_placed_elsewhere_is_shown_as_such_and_never_touched(world: World) -> None:
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    world.until(lambda: world.phone.rings(alert), "the fill rings")
    theirs = wish(productType="CNC", orderType="LIMIT", price=1000, quantity=3, securityId="11536", correlationId="app")
    assert world.at_dhan("POST", "/orders", json=theirs).status_code == 200
    listed = world.phone.ask("/orders")
    assert "Placed elsewhere today, not touched from here" in listed
    assert "BUY 3 TCS at ₹1,000.00" in listed
    assert listed.count("RELIANCE") >= 1
    assert world.ledger()[1]["orderStatus"] in ("TRANSIT", "PENDING")
