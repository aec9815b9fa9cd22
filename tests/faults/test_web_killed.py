"""kill -9 of the web process, and trouble with the disk under it: stored and answered, or not stored at all."""

import resource
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest

from core.clock import monotonic
from core.db.driver import sqlite_driver
from core.failpoints import Point
from tests.faults.conftest import Fates
from tests.world import World, taken


@pytest.mark.fault("CR-01", "IN-03")
def test_web_killed_before_the_commit_has_stored_nothing_and_a_resend_makes_the_order(
    world: World, fates: Fates
) -> None:
    body = dies_over(world, fates, Point.BEFORE_ALERT_COMMIT)
    assert world.placements() == 0
    world.restart(world.web)
    resent = taken(world.post(body))
    assert not resent["duplicate"]
    world.phone.card_shows(resent["alert_id"], "Filled")
    assert world.placements() == 1


@pytest.mark.fault("CR-02", "IN-04", "IN-06")
def test_web_killed_between_commit_and_answer_makes_one_order_and_a_resend_is_told_so(
    world: World, fates: Fates
) -> None:
    body = dies_over(world, fates, Point.ALERT_COMMITTED)
    world.until(lambda: len(world.ledger()) == 1, "the desk acts on the stored alert by itself")
    world.restart(world.web)
    resent = taken(world.post(body))
    assert (resent["duplicate"], resent["order_status"]) == (True, "placed")
    assert taken(world.post(body))["duplicate"]
    world.phone.card_shows(resent["alert_id"], "Filled")
    assert (len(world.ledger()), world.placements()) == (1, 1)


@pytest.mark.fault("CR-14")
def test_web_and_desk_killed_over_the_same_alert_make_one_order(world: World, fates: Fates) -> None:
    fates.die_at(Point.ALERT_COMMITTED, Point.POSTED)
    body = world.alert()
    with pytest.raises(httpx.TransportError):
        world.post(body)
    fates.is_dead(world.desk)
    world.web.start()
    fates.revive_desk()
    world.is_ready()
    resent = taken(world.post(body))
    assert resent["duplicate"]
    world.phone.card_shows(resent["alert_id"], "Filled")
    assert (len(world.ledger()), world.placements()) == (1, 1)


@pytest.mark.fault("IN-02", "DB-01", "IN-01")
def test_a_locked_database_is_a_503_while_the_sender_still_waits_and_nothing_is_half_stored(world: World) -> None:
    body = world.alert()
    with locked(world):
        started = monotonic()
        reply = world.post(body)
        took = monotonic() - started
    assert_not_stored(reply)
    assert took < 3  # as long as TradingView waits
    assert_works_again(world, body)


@pytest.mark.fault("IN-02", "DB-02")
def test_a_full_disk_is_a_503_and_nothing_is_half_stored(world: World) -> None:
    """The kernel lets no file of the web process grow, which takes neither root nor a disk of one's own."""
    body = world.alert()
    with no_file_may_grow(world.web.pid):
        reply = world.post(body)
    assert_not_stored(reply)
    assert_works_again(world, body)


def dies_over(world: World, fates: Fates, point: Point) -> str:
    """The body of an alert whose sender saw the connection die."""
    fates.die_at(point)
    body = world.alert()
    with pytest.raises(httpx.TransportError):
        world.post(body)
    fates.is_dead(world.web)
    return body


def assert_not_stored(reply: httpx.Response) -> None:
    assert reply.status_code == 503, reply.text
    assert int(reply.headers["Retry-After"]) > 0
    assert "send it again" in reply.json()["message"]


def assert_works_again(world: World, body: str) -> None:
    assert world.placements() == 0
    again = taken(world.post(body))
    assert (again["duplicate"], again["order_status"]) == (False, "placed")
    world.phone.card_shows(again["alert_id"], "Filled")
    assert world.placements() == 1


@contextmanager
def locked(world: World) -> Generator[None]:
    """Somebody else holds the database's write lock."""
    other = sqlite_driver().connect(str(world.settings.munshi_data_dir / "munshi.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def no_file_may_grow(pid: int) -> Generator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
