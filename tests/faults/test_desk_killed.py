"""kill -9 of the desk at every named point: afterwards one order stands in Dhan's ledger, and the card tells the truth.

Where a test lets time pass with the desk down, it moves back the times that the machine's clock gave to leases and
attempts: a desk that was down for so long finds the same rows. Nothing else about the recovery is shortened.
"""

import pytest

from core.failpoints import Point
from tests.faults.conftest import Fates
from tests.world import World

PROGRESS = {
    "Received": 0,
    "Waiting for your tap": 0,
    "Queued": 1,
    "Held": 1,
    "Being sent": 2,
    "In doubt": 3,
    "Placed at Dhan": 4,
    "Filled": 5,
}
RESTING = {"orderType": "LMT", "price": "1000"}
SETTLED = 75.0  # seconds; absence is believed from 60 on


def assert_one_order_and_an_honest_card(world: World, alert: int) -> None:
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 1)
    told = world.phone.standings(alert)
    assert set(told) <= set(PROGRESS), f"it never was all of {told}"
    assert told == sorted(told, key=lambda word: PROGRESS[word]), f"it went back and forth: {told}"
    assert told[-1] == "Filled"


@pytest.mark.fault("CR-02", "CR-05", "CR-08", "CR-09")
@pytest.mark.parametrize("point", [Point.CLAIMING, Point.POSTED, Point.OUTCOME_RECORDED])
def test_a_desk_killed_while_sending_makes_one_order_and_tells_the_truth(
    world: World, fates: Fates, point: Point
) -> None:
    fates.die_at(point)
    alert = world.fire()["alert_id"]
    fates.is_dead(world.desk)
    fates.revive_desk()
    assert_one_order_and_an_honest_card(world, alert)


@pytest.mark.fault("CR-12")
@pytest.mark.parametrize("point", [Point.BEFORE_MESSAGE, Point.MESSAGE_SENT])
def test_a_desk_killed_while_it_asks_asks_all_the_same(world: World, fates: Fates, point: Point) -> None:
    world.jump("2026-12-01T16:00")
    fates.die_at(point)
    alert = world.fire()["alert_id"]
    fates.is_dead(world.desk)
    fates.revive_desk()
    world.is_ready()
    world.until(lambda: world.phone.tap(alert, "Approve") == "Approved", "the newest card can be approved")
    world.jump("2026-12-01T17:00:01")
    world.phone.card_shows(alert, "Placed at Dhan")
    world.jump("2026-12-02T09:45:01")
    assert_one_order_and_an_honest_card(world, alert)


@pytest.mark.fault("CR-12")
@pytest.mark.parametrize("point", [Point.BEFORE_MESSAGE, Point.MESSAGE_SENT])
def test_a_desk_killed_while_it_tells_of_the_fill_tells_it_once_more(world: World, fates: Fates, point: Point) -> None:
    world.jump("2026-12-01T19:00")
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Placed at Dhan")
    fates.die_at(point)
    world.jump("2026-12-02T09:45:01")
    fates.is_dead(world.desk)
    fates.revive_desk()
    assert_one_order_and_an_honest_card(world, alert)
    world.until(lambda: world.phone.rings(alert), "the fill rings")


@pytest.mark.fault("CR-10", "BR-02")
def test_a_desk_killed_during_a_look_up_looks_again(world: World, fates: Fates) -> None:
    world.fault("place", "drop_after")
    world.fault("book", "status", status=503, times=15)  # or the book would show it before it is looked up
    fates.die_at(Point.LOOKED_UP)
    alert = world.fire()["alert_id"]
    fates.is_dead(world.desk)
    fates.revive_desk()
    assert_one_order_and_an_honest_card(world, alert)


@pytest.mark.fault("CR-06", "OP-08")
def test_an_order_claimed_and_never_posted_is_asked_about_and_not_sent_again_by_itself(
    world: World, fates: Fates
) -> None:
    """Proof of absence takes three look-ups and a minute: the look-ups are real, most of the minute passes while the
    desk is down."""
    alert = asked_after_a_crash(world, fates, Point.CLAIMED)
    assert world.placements() == 0

    assert "Only if you are sure" in world.phone.tap(alert, "Send again…")
    assert world.placements() == 0, "the second step is still to come"
    assert world.phone.tap(alert, "Yes, send it again") == "It is sent again"
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 1)
    assert [attempt.number for attempt in world.attempts(alert)] == [1, 2]


@pytest.mark.fault("CR-10", "BR-27")
@pytest.mark.parametrize("point", [Point.CHANGE_CLAIMED, Point.CHANGE_POSTED])
def test_an_order_is_cancelled_although_the_desk_is_killed_while_it_asks_for_that(
    world: World, fates: Fates, point: Point
) -> None:
    alert = world.fire(world.leg(**RESTING))["alert_id"]
    world.phone.card_shows(alert, "resting at ₹1,000.00")
    fates.die_at(point)
    world.phone.tap(alert, "Cancel at Dhan")
    world.phone.press(alert, "Yes, cancel it")
    fates.is_dead(world.desk)
    fates.revive_desk()
    world.phone.card_shows(alert, "Cancelled at the exchange")
    assert [order["orderStatus"] for order in world.ledger()] == ["CANCELLED"]
    assert world.placements() == 1


@pytest.mark.fault("CR-10")
@pytest.mark.parametrize(
    ("point", "told", "price"),
    [(Point.CHANGE_CLAIMED, "Not changed", 1000.0), (Point.CHANGE_POSTED, "Changed at Dhan", 1010.0)],
)
def test_a_desk_killed_while_it_changes_a_price_tells_which_one_dhan_has(
    world: World, fates: Fates, point: Point, told: str, price: float
) -> None:
    alert = world.fire(world.leg(**RESTING))["alert_id"]
    world.phone.card_shows(alert, "resting at ₹1,000.00")
    fates.die_at(point)
    world.phone.ask(f"/modify {alert}.1 price=1010", "Then: limit ₹1,010.00")
    world.phone.press_newest("Yes, change it")
    fates.is_dead(world.desk)
    fates.revive_desk()
    world.is_ready()  # by then the change is for the book to decide
    world.desk.stop()
    world.let_time_pass(SETTLED)
    world.desk.start()
    world.phone.card_shows(alert, told, f"Price: ₹{price:,.2f}")
    assert [order["price"] for order in world.ledger()] == [price]
    world.has_told_all()  # a card that is drawn once more after the start would take the question away
    world.phone.tap(alert, "Cancel at Dhan")
    world.phone.tap(alert, "Yes, cancel it")
    world.phone.card_shows(alert, "Cancelled at the exchange")


@pytest.mark.fault("CR-14")
@pytest.mark.parametrize(
    "points",
    [
        (Point.CLAIMING, Point.POSTED),
        (Point.CLAIMING, Point.OUTCOME_RECORDED),
        (Point.POSTED, Point.BOOK_READ),
        (Point.OUTCOME_RECORDED, Point.PART_FOLLOWED),
        (Point.POSTED, Point.BEFORE_MESSAGE),
        (Point.POSTED, Point.MESSAGE_SENT),
        (Point.OUTCOME_RECORDED, Point.MESSAGE_SENT),
    ],
)
def test_a_desk_killed_twice_makes_one_order_and_tells_the_truth(
    world: World, fates: Fates, points: tuple[Point, Point]
) -> None:
    fates.die_at(*points)
    alert = world.fire()["alert_id"]
    for _ in points:
        fates.is_dead(world.desk)
        fates.revive_desk()
    assert_one_order_and_an_honest_card(world, alert)


@pytest.mark.fault("CR-14", "CR-06")
def test_a_desk_killed_after_the_claim_and_again_at_the_look_up_still_asks(world: World, fates: Fates) -> None:
    alert = asked_after_a_crash(world, fates, Point.CLAIMED, Point.LOOKED_UP)
    assert world.phone.tap(alert, "Drop it") == "Dropped; watched until day end"
    world.phone.card_shows(alert, "Dropped, watched until day end")
    assert world.placements() == 0


@pytest.mark.fault("CR-13", "DP-05")
def test_five_crashes_in_a_row_during_recovery_add_no_attempt(world: World, fates: Fates) -> None:
    fates.die_at(Point.POSTED, *[Point.BOOK_READ] * 5)
    alert = world.fire()["alert_id"]
    for _ in range(6):
        fates.is_dead(world.desk)
        fates.revive_desk()
    assert_one_order_and_an_honest_card(world, alert)
    (attempt,) = world.attempts(alert)
    assert attempt.posts == 1


@pytest.mark.fault("CR-05")
def test_a_killed_desk_comes_back_by_itself_once_its_lease_has_run_out(world: World) -> None:
    """The one test in which the lease really runs out."""
    world.desk.kill()
    alert = world.fire()["alert_id"]
    world.desk.start()
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert world.placements() == 1


@pytest.mark.fault("DB-03")
def test_a_disk_that_fills_up_after_the_post_ends_the_desk_and_the_order_is_found_later(
    world: World, fates: Fates
) -> None:
    fates.disk_full_at(Point.POSTED)
    alert = world.fire()["alert_id"]
    world.until(world.desk.ended, "the desk ends rather than go on half alive")
    fates.revive_desk()
    assert_one_order_and_an_honest_card(world, alert)


def asked_after_a_crash(world: World, fates: Fates, *points: Point) -> int:
    """An order that was claimed and never sent, at the moment when the operator is asked about it."""
    fates.die_at(*points)
    alert = world.fire()["alert_id"]
    for _ in points:
        fates.is_dead(world.desk)
        fates.revive_desk()
    world.phone.has_shown(alert, "In doubt")
    world.until(lambda: world.attempts(alert)[0].absences >= 2, "two look-ups find nothing")
    assert "Needs you" not in world.phone.standings(alert), "too early to ask"
    world.desk.stop()
    world.let_time_pass(SETTLED)
    world.desk.start()
    card = world.phone.card_shows(alert, "Needs you", "It was not sent again")
    assert list(card.buttons) == ["Send again…", "Drop it", "Details"]
    assert world.attempts(alert)[0].lookups >= 3
    return alert
