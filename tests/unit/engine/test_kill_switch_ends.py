"""Dhan's kill switch ends with its day; the hold that was set for it ends with it."""

from pathlib import Path

import pytest

from core import controls
from core.broker.dhan.account import DhanAccount
from core.controls import KILL_SWITCH_IS_ON, Hold
from tests.unit.engine.floor import Floor
from tests.unit.engine.test_readiness import readiness

OTHER = "Dhan says that the account may not trade."


def set_hold(floor: Floor, reason: str) -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, Hold.NO_ACCESS, reason, at=floor.clock.now(), actor="operator 42")


def hold(floor: Floor) -> str | None:
    with floor.database.snapshot() as connection:
        return controls.holds(connection).get(Hold.NO_ACCESS)


@pytest.mark.parametrize(
    ("reason", "is_on", "left"),
    [(KILL_SWITCH_IS_ON, True, KILL_SWITCH_IS_ON), (KILL_SWITCH_IS_ON, False, None), (OTHER, False, OTHER)],
    ids=["still on", "over", "another hold"],
)
async def test_the_look_before_a_window_lifts_the_hold_of_a_switch_that_is_off(
    floor: Floor, tmp_path: Path, reason: str, *, is_on: bool, left: str | None
) -> None:
    await DhanAccount(floor.broker).stop(is_on)
    set_hold(floor, reason)
    await readiness(floor, tmp_path).check_when_due()
    assert hold(floor) == left
