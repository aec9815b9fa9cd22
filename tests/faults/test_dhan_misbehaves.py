"""Dhan at its worst: each misfortune ends in the right state, with exactly the right number of orders in its ledger."""

from typing import Any

import pytest

from tests.world import World

NO_SUCH_INPUT = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "bad values for <quantity>"}
TOO_MANY = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}
WRONG_ADDRESS = {"errorType": "Order_Error", "errorCode": "DH-911", "errorMessage": "Invalid IP"}
DEAD_TOKEN = {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "token invalid or expired"}
SETTLED = 75.0


@pytest.mark.fault("BR-02", "BR-04", "BR-05", "BR-11", "BR-12")
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("drop_after", {}),
        ("status", {"status": 500, "recorded": True}),
        ("status", {"status": 302, "recorded": True, "headers": {"Location": "http://127.0.0.1:9/elsewhere"}}),
        ("bad_json", {}),
        ("no_id", {}),
        ("half_reply", {}),
        ("error_body_200", {"recorded": True}),
    ],
)
def test_an_order_that_dhan_took_without_a_clear_yes_is_found_and_not_sent_again(
    world: World, kind: str, more: dict[str, Any]
) -> None:
    world.fault("place", kind, **more)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 1)
    world.until(lambda: any("In doubt" in ring for ring in world.phone.rings(alert)), "the doubt rings")
    assert "Rejected" not in world.phone.standings(alert)


@pytest.mark.fault("BR-03", "BR-05", "BR-11", "OP-08", "OP-09")
def test_orders_that_dhan_never_took_and_never_refused_are_asked_about_and_not_sent_again_by_themselves(
    world: World,
) -> None:
    """The minute that proof of absence takes passes while the desk is down; three look-ups really happen."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("drop_before", {}),
        ("status", {"status": 502, "body": "<html>Bad gateway</html>"}),
        ("error_body_200", {}),
    ]
    alerts: list[int] = []
    for kind, more in faults:
        world.fault("place", kind, **more)
        alerts.append(world.fire()["alert_id"])
    for alert in alerts:
        world.phone.has_shown(alert, "In doubt")
        world.until(lambda alert=alert: world.attempts(alert)[0].absences >= 2, "two look-ups find nothing")
    world.desk.stop()
    world.let_time_pass(SETTLED)
    world.desk.start()
    for alert in alerts:
        world.phone.card_shows(alert, "Needs you", "It was not sent again")
    assert (len(world.ledger()), world.placements()) == (0, 3)

    world.phone.tap(alerts[0], "Send again…")
    world.phone.tap(alerts[0], "Yes, send it again")
    world.phone.card_shows(alerts[0], "Filled 1 at ₹")
    for alert in alerts[1:]:
        world.phone.tap(alert, "Drop it")
        world.phone.card_shows(alert, "Dropped")
    assert (len(world.ledger()), world.placements()) == (1, 4)


@pytest.mark.fault("BR-08", "TG-16")
def test_a_clear_no_is_a_rejection_in_dhans_own_words(world: World) -> None:
    world.fault("place", "status", status=400, body=NO_SUCH_INPUT)
    answer = world.fire()
    assert answer["order_status"] == "rejected"
    world.phone.card_shows(answer["alert_id"], "Rejected", "bad values for <quantity> (DH-905)")
    assert (len(world.ledger()), world.placements()) == (0, 1)


@pytest.mark.fault("BR-09")
def test_a_no_that_the_book_contradicts_is_not_believed(world: World) -> None:
    world.fault("place", "status", status=400, body=NO_SUCH_INPUT, recorded=True)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert "Rejected" not in world.phone.standings(alert)
    assert (len(world.ledger()), world.placements()) == (1, 1)


@pytest.mark.fault("BR-06")
def test_too_many_requests_is_waited_out_and_the_same_order_goes_once(world: World) -> None:
    world.fault("place", "status", status=429, body=TOO_MANY)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 2)
    (attempt,) = world.attempts(alert)
    assert attempt.posts == 2


@pytest.mark.fault("BR-24")
def test_a_rejection_after_the_yes_is_told(world: World) -> None:
    world.fault("place", "late_reject", text="RMS: no <funds>")
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Rejected", "RMS: no <funds>")
    world.until(lambda: any("Rejected" in ring for ring in world.phone.rings(alert)), "the rejection rings")
    assert world.placements() == 1


@pytest.mark.fault("BR-16", "BR-15")
def test_an_order_that_the_index_does_not_show_yet_is_found_in_the_end(world: World) -> None:
    world.fault("place", "drop_after")
    world.fault("lookup", "index_lag")
    world.fault("book", "status", status=503, times=3)
    alert = world.fire()["alert_id"]
    world.phone.has_shown(alert, "In doubt")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 1)


@pytest.mark.fault("BR-16")
def test_look_ups_that_hang_keep_nobody_from_the_book(world: World) -> None:
    world.fault("place", "drop_after")
    world.fault("book", "status", status=503, times=999)
    world.fault("lookup", "hang")
    doubtful = world.fire(world.leg("INFY"))["alert_id"]
    world.until(lambda: {fault["call"] for fault in world.faults()} == {"book"}, "Dhan keeps the look-up waiting")
    world.clear_faults()
    alert = world.fire(world.leg("TCS"))["alert_id"]
    for each in (alert, doubtful):
        world.phone.card_shows(each, "Filled 1 at ₹")
    name = world.attempts(doubtful)[0].correlation_id
    assert not world.desk.said(f"name={name} process=desk why="), "its look-up still waits"


@pytest.mark.fault("BR-07", "TK-01")
def test_a_dead_token_burns_no_order_and_is_replaced_as_soon_as_dhan_allows(world: World) -> None:
    world.fault("place", "status", status=401, body=DEAD_TOKEN)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Held", "Not signed in at Dhan")
    assert len(world.ledger()) == 0
    world.pass_time(180)
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 2)


@pytest.mark.fault("BR-10")
def test_a_wrong_address_holds_everything_says_how_to_fix_it_and_resume_tries_again(world: World) -> None:
    world.fault("place", "status", status=403, body=WRONG_ADDRESS)
    first = world.fire(world.leg("INFY"))["alert_id"]
    world.phone.card_shows(first, "Held", "registered addresses only")
    second = world.fire(world.leg("TCS"))
    assert second["order_status"] == "held"
    assert (len(world.ledger()), world.placements()) == (0, 1), "no storm of orders that Dhan refuses"

    world.phone.ask("/resume")
    world.phone.card_shows(first, "Filled 1 at ₹")
    world.phone.card_shows(second["alert_id"], "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (2, 3)


@pytest.mark.fault("BR-18")
def test_one_request_that_became_two_orders_is_noticed_and_stops_everything(world: World) -> None:
    world.fault("place", "twice")
    alert = world.fire()["alert_id"]
    world.until(lambda: len(world.ledger()) == 2, "Dhan makes two orders of one request")
    world.until(lambda: "paused" in world.health()["holds"], "nothing more is sent")
    numbers = [order["orderId"] for order in world.ledger()]
    rings = world.until(lambda: [r for r in world.phone.rings(alert) if all(n in r for n in numbers)], "both are named")
    assert rings
    assert world.placements() == 1
    world.phone.ask("/resume")


@pytest.mark.fault("BR-01", "BR-35")
def test_an_order_that_could_not_leave_goes_once_dhan_is_back(world: World) -> None:
    world.sandbox.kill()
    alert = world.fire()["alert_id"]
    world.until(lambda: world.attempts(alert), "the desk tries")
    world.sandbox.start()
    world.outside_is_there()
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert len(world.ledger()) == 1
