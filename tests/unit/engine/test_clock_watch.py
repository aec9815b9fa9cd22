"""This machine's clock: a jump or a sleep holds everything until Dhan's clock agrees."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from core import controls
from core.clock import SystemClock
from core.controls import Hold
from core.db import leases
from core.domain.notice import Notice
from core.domain.windows import SESSION_MARGIN
from core.engine.clock_watch import ASK_EVERY, PATIENCE, ClockWatch, hold
from core.engine.parts import build_desk
from core.settings import load
from tests import patience
from tests.builders import NOON, FrozenClock, fresh_address
from tests.integration.paper_dhan import Stage, india
from tests.unit.engine.rows import rings


class Machine:
    """A wall clock, a counter that nobody can set, and Dhan's clock."""

    def __init__(self) -> None:
        self.wall = FrozenClock()
        self.ticks = 0.0
        self.dhan = NOON
        self.is_reachable, self.asked = True, 0
        self.watch = ClockWatch(self.wall, self.skew, lambda: self.ticks, ask=self.ask)

    async def ask(self) -> bool:
        self.asked += 1
        return self.is_reachable

    def skew(self) -> timedelta:
        return self.wall.now() - self.dhan

    def pass_time(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.ticks += seconds
        self.dhan += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """The lid is closed: the counter stands still."""
        self.wall.advance(seconds)
        self.dhan += timedelta(seconds=seconds)


async def nobody() -> bool:
    return False


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.watch.compare()
    assert machine.watch.is_sure()
    return machine


def test_before_dhan_replied_the_clock_is_not_sure_and_nothing_is_known_to_be_wrong() -> None:
    watch = Machine().watch
    assert (watch.is_sure(), watch.doubt) == (False, "")


def test_without_a_word_from_dhan_nothing_is_proven() -> None:
    watch = ClockWatch(FrozenClock(), lambda: None, ask=nobody)
    watch.compare()
    assert not watch.is_sure()


def test_time_ends_nothing_before_the_clock_was_compared() -> None:
    machine = Machine()
    assert not machine.watch.may_expire()
    machine.watch.compare()
    assert machine.watch.may_expire()


def test_where_dhan_stays_away_time_ends_what_waits_after_some_minutes_all_the_same() -> None:
    machine = Machine()
    machine.pass_time(PATIENCE - 1)
    assert not machine.watch.may_expire()
    machine.pass_time(1)
    assert machine.watch.may_expire()
    assert not machine.watch.is_sure()


def test_a_clock_that_leaps_while_dhan_is_away_hastens_nothing() -> None:
    machine = Machine()
    machine.wall.advance(PATIENCE)
    machine.watch.is_sure()
    assert not machine.watch.may_expire()
    machine.pass_time(PATIENCE)
    assert not machine.watch.may_expire(), "it is known to have leapt, and the operator was told"


def test_a_clock_that_is_wrong_ends_nothing_however_long_it_is(machine: Machine) -> None:
    machine.wall.advance(3600)
    machine.watch.is_sure()
    machine.watch.compare()
    machine.pass_time(2 * PATIENCE)
    assert not machine.watch.may_expire()


def test_time_that_passes_raises_no_doubt(machine: Machine) -> None:
    for _ in range(100):
        machine.pass_time(60)
        assert machine.watch.is_sure()


@pytest.mark.fault("CK-02", "SC-05")
@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86400.0, -86400.0, 2.5, -2.5])
def test_a_jump_of_the_clock_holds_everything_until_it_is_right_again(machine: Machine, jump: float) -> None:
    machine.wall.advance(jump)
    assert not machine.watch.is_sure()
    assert "clock jumped" in machine.watch.doubt
    machine.wall.advance(-jump)
    machine.watch.is_sure()
    machine.watch.compare()
    assert (machine.watch.is_sure(), machine.watch.doubt) == (True, "")


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_stays_wrong_stays_held(machine: Machine, jump: float) -> None:
    machine.wall.advance(jump)
    machine.watch.is_sure()
    machine.watch.compare()
    assert not machine.watch.is_sure()
    assert f"60 min {'ahead of' if jump > 0 else 'behind'} Dhan's" in machine.watch.doubt


@pytest.mark.fault("SC-04")
def test_after_a_sleep_dhan_is_heard_before_anything_is_sent(machine: Machine) -> None:
    machine.sleep(3 * 3600)
    assert not machine.watch.is_sure()
    assert "180 min" in machine.watch.doubt
    machine.watch.compare()
    assert machine.watch.is_sure()


def test_a_jump_after_the_comparison_is_noticed_at_the_next_look(machine: Machine) -> None:
    machine.watch.compare()
    machine.wall.advance(10)
    assert not machine.watch.is_sure()


@pytest.mark.fault("CK-03")
@pytest.mark.parametrize(
    ("ahead", "sure"), [(-29, False), (-1.1, False), (-1, True), (0, True), (2, True), (5, True), (5.1, False)]
)
def test_a_clock_that_is_off_by_more_than_the_margin_of_a_session_is_not_trusted(
    machine: Machine, ahead: float, sure: bool
) -> None:
    machine.dhan -= timedelta(seconds=ahead)
    machine.watch.compare()
    assert machine.watch.is_sure() is sure
    assert ("set it right (timedatectl set-ntp true)" in machine.watch.doubt) is not sure


@pytest.mark.fault("CK-07")
@pytest.mark.parametrize("cut_off", [0, 0.5, 0.999])
def test_an_order_that_a_trusted_clock_lets_out_leaves_before_its_session_ends(cut_off: float) -> None:
    machine, ends = Machine(), india("2026-11-25 15:15")
    for tenths in range(-50, 50):
        machine.wall.instant = ends - SESSION_MARGIN - timedelta(milliseconds=1)
        true_time = machine.wall.now() - timedelta(seconds=tenths / 10)
        machine.dhan = true_time - timedelta(seconds=cut_off)
        machine.watch = ClockWatch(machine.wall, machine.skew, lambda: 0.0, ask=nobody)
        machine.watch.compare()
        assert true_time < ends or not machine.watch.is_sure()


def test_what_dhans_clock_cuts_off_does_not_make_the_doubt_come_and_go(machine: Machine) -> None:
    said: set[str] = set()
    for cut_off in (0, 0.9, 0.3, 0.6, 0):
        machine.dhan = machine.wall.now() + timedelta(seconds=1.2 - cut_off)
        machine.watch.compare()
        assert not machine.watch.is_sure()
        said.add(machine.watch.doubt)
    assert len(said) == 1, "other words would ring anew"
    for cut_off in (0, 0.9, 0.3):
        machine.dhan = machine.wall.now() - timedelta(seconds=cut_off)
        machine.watch.compare()
        assert machine.watch.is_sure()


def test_a_doubt_rings_once_and_holds(connection: Connection) -> None:
    for _ in range(2):
        hold(connection, "This machine's clock jumped.", NOON)
    assert rings(connection) == [Notice.CLOCK]
    assert list(controls.holds(connection)) == [Hold.CLOCK]


async def test_after_a_sleep_dhan_is_asked_for_its_time_where_nothing_else_is_said_to_it(machine: Machine) -> None:
    """Without a sign-in no book is read, and an order that nobody ends would wait in silence."""
    machine.sleep(30)
    assert not machine.watch.is_sure()
    machine.is_reachable = False
    for _ in range(120):
        machine.pass_time(1)
        await machine.watch.find_out()
    assert (machine.asked, machine.watch.may_expire()) == (120 // ASK_EVERY, False)
    machine.is_reachable = True
    machine.pass_time(ASK_EVERY)
    await machine.watch.find_out()
    assert (machine.watch.may_expire(), machine.watch.is_sure()) == (True, True)
    machine.pass_time(ASK_EVERY)
    await machine.watch.find_out()
    assert machine.asked == 120 // ASK_EVERY + 1, "a clock that is sure asks nobody"


async def test_a_desk_without_a_sign_in_compares_the_clocks_all_the_same(
    tmp_path: Path, stage: Stage, free_port: int
) -> None:
    fresh_address(tmp_path)
    with stage.dhan(tmp_path, NOON):
        urls = {"dhan_api_url": f"{stage.url}/v2", "dhan_auth_url": f"http://127.0.0.1:{free_port}"}
        parts = build_desk(load(munshi_data_dir=tmp_path, **urls), cast("Any", None))
        watching = asyncio.create_task(parts.desk._watch_broker())
        async with asyncio.timeout(patience.PATIENCE):
            while not parts.desk._clock_watch.may_expire():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)
        watching.cancel()
        assert not parts.session.is_signed_in
    await parts.close()


async def test_the_desk_holds_orders_and_expiries_while_the_clock_is_in_doubt_and_lets_go_after(
    tmp_path: Path,
) -> None:
    fresh_address(tmp_path)
    parts = build_desk(load(munshi_data_dir=tmp_path), cast("Any", None))
    desk = parts.desk
    desk._clock_watch = watch = ClockWatch(SystemClock(), lambda: timedelta(0), ask=nobody)

    def held() -> bool:
        with parts.database.snapshot() as connection:
            return Hold.CLOCK in controls.holds(connection)

    with parts.database.transaction() as connection:
        an_hour_ago = SystemClock().now() - timedelta(hours=1)
        desk._epoch = leases.acquire(connection, holder=desk._holder, nudge_port=1, at=an_hour_ago) or 0
    assert (await desk._mind_the_clock(), held()) == (False, False), "not compared yet"
    watch.doubt = "This machine's clock jumped."
    assert (await desk._mind_the_clock(), held()) == (False, True)
    with parts.database.snapshot() as connection:
        lease = leases.current(connection)
    assert lease
    assert lease.expires_at > SystemClock().now(), "the leap ran it out, nobody took it"
    watch.compare()
    assert (await desk._mind_the_clock(), held()) == (True, False)
    await parts.close()
