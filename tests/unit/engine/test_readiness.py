"""Before each window the desk makes sure that orders will get through, and says what is wrong while there is time."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core import controls, market_days
from core.addresses import AddressBook
from core.broker.dhan.account import DhanAccount
from core.controls import Hold
from core.db import logins
from core.db.overrides import Change
from core.db.tables import outbox
from core.domain.instrument import Market
from core.domain.login import LoginRefusal, LoginState, Way
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.domain.preflight import checks, is_reminding_time, needed_through
from core.engine.readiness import Readiness
from core.errors import BrokerUnavailable, Refusal, SignInNeeded
from tests.builders import CALENDAR
from tests.integration.paper_dhan import india
from tests.unit.engine.door import BY_LINK
from tests.unit.engine.floor import Floor, settings_for

WEDNESDAY, SATURDAY = date(2026, 11, 25), date(2026, 11, 28)
HERE, ELSEWHERE = "9.9.9.9", "1.1.1.1"


@pytest.fixture
def book(floor: Floor) -> AddressBook:
    return AddressBook(floor.database, floor.broker, floor.clock)


def readiness(floor: Floor, folder: Path, account: Any = None, **settings: str) -> Readiness:
    return Readiness(
        database=floor.database,
        broker=floor.broker,
        account=account or DhanAccount(floor.broker),
        addresses=AddressBook(floor.database, floor.broker, floor.clock),
        calendar=CALENDAR,
        settings=settings_for(floor.dhan, folder, **settings),
        clock=floor.clock,
    )


def rings(floor: Floor, kind: Notice) -> list[dict[str, Any]]:
    with floor.database.snapshot() as connection:
        found = connection.execute(select(outbox.c.payload).where(outbox.c.kind == kind).order_by(outbox.c.id))
        return [dict(payload) for payload in found.scalars()]


def hold(floor: Floor) -> str | None:
    with floor.database.snapshot() as connection:
        return controls.holds(connection).get(Hold.INVALID_IP)


def test_checks_come_before_the_open_and_before_the_after_market_window() -> None:
    times = {f"{moment:%H:%M}" for moment in checks(CALENDAR, WEDNESDAY)}
    assert {"08:45", "09:05", "09:13", "16:30", "16:50", "16:58"} <= times
    assert checks(CALENDAR, SATURDAY) == []


@pytest.mark.parametrize(
    ("at", "through"),
    [
        ("2026-11-25 08:14", None),
        ("2026-11-25 08:15", "2026-11-25 15:30"),
        ("2026-11-25 09:14", "2026-11-25 15:30"),
        ("2026-11-25 09:15", None),
        ("2026-11-28 08:30", None),
        ("2026-11-24 08:15", "2026-11-24 23:55"),
        ("2026-11-24 16:59", "2026-11-24 23:55"),
        ("2026-11-24 17:00", None),
    ],
)
def test_in_the_morning_a_sign_in_should_last_through_the_session(at: str, through: str | None) -> None:
    assert needed_through(CALENDAR, india(at)) == (india(through) if through else None)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-25 08:29", False),
        ("2026-11-25 08:30", True),
        ("2026-11-25 09:15", False),
        ("2026-11-28 08:30", False),
        ("2026-11-24 08:30", True),
        ("2026-11-24 17:00", False),
    ],
)
def test_reminders_are_of_trading_mornings(at: str, due: bool) -> None:
    assert is_reminding_time(CALENDAR, india(at)) is due


@pytest.mark.fault("TK-03")
async def test_a_token_that_died_early_is_found_before_the_window_without_an_order(
    floor: Floor, tmp_path: Path
) -> None:
    watch = readiness(floor, tmp_path)
    await watch.check_when_due()
    floor.dhan.end_token()
    await watch.check_when_due()
    floor.clock.instant = india("2026-11-25 16:30")
    with pytest.raises(SignInNeeded):
        await watch.check_when_due()
    assert floor.dhan.ledger()["placements"] == 0


async def test_a_dhan_that_cannot_say_holds_nothing_up(floor: Floor, tmp_path: Path) -> None:
    watch = readiness(floor, tmp_path)
    floor.dhan.script("ip", "status", status=404, body="")
    await watch.check_when_due()
    assert hold(floor) is None


async def test_an_address_that_stays_unknown_is_told_once_for_a_window_and_asked_for_ever_less_often(
    floor: Floor, tmp_path: Path
) -> None:
    watch = readiness(floor, tmp_path)
    await watch.check_when_due()
    floor.dhan.arrange_addresses(primary=HERE, detected=ELSEWHERE)
    floor.dhan.script("ip", "status", status=404, body={"status": 404, "error": "Not Found"}, times=40)

    async def look_all_the_time(start: str, minutes: float) -> None:
        floor.clock.instant = india(start)
        for _ in range(int(minutes * 6)):
            await watch.check_when_due()
            floor.clock.pass_time(seconds=10)

    await look_all_the_time("2026-11-25 16:30", 1)
    assert rings(floor, Notice.BLIND) == []
    await look_all_the_time("2026-11-25 16:31", 150)
    [told] = rings(floor, Notice.BLIND)
    assert told["words"].startswith("Dhan does not say which addresses it takes orders from (Dhan answered 404")
    assert hold(floor) is None
    await look_all_the_time("2026-11-26 08:30", 44)
    assert len(rings(floor, Notice.BLIND)) == 2
    assert ELSEWHERE in (hold(floor) or "")


@pytest.mark.fault("TK-18")
async def test_a_changed_address_holds_orders_before_the_window_and_rings_once(floor: Floor, tmp_path: Path) -> None:
    watch = readiness(floor, tmp_path)
    floor.dhan.arrange_addresses(primary=HERE, detected=HERE)
    await watch.check_when_due()
    assert hold(floor) is None
    floor.dhan.arrange_addresses(primary=HERE, detected=ELSEWHERE)
    for at in ("16:30", "16:31", "16:50"):
        floor.clock.instant = india(f"2026-11-25 {at}")
        await watch.check_when_due()
    [told] = rings(floor, Notice.HELD)
    assert told["words"] == hold(floor)
    assert told["words"] == (
        f"Orders would come from {ELSEWHERE}, but Dhan takes them from {HERE} only: go back to that address, or "
        "register this one with /ip set, which then is fixed for 7 days."
    )
    floor.dhan.arrange_addresses(primary=HERE, detected=HERE)
    floor.clock.instant = india("2026-11-25 16:58")
    await watch.check_when_due()
    assert hold(floor) is None


async def test_without_any_registered_address_the_way_out_is_named(floor: Floor, book: AddressBook) -> None:
    floor.dhan.arrange_addresses(primary="NA", detected=HERE)
    await book.check()
    assert hold(floor) == (
        f"No address is registered at Dhan, so it refuses every order: register this machine's, {HERE}, with /ip set."
    )


async def test_what_dhan_does_not_say_neither_holds_nor_lets_go(floor: Floor, book: AddressBook) -> None:
    floor.dhan.arrange_addresses(primary=HERE, terse=True)
    await book.check()
    assert hold(floor) is None
    with floor.database.transaction() as connection:
        controls.set_hold(connection, Hold.INVALID_IP, "Invalid IP", at=floor.clock.now(), actor="dhan")
    await book.check()
    assert hold(floor) == "Invalid IP"


async def test_a_hold_that_a_refused_order_set_outlives_a_check_that_finds_nothing_wrong(
    floor: Floor, book: AddressBook
) -> None:
    floor.dhan.script("place", "status", status=400, body={"errorCode": "DH-905", "errorMessage": "Invalid IP"})
    assert (await floor.sent()).state is OrderState.QUEUED
    assert (await book.check()).allowed
    assert "registered addresses only" in (hold(floor) or "")
    proposal = await book.propose(HERE, "operator 42")
    await book.register(proposal.nonce, "operator 42")
    assert hold(floor) is None


async def test_an_address_is_registered_after_a_yes_and_orders_go_out_again(floor: Floor, book: AddressBook) -> None:
    floor.dhan.arrange_addresses(primary="NA", detected=HERE)
    await book.check()
    proposal = await book.propose("", "operator 42")
    assert (proposal.address, proposal.slot, proposal.replaces) == (HERE, "PRIMARY", "")
    assert (await book.check()).primary.address == ""
    registered = await book.register(proposal.nonce, "operator 42")
    assert registered.primary.address == HERE
    assert hold(floor) is None
    with pytest.raises(Refusal, match="out of date"):
        await book.register(proposal.nonce, "operator 42")


async def test_a_full_account_gets_the_address_that_may_be_changed(floor: Floor, book: AddressBook) -> None:
    fixed = {"primary": "2026-12-01"}
    floor.dhan.arrange_addresses(primary="203.0.113.1", secondary="203.0.113.2", free_from=fixed, detected=HERE)
    proposal = await book.propose("", "operator 42")
    assert (proposal.slot, proposal.replaces) == ("SECONDARY", "203.0.113.2")
    assert (await book.register(proposal.nonce, "operator 42")).secondary.address == HERE


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("", "registered already"),
        ("8.8.8.8", "Both addresses are fixed for 7 days; Dhan changes none of them before Tue 1 Dec."),
        ("my server", "is no address"),
        ("203.0.113.999", "is no address"),
        ("10.0.0.5", "10.0.0.5 is no address of the public internet"),
        ("127.0.0.1", "is no address of the public internet"),
        ("169.254.1.1", "is no address of the public internet"),
        ("224.0.0.1", "is no address of the public internet"),
        ("203.0.113.24", "is no address of the public internet"),
        ("fe80::1", "is no address of the public internet"),
        ("::ffff:10.0.0.5", "is no address of the public internet"),
        ("::ffff:9.9.9.9", "9.9.9.9 is registered already"),
    ],
)
async def test_what_cannot_be_registered_is_said_before_the_question(
    floor: Floor, book: AddressBook, wanted: str, words: str
) -> None:
    fixed = {"primary": "2026-12-01", "secondary": "2026-12-02"}
    floor.dhan.arrange_addresses(primary=HERE, secondary="203.0.113.2", free_from=fixed, detected=HERE)
    with pytest.raises(Refusal, match=words.replace(".", r"\.")):
        await book.propose(wanted, "operator 42")


async def test_where_dhan_does_not_name_our_address_the_operator_has_to(floor: Floor, book: AddressBook) -> None:
    floor.dhan.arrange_addresses(primary="NA", terse=True)
    with pytest.raises(Refusal, match="Name it"):
        await book.propose("", "operator 42")
    assert (await book.propose("2620:00FE:0:0::fe", "operator 42")).address == "2620:fe::fe"


async def test_an_address_inside_a_network_is_not_registered_although_dhan_names_it(
    floor: Floor, book: AddressBook
) -> None:
    floor.dhan.arrange_addresses(primary="NA", detected="192.168.1.20")
    with pytest.raises(Refusal, match="no address of the public internet"):
        await book.propose("", "operator 42")


async def test_an_old_yes_and_a_refused_one_register_nothing(floor: Floor, book: AddressBook) -> None:
    floor.dhan.arrange_addresses(primary="NA", detected=HERE)
    proposal = await book.propose("", "operator 42")
    floor.clock.pass_time(minutes=11)
    with pytest.raises(Refusal, match="out of date"):
        await book.register(proposal.nonce, "operator 42")
    proposal = await book.propose("", "operator 42")
    floor.dhan.script("set_ip", "status", status=200, body=[{"message": "IP in use by another", "status": "ERROR"}])
    with pytest.raises(Refusal, match="IP in use by another"):
        await book.register(proposal.nonce, "operator 42")
    floor.dhan.script("set_ip", "drop_after")
    proposal = await book.propose("", "operator 42")
    with pytest.raises(BrokerUnavailable):
        await book.register(proposal.nonce, "operator 42")


async def test_two_hours_before_its_end_a_sign_in_is_asked_for_once(floor: Floor, tmp_path: Path) -> None:
    watch = readiness(floor, tmp_path, **BY_LINK)
    ends = floor.clock.now() + timedelta(hours=24)
    floor.clock.instant = ends - timedelta(hours=2, minutes=2)
    await watch.remind_when_due()
    assert rings(floor, Notice.SIGN_IN) == []
    for _ in range(4):
        floor.clock.pass_time(minutes=2)
        await watch.remind_when_due()
    [asked] = rings(floor, Notice.SIGN_IN)
    assert asked["words"] == "The sign-in at Dhan ends at 12:00: sign in again, or orders wait."
    assert asked["login"]


async def test_in_the_morning_a_sign_in_that_will_not_last_is_asked_for(floor: Floor, tmp_path: Path) -> None:
    watch = readiness(floor, tmp_path, **BY_LINK)
    for at in ("08:28", "08:30", "08:45", "09:10"):
        floor.clock.instant = india(f"2026-11-26 {at}")
        await watch.remind_when_due()
    [asked] = rings(floor, Notice.SIGN_IN)
    assert asked["words"] == "The sign-in at Dhan ends at 12:00 today: sign in again first."


async def test_a_desk_that_signs_in_by_itself_asks_nobody(floor: Floor, tmp_path: Path) -> None:
    watch = readiness(floor, tmp_path)
    for at in ("2026-11-26 08:28", "2026-11-26 08:30", "2026-11-26 10:30", "2026-11-26 13:00"):
        floor.clock.instant = india(at)
        await watch.remind_when_due()
    assert rings(floor, Notice.SIGN_IN) == []


def refuse_pin(floor: Floor, *times: str) -> None:
    with floor.database.transaction() as connection:
        for at in map(india, times):
            tried = logins.start(connection, Way.TOTP, LoginState.REQUESTED, by="desk", at=at)
            logins.fail(connection, tried, LoginRefusal.WRONG_PIN, "signing in failed: Invalid Pin", at)


async def test_a_desk_that_may_not_try_again_today_says_so_before_its_sign_in_ends(
    floor: Floor, tmp_path: Path
) -> None:
    watch = readiness(floor, tmp_path)
    refuse_pin(floor, "2026-11-26 08:15")
    for at in ("08:28", "08:30"):
        floor.clock.instant = india(f"2026-11-26 {at}")
        await watch.remind_when_due()
    assert rings(floor, Notice.SIGN_IN) == []
    refuse_pin(floor, "2026-11-26 08:31")
    for at in ("08:32", "08:45"):
        floor.clock.instant = india(f"2026-11-26 {at}")
        await watch.remind_when_due()
    [asked] = rings(floor, Notice.SIGN_IN)
    assert asked["words"].startswith(
        "The sign-in at Dhan ends at 12:00 today: sign in again first. The desk cannot: signing in failed: Invalid "
        "Pin. Dhan refused PIN and one-time code twice today"
    )
    assert asked["login"]
    for at in ("09:50", "10:05", "10:30"):
        floor.clock.instant = india(f"2026-11-26 {at}")
        await watch.remind_when_due()
    assert len(rings(floor, Notice.SIGN_IN)) == 2


@pytest.mark.parametrize(
    ("made", "at", "words"),
    [
        ("2026-11-23 12:00", ("08:28", "08:30", "08:45"), "ends at 12:00 today: sign in again first."),
        ("2026-11-23 19:30", ("17:20", "17:35", "18:30"), "ends at 19:30: sign in again, or orders wait."),
    ],
)
async def test_a_day_on_which_only_commodities_trade_is_a_trading_day(
    floor: Floor, tmp_path: Path, made: str, at: tuple[str, ...], words: str
) -> None:
    floor.clock.instant = india(made)
    assert await floor.session.sign_in_anew() is None
    watch = readiness(floor, tmp_path, **BY_LINK)
    for moment in at:
        floor.clock.instant = india(f"2026-11-24 {moment}")
        await watch.remind_when_due()
    [asked] = rings(floor, Notice.SIGN_IN)
    assert words in asked["words"]


async def test_in_the_morning_a_desk_that_is_signed_out_is_said_again(floor: Floor, tmp_path: Path) -> None:
    floor.clock.pass_time(hours=2)
    await floor.session.die("Invalid Token", floor.session.serial)
    watch = readiness(floor, tmp_path, **BY_LINK)
    for at in ("08:28", "08:30", "08:40"):
        floor.clock.instant = india(f"2026-11-26 {at}")
        await watch.remind_when_due()
    [asked] = rings(floor, Notice.SIGN_IN)
    assert "not signed in at Dhan" in asked["words"]


async def test_on_a_saturday_nobody_is_told_of_a_sign_in_that_ends(floor: Floor, tmp_path: Path) -> None:
    floor.clock.instant = india("2026-11-27 12:00")
    assert await floor.session.keep()
    watch = readiness(floor, tmp_path, **BY_LINK)
    for at in ("10:30", "10:45", "11:00"):
        floor.clock.instant = india(f"2026-11-28 {at}")
        await watch.remind_when_due()
    assert rings(floor, Notice.SIGN_IN) == []


async def test_a_day_that_the_operator_closed_has_no_morning(floor: Floor, tmp_path: Path) -> None:
    ends, thursday = india("2026-11-27 00:00"), date(2026, 11, 26)
    closed = [
        Change(day=thursday, market=market, is_open=False, reason="election", expires_at=ends) for market in Market
    ]
    with floor.database.transaction() as connection:
        at = floor.clock.now()
        market_days.confirm(connection, market_days.ask(connection, closed, by="me", at=at), CALENDAR, by="me", at=at)
    watch = readiness(floor, tmp_path, **BY_LINK)
    for at in ("08:28", "08:30", "08:45"):
        floor.clock.instant = india(f"2026-11-26 {at}")
        await watch.remind_when_due()
    assert rings(floor, Notice.SIGN_IN) == []
