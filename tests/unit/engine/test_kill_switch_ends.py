"""Dhan's kill switch ends with its day; the hold that was set for it ends with it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core import controls, journal
from core.broker.dhan.account import DhanAccount
from core.controls import KILL_SWITCH_IS_ON, Hold
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine.readiness import ASK_AGAIN, BETWEEN_LIFTS, TELL_AT_FAILURE
from tests.unit.engine.floor import Floor
from tests.unit.engine.test_readiness import readiness, rings

OTHER = "Dhan says that the account may not trade."


def set_hold(floor: Floor, hold: Hold, reason: str, actor: str = "operator 42") -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, hold, reason, at=floor.clock.now(), actor=actor)


def holds(floor: Floor) -> list[Hold]:
    with floor.database.snapshot() as connection:
        return list(controls.holds(connection))


@pytest.mark.parametrize(
    ("hold", "reason", "is_on", "left"),
    [
        (Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, True, [Hold.KILL_SWITCH]),
        (Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, False, []),
        (Hold.NO_ACCESS, OTHER, False, [Hold.NO_ACCESS]),
    ],
    ids=["still on", "over", "another hold"],
)
async def test_the_look_before_a_window_lifts_the_hold_of_a_switch_that_is_off(
    floor: Floor, tmp_path: Path, hold: Hold, reason: str, *, is_on: bool, left: list[Hold]
) -> None:
    await DhanAccount(floor.broker).stop(is_on)
    set_hold(floor, hold, reason)
    await readiness(floor, tmp_path).check_when_due()
    assert holds(floor) == left


async def test_the_hold_of_a_switch_that_is_off_ends_where_dhan_does_not_say_its_addresses(
    floor: Floor, tmp_path: Path
) -> None:
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON)
    floor.dhan.script("ip", "status", status=404, body="")
    await readiness(floor, tmp_path).check_when_due()
    assert holds(floor) == []


async def test_a_switch_of_which_dhan_does_not_say_how_it_stands_is_told_as_that_and_asked_about_again(
    floor: Floor, tmp_path: Path
) -> None:
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON)
    floor.dhan.script("kill_switch", "status", status=500, body="", times=TELL_AT_FAILURE)
    watch = readiness(floor, tmp_path)
    for doublings in range(TELL_AT_FAILURE):
        assert (holds(floor), rings(floor, Notice.BLIND)) == ([Hold.KILL_SWITCH], [])
        await watch.check_when_due()
        floor.clock.pass_time(seconds=ASK_AGAIN.total_seconds() * 2**doublings)
    [told] = rings(floor, Notice.BLIND)
    assert told["words"] == (
        "Dhan does not say whether its kill switch is still on (Dhan answered 500, which says nothing). Orders wait "
        "for that: /killswitch asks again."
    )
    await watch.check_when_due()
    assert holds(floor) == []


LATE = {"kind": "late_reject", "text": "RMS:9:Kill Switch is activated by the client"}
AT_ONCE = {
    "kind": "status",
    "status": 400,
    "body": {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Kill switch is on"},
}


async def refused_for_the_switch(floor: Floor, refusal: dict[str, Any]) -> None:
    floor.dhan.script("place", **refusal)
    await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    assert holds(floor) == [Hold.KILL_SWITCH]


@pytest.mark.parametrize("refusal", [LATE, AT_ONCE], ids=["rejected later", "refused at once"])
async def test_dhan_is_asked_at_once_about_a_switch_for_which_it_refused_an_order(
    floor: Floor, tmp_path: Path, refusal: dict[str, Any]
) -> None:
    watch = readiness(floor, tmp_path)
    await watch.check_when_due()
    await refused_for_the_switch(floor, refusal)
    await watch.check_when_due()
    assert holds(floor) == []
    assert (await floor.sent()).state is OrderState.WORKING


async def test_it_is_asked_once_while_the_switch_is_on_and_then_before_the_next_window(
    floor: Floor, tmp_path: Path
) -> None:
    account, watch = DhanAccount(floor.broker), readiness(floor, tmp_path)
    await watch.check_when_due()
    await refused_for_the_switch(floor, LATE)
    await account.stop(True)
    await watch.check_when_due()
    await account.stop(False)
    floor.clock.pass_time(minutes=30)
    await watch.check_when_due()
    assert holds(floor) == [Hold.KILL_SWITCH]
    floor.clock.pass_time(hours=5)
    await watch.check_when_due()
    assert holds(floor) == []


async def test_a_hold_of_the_operators_own_switch_is_not_asked_about_at_once(floor: Floor, tmp_path: Path) -> None:
    """Dhan may be slower to show the switch than to take it."""
    watch = readiness(floor, tmp_path)
    await watch.check_when_due()
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON)
    await watch.check_when_due()
    assert holds(floor) == [Hold.KILL_SWITCH]


class TurnedOnMeanwhile(DhanAccount):
    """Its switch is turned on in the chat while the desk is told that it is off."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor.broker)
        self._floor = floor

    async def is_stopped(self) -> bool:
        was_on, at = await super().is_stopped(), self._floor.clock.now()
        with self._floor.database.transaction() as connection:
            controls.follow_kill_switch(connection, True, at=at, actor="operator 42")
        return was_on


async def test_a_switch_that_is_turned_on_while_dhan_is_asked_holds(floor: Floor, tmp_path: Path) -> None:
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, journal.DHAN)
    floor.clock.pass_time(seconds=1)
    await readiness(floor, tmp_path, TurnedOnMeanwhile(floor)).check_when_due()
    assert holds(floor) == [Hold.KILL_SWITCH]


async def test_dhan_is_asked_at_once_where_somebody_resumes_at_the_command_line(floor: Floor, tmp_path: Path) -> None:
    watch = readiness(floor, tmp_path)
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, journal.DHAN)
    await watch.check_when_due()
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON)
    with floor.database.transaction() as connection:
        at = floor.clock.now() + timedelta(seconds=1)
        assert not controls.resume(connection, at=at, actor=journal.COMMAND_LINE, kill_switch_is_on=True)
    await watch.check_when_due()
    assert holds(floor) == []


async def test_a_switch_for_which_dhan_goes_on_refusing_while_it_says_off_is_asked_about_seldom(
    floor: Floor, tmp_path: Path
) -> None:
    watch = readiness(floor, tmp_path)
    left: list[list[Hold]] = []
    for pause in (timedelta(), timedelta(seconds=1), BETWEEN_LIFTS):
        floor.clock.pass_time(seconds=pause.total_seconds())
        set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, journal.DHAN)
        await watch.check_when_due()
        left.append(holds(floor))
    assert left == [[], [Hold.KILL_SWITCH], []]


async def test_a_switch_of_which_dhan_does_not_say_how_it_stands_is_asked_about_ever_more_seldom(
    floor: Floor, tmp_path: Path
) -> None:
    watch = readiness(floor, tmp_path)
    await watch.check_when_due()
    set_hold(floor, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, journal.DHAN)
    floor.dhan.script("kill_switch", "status", status=500, body="")
    await watch.check_when_due()
    await watch.check_when_due()
    assert holds(floor) == [Hold.KILL_SWITCH]
    floor.clock.pass_time(seconds=ASK_AGAIN.total_seconds())
    await watch.check_when_due()
    assert holds(floor) == []
