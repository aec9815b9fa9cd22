"""Dhan's kill switch ends with its day; the hold that was set for it ends with it."""

from pathlib import Path

import pytest

from core import controls
from core.broker.dhan.account import DhanAccount
from core.controls import KILL_SWITCH_IS_ON, Hold
from tests.unit.engine.floor import Floor
from tests.unit.engine.test_readiness import readiness

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
