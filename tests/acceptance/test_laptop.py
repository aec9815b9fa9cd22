"""A laptop that sleeps through the moment at which an order was to go out."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from core import controls
from core.controls import Hold
from core.db.engine import Database
from core.db.trouble import DatabaseUnavailable
from tests.world import World

SLEEP, WAKE = signal.SIGSTOP, signal.SIGCONT
A_LEASE = 3.5  # seconds, and a little


def queued_for_five(world: World) -> int:
    """An approved order that waits for the after-market window of Tuesday, 17:00."""
    world.jump("2026-12-01T16:50")
    alert = world.fire()["alert_id"]
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "Queued", "Goes out Tue 1 Dec 17:00")
    return alert


def put_to_sleep(world: World) -> None:
    """Between two writes: one that it stands still in would keep everybody else from writing, too."""
    database = Database(world.settings.database, busy_timeout=0.1)

    def sleeps_well() -> bool:
        world.desk.send(SLEEP)
        try:
            with database.transaction():
                return True
        except DatabaseUnavailable:
            world.desk.send(WAKE)
            return False

    world.until(sleeps_well, "the desk is caught between two writes")
    database.close()


@contextmanager
def asleep(world: World) -> Generator[None]:
    """The desk stands still, for so long that its lease runs out. Whoever wakes may find that it lost it, and end."""
    put_to_sleep(world)
    try:
        world.until(lambda: world.health()["desk_heartbeat_age"] > A_LEASE, "nobody hears from the desk any more")
        yield
        assert world.placements() == 0, "who sleeps sends nothing"
    finally:
        world.desk.send(WAKE)


def card_shows(world: World, alert: int, *words: str) -> None:
    """Wait for the card as a supervisor does: a desk that ends is started again."""

    def shown() -> bool:
        if not world.desk.is_alive:
            world.desk.start()
        card = world.phone.card(alert)
        return card is not None and all(word in card.text for word in words)

    world.until(shown, f"the card of alert {alert} shows {words}")


@pytest.mark.fault("SC-04", "CK-02")
def test_waking_inside_the_window_sends_the_order_once(world: World) -> None:
    alert = queued_for_five(world)
    with asleep(world):
        world.jump("2026-12-01T17:30")
    card_shows(world, alert, "Placed at Dhan", "At the exchange Wed 2 Dec 09:45")
    assert (len(world.ledger()), world.placements()) == (1, 1)
    world.jump("2026-12-02T09:45:01")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert (len(world.ledger()), world.placements()) == (1, 1)


@pytest.mark.fault("SC-04", "SC-05")
def test_waking_after_the_window_sends_nothing_and_says_so(world: World) -> None:
    alert = queued_for_five(world)
    with asleep(world):
        world.jump("2026-12-02T09:20")
    card_shows(world, alert, "Expired, not sent")
    told = "Its time window passed before it could go out."
    world.until(lambda: any(told in ring for ring in world.phone.rings(alert)), "it rings")
    assert world.placements() == 0


def test_a_pause_that_came_during_the_sleep_is_seen_before_anything_is_sent(world: World) -> None:
    alert = queued_for_five(world)
    database = Database(world.settings.database)
    with asleep(world):
        world.jump("2026-12-01T17:30")
        with database.transaction() as connection:
            controls.set_hold(connection, Hold.PAUSED, "Paused meanwhile.", at=world.clock.now(), actor="test")
    card_shows(world, alert, "Held", "Paused meanwhile.")
    world.phone.tap(alert, "Cancel")
    world.phone.card_shows(alert, "Cancelled before it was sent")
    with database.transaction() as connection:
        controls.lift_hold(connection, Hold.PAUSED, at=world.clock.now(), actor="test")
    database.close()
    assert world.placements() == 0
