"""Two desks on one database: one acts, the other stands by and takes over."""

import signal

import pytest

from tests.world import World
from tests.world.processes import Process


@pytest.fixture
def second(world: World) -> Process:
    return world.another_desk()


@pytest.mark.fault("SC-02", "DP-03")
def test_of_two_desks_started_at_once_one_acts_and_the_other_takes_over_when_it_is_killed(
    world: World, second: Process
) -> None:
    world.desk.stop()
    both = (world.desk, second)
    for desk in both:
        desk.start()
    try:
        world.until(lambda: any(desk.said("standing_by") for desk in both), "one of them stands by")
        idle, acting = sorted(both, key=lambda desk: desk.said("lease_taken"))
        world.is_open()
        alerts = [world.fire(world.leg(symbol))["alert_id"] for symbol in ("INFY", "TCS", "SBIN")]
        for alert in alerts:
            world.phone.card_shows(alert, "Filled")
        assert not idle.said("lease_taken")
        assert len(world.ledger()) == 3

        acting.kill()
        orphan = world.fire(world.leg("ITC"))["alert_id"]
        world.until(lambda: len(world.ledger()) == 4, "the other desk takes over")
        world.phone.card_shows(orphan, "Filled")
        assert idle.said("lease_taken")
    finally:
        second.kill()
    assert world.placements() == len(world.ledger()) == 4


@pytest.mark.fault("DP-03")
def test_a_desk_that_was_paused_by_the_machine_stops_when_it_finds_that_another_took_over(
    world: World, second: Process
) -> None:
    """SIGSTOP is what a suspended virtual machine looks like from outside."""
    second.start()
    try:
        world.until(lambda: second.said("standing_by"), "the second desk stands by")
        world.desk.send(signal.SIGSTOP)
        alert = world.fire()["alert_id"]
        world.until(lambda: len(world.ledger()) == 1, "the second desk takes over")
        world.desk.send(signal.SIGCONT)
        world.until(lambda: world.desk.ended() == 75, "the first desk ends: another desk took over")
        world.until(lambda: (card := world.phone.card(alert)) and "Filled" in card.text, "the card tells of the fill")
    finally:
        world.desk.kill()
        second.kill()
    assert world.placements() == len(world.ledger()) == 1
