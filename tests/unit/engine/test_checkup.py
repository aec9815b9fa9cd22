"""The readiness card's lines, asked of a real stand-in, and the looks at the account's positions."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from structlog.testing import capture_logs

from core import controls, journal, pnl
from core.addresses import AddressBook
from core.broker.account import Position
from core.broker.dhan.account import DhanAccount
from core.controls import Hold
from core.db import logins
from core.db.tables import outbox
from core.domain import readiness
from core.domain.instrument import SegmentClass
from core.domain.login import LoginRefusal, LoginState, Way
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.domain.readiness import Cure, Light, Line
from core.domain.sessions import Closed, Unknown
from core.engine.checkup import Checkup
from core.engine.daily import Daily
from core.engine.pnl_watch import PnlWatch
from core.engine.rounds import Rounds
from core.pnl import Point
from tests.builders import CALENDAR, NOON, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.floor import Floor, settings_for


def checkup(floor: Floor, folder: Path) -> Checkup:
    return Checkup(
        database=floor.database,
        account=DhanAccount(floor.broker),
        addresses=AddressBook(floor.database, floor.broker, floor.clock),
        calendar=CALENDAR,
        settings=settings_for(floor.dhan, folder),
        clock=floor.clock,
        skew=lambda: timedelta(0),
    )


def watch(floor: Floor) -> PnlWatch:
    return PnlWatch(database=floor.database, account=DhanAccount(floor.broker), calendar=CALENDAR, clock=floor.clock)


def points(floor: Floor) -> list[Point]:
    with floor.database.snapshot() as connection:
        return pnl.points(connection, NOON - timedelta(days=40), NOON + timedelta(days=40))


async def test_a_desk_that_is_ready_has_no_red_line(floor: Floor, tmp_path: Path) -> None:
    lines = await checkup(floor, tmp_path).look()
    assert [line.words for line in lines if line.light is Light.RED] == []
    told = "\n".join(line.words for line in lines)
    hours = "Shares trade 09:15–15:30, those with derivatives 09:15–15:15"
    for words in ("Signed in at Dhan until", "from this address", "Funds ₹", hours, "Disk: "):
        assert words in told


async def test_a_sign_in_that_the_desk_may_not_make_anew_today_is_a_red_line(floor: Floor, tmp_path: Path) -> None:
    floor.clock.instant = at = india("2026-11-26 08:45")
    card = checkup(floor, tmp_path)
    assert [line.words for line in await card.look() if line.light is Light.RED] == []
    with floor.database.transaction() as connection:
        for _ in range(2):
            tried = logins.start(connection, Way.TOTP, LoginState.REQUESTED, by="desk", at=at)
            logins.fail(connection, tried, LoginRefusal.OTHER, "signing in failed: Blocked", at)
    [red] = [line for line in await card.look() if line.light is Light.RED]
    assert (red.words, red.cures) == (
        "Signed in at Dhan until Thu 26 Nov 12:00: before the session ends.",
        (Cure.LOGIN,),
    )


async def test_red_lines_come_first_and_each_has_its_cure(floor: Floor, tmp_path: Path) -> None:
    with floor.database.transaction() as connection:
        controls.pause(connection, at=NOON, actor="operator 42")
        an_order(connection, state=OrderState.NEEDS_OPERATOR)
    lines = await checkup(floor, tmp_path).look()
    reds = [line for line in lines if line.light is Light.RED]
    assert lines[: len(reds)] == reds
    assert [line.cures for line in reds] == [(Cure.RESUME,), (Cure.QUEUE,)]


@pytest.mark.parametrize(
    ("hold", "cure"),
    [
        (Hold.KILLED, Cure.UNKILL),
        (Hold.KILL_SWITCH, Cure.KILL_SWITCH),
        (Hold.NOT_LIVE, Cure.GO_LIVE),
        (Hold.STARTING, Cure.LOOK_AGAIN),
        (Hold.CLOCK, Cure.LOOK_AGAIN),
        (Hold.SIGNED_OUT, Cure.LOGIN),
    ],
)
async def test_what_is_stopped_is_a_red_line_with_its_own_cure(
    floor: Floor, tmp_path: Path, hold: Hold, cure: Cure
) -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, hold, "Stopped.", at=NOON, actor="operator 42")
    [red] = [line for line in await checkup(floor, tmp_path).look() if line.light is Light.RED]
    assert (red.words, red.cures) == ("Stopped.", (cure,))


@pytest.mark.parametrize(
    ("hold", "light", "words"),
    [
        (None, Light.GREEN, "Queue: 1"),
        (Hold.STARTING, Light.GREEN, "Queue: 1"),
        (Hold.PAUSED, Light.AMBER, "Queue: 1, held"),
        (Hold.SIGNED_OUT, Light.AMBER, "Queue: 1, waiting for the sign-in"),
    ],
)
async def test_a_queue_that_cannot_go_is_not_green(
    floor: Floor, tmp_path: Path, hold: Hold | None, light: Light, words: str
) -> None:
    with floor.database.transaction() as connection:
        an_order(connection)
        if hold is not None:
            controls.set_hold(connection, hold, "Held.", at=NOON, actor="operator 42")
    [line] = [line for line in await checkup(floor, tmp_path).look() if line.words.startswith("Queue")]
    assert (line.light, line.words) == (light, words)


async def test_a_queue_without_a_sign_in_that_lasts_waits_for_one(floor: Floor, tmp_path: Path) -> None:
    with floor.database.transaction() as connection:
        an_order(connection)
    floor.clock.pass_time(hours=30)
    lines = [line.words for line in await checkup(floor, tmp_path).look()]
    assert "Queue: 1, waiting for the sign-in" in lines


@pytest.mark.parametrize("status", [200, 500], ids=["registered, as Dhan says", "not known"])
async def test_a_hold_for_an_order_that_was_refused_for_the_address_is_a_red_line(
    floor: Floor, tmp_path: Path, status: int
) -> None:
    floor.dhan.script("place", "status", status=400, body={"errorCode": "DH-905", "errorMessage": "Invalid IP"})
    await floor.sent()
    if status != 200:
        floor.dhan.script("ip", "status", status=status)
    [red] = [line for line in await checkup(floor, tmp_path).look() if line.light is Light.RED]
    assert "takes orders from registered addresses only" in red.words
    assert red.cures == (Cure.REGISTER, Cure.RESUME)


async def test_when_dhan_does_not_answer_the_card_says_what_is_not_known(floor: Floor, tmp_path: Path) -> None:
    for call in ("funds", "ip"):
        floor.dhan.script(call, "status", status=500)
    lines = await checkup(floor, tmp_path).look()
    unknown = [line for line in lines if "not known" in line.words]
    assert [(line.light, line.cures) for line in unknown] == [(Light.RED, (Cure.LOOK_AGAIN,))] * 2


@pytest.mark.parametrize(
    ("line", "light", "cures"),
    [
        (readiness.token_line(None, None, NOON, renews_itself=True), Light.RED, (Cure.LOGIN,)),
        (
            readiness.token_line(NOON + timedelta(hours=1), NOON + timedelta(hours=3), NOON, renews_itself=False),
            *(Light.RED, (Cure.LOGIN,)),
        ),
        (
            readiness.token_line(NOON + timedelta(hours=1), NOON + timedelta(hours=3), NOON, renews_itself=True),
            *(Light.GREEN, ()),
        ),
        (readiness.address_line("Not registered."), Light.RED, (Cure.REGISTER, Cure.RESUME)),
        (readiness.funds_line(Decimal(0)), Light.AMBER, ()),
        (readiness.calendar_line(*[Closed("Diwali")] * 2), Light.AMBER, ()),
        (readiness.calendar_line(*[Unknown("Nobody knows.")] * 2), Light.RED, (Cure.OPEN_TODAY, Cure.CLOSE_TODAY)),
        (readiness.queue_line(waiting=2, queued=1, doubtful=0), Light.AMBER, (Cure.QUEUE,)),
        (readiness.queue_line(waiting=0, queued=0, doubtful=0, looked_up=1), Light.AMBER, (Cure.QUEUE,)),
        (readiness.clock_line(timedelta(seconds=-31)), Light.RED, (Cure.LOOK_AGAIN,)),
        (readiness.clock_line(timedelta(seconds=5)), Light.AMBER, (Cure.LOOK_AGAIN,)),
        (readiness.clock_line(None), Light.AMBER, ()),
        (readiness.disk_line(10_000_000), Light.RED, (Cure.LOOK_AGAIN,)),
        (readiness.last_alert_line(None, NOON), Light.AMBER, ()),
    ],
    ids=lambda case: case.words if isinstance(case, Line) else "",
)
def test_every_red_line_has_a_cure(line: Line, light: Light, cures: tuple[Cure, ...]) -> None:
    assert (line.light, line.cures) == (light, cures)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-12-04", "Shares trade 09:15–15:30, those with derivatives 09:15–15:15"),
        ("2026-12-07", "Shares trade 09:15–15:30"),
    ],
)
def test_the_hours_of_the_day_are_told_of_all_shares(day: str, words: str) -> None:
    on = date.fromisoformat(day)
    shares, with_derivatives = SegmentClass.CASH, SegmentClass.CASH_WITH_DERIVATIVES
    assert readiness.calendar_line(CALENDAR.day(shares, on), CALENDAR.day(with_derivatives, on)).words == words


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (-1, "Last alert today 11:00"),
        (-25, "Last alert Tue 24 Nov 11:00"),
        (25, "Last alert Thu 26 Nov 13:00, before the clock was set back"),
    ],
)
def test_the_last_alert_is_told_with_its_time(hours: int, words: str) -> None:
    assert readiness.last_alert_line(NOON + timedelta(hours=hours), NOON).words == words


async def test_a_fill_makes_the_desk_look_at_the_positions_once(floor: Floor) -> None:
    watching = watch(floor)
    await watching.look_when_due()
    assert points(floor) == []
    await floor.sent(quantity=10)
    floor.clock.pass_time(seconds=5)
    await floor.follow_book()
    await watching.look_when_due()
    await watching.look_when_due()
    [point] = points(floor)
    assert point.open_positions == 1


async def test_what_is_open_is_looked_at_again_and_once_after_the_close(floor: Floor) -> None:
    await floor.sent(quantity=10)
    with floor.database.transaction() as connection:
        pnl.record(connection, [a_position()], floor.clock.now())
    for minutes, looks in ((10, 1), (5, 2), (4 * 60, 3), (1, 3)):
        floor.clock.pass_time(minutes=minutes)
        await watch(floor).look_when_due()
        assert len(points(floor)) == looks


async def test_a_round_tells_what_is_due_and_keeps_still_otherwise(floor: Floor, tmp_path: Path) -> None:
    daily = Daily(database=floor.database, checkup=checkup(floor, tmp_path), calendar=CALENDAR, clock=floor.clock)
    rounds = Rounds(database=floor.database, daily=daily, pnl_watch=watch(floor), clock=floor.clock)
    await rounds.make()
    for minutes in (7 * 60, 14 * 60 - 10, 1):
        floor.clock.pass_time(minutes=minutes)
        await rounds.make()
    with floor.database.snapshot() as connection:
        kinds = list(connection.execute(select(outbox.c.kind)).scalars())
    assert kinds.count(Notice.DAY) == 1
    assert kinds.count(Notice.READINESS) == 1


@pytest.mark.sqlite("the bug is a trigger in its words")
@pytest.mark.parametrize(("told_in", "other"), [("daily.readiness", Notice.DAY), ("daily.summary", Notice.READINESS)])
async def test_a_bug_over_one_message_of_the_day_costs_no_other_and_is_met_seldom(
    floor: Floor, tmp_path: Path, told_in: str, other: Notice
) -> None:
    daily = Daily(database=floor.database, checkup=checkup(floor, tmp_path), calendar=CALENDAR, clock=floor.clock)
    rounds = Rounds(database=floor.database, daily=daily, pnl_watch=watch(floor), clock=floor.clock)
    await floor.sent(quantity=10)
    await rounds.make()
    with floor.database.transaction() as connection:
        connection.execute(
            text(
                f"CREATE TRIGGER a_bug BEFORE UPDATE ON settings WHEN OLD.key = '{told_in}' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    floor.clock.pass_time(hours=21)
    await floor.follow_book()
    with capture_logs() as lines:
        await rounds.make()
        await rounds.make()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["round_failed"]
    with floor.database.snapshot() as connection:
        kinds = set(connection.execute(select(outbox.c.kind)).scalars())
    assert kinds & {Notice.DAY, Notice.READINESS} == {other}
    assert points(floor)


async def test_a_desk_that_is_starting_reports_nothing_yet(floor: Floor, tmp_path: Path) -> None:
    daily = Daily(database=floor.database, checkup=checkup(floor, tmp_path), calendar=CALENDAR, clock=floor.clock)
    rounds = Rounds(database=floor.database, daily=daily, pnl_watch=watch(floor), clock=floor.clock)
    with floor.database.transaction() as connection:
        controls.put(connection, "daily.readiness", {"day": "2026-11-24"}, at=NOON, actor=journal.DESK)
        controls.set_hold(connection, Hold.STARTING, "starting", at=NOON, actor=journal.DESK)
    await rounds.make(has_started=False)
    assert cards(floor) == 0
    await rounds.make(has_started=True)
    assert cards(floor) == 1


def cards(floor: Floor) -> int:
    with floor.database.snapshot() as connection:
        return len(connection.execute(select(outbox.c.id).where(outbox.c.kind == Notice.READINESS)).all())


def test_the_last_look_of_a_day_stands_for_it(connection: Connection) -> None:
    for at, realised in ((NOON, 1), (NOON + timedelta(hours=1), 2), (NOON + timedelta(days=2), 3)):
        pnl.record(connection, [a_position(realised=Decimal(realised))], at)
    found = pnl.by_day(connection, NOON - timedelta(days=1), NOON + timedelta(days=5))
    assert {day.day: point.total for day, point in found.items()} == {25: Decimal(2), 27: Decimal(3)}


def a_position(realised: Decimal = Decimal(0)) -> Position:
    return Position(
        symbol="RELIANCE",
        segment="NSE_EQ",
        security_id="2885",
        product=None,
        product_name="CNC",
        net=10,
        average=Decimal(1400),
        realised=realised,
        unrealised=Decimal(0),
    )
