"""Dhan's kill switch ends with its day; the hold that was set for it ends with it."""

from pathlib import Path

import pytest

from core import controls
from core.broker.dhan.account import DhanAccount
from core.controls import KILL_SWITCH_IS_ON, Hold
from core.domain.notice import Notice
from core.engine.readiness import ASK_AGAIN, TELL_AT_FAILURE
from tests.unit.engine.floor import Floor
from tests.unit.engine.test_readiness import readiness, rings

OTHER = "Dhan says that the account may not trade."


def set_hold(floor: Floor, hold: Hold, reason: str) -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, hold, reason, at=floor.clock.now(), actor="operator 42")


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
