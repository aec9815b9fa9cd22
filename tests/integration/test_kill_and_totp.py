"""The stop switch and the authenticator at the command line, with Telegram and web down."""

import io
from pathlib import Path
from types import ModuleType

import pytest

from core import controls, journal
from core.cli import kill, pause, resume, totp, unkill
from core.clock import SystemClock
from core.controls import Hold
from core.db.engine import Database
from core.domain.order import OrderState
from core.errors import Refusal
from core.seal import Seal
from core.second_factor import SecondFactor
from core.settings import Settings, load
from tests.builders import an_order, fresh_address


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MUNSHI_DATA_DIR", str(tmp_path))
    fresh_address(tmp_path)
    return load()


def holds(settings: Settings) -> dict[Hold, str]:
    database = Database(settings.database)
    with database.snapshot() as connection:
        found = controls.holds(connection)
    database.close()
    return found


def test_a_kill_at_the_command_line_holds_until_it_is_released_there(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (kill.run(), kill.run()) == (0, 0)
    assert holds(settings) == {Hold.KILLED: "Stopped by command line with /kill."}
    assert (unkill.run(), unkill.run()) == (0, 0)
    assert holds(settings) == {}
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split(",")[0] for line in told] == [
        *("Killed", "It was killed already.", "Orders go out again", "It was not killed."),
    ]


def test_a_stop_at_the_command_line_tells_of_orders_that_are_being_sent(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(settings.database)
    with database.transaction() as connection:
        for _ in range(2):
            an_order(connection, state=OrderState.SUBMITTING)
    database.close()
    assert (pause.run(), kill.run()) == (0, 0)
    told = capsys.readouterr().out.splitlines()
    assert [line.partition("2 orders were on their way to Dhan already: ")[2] for line in told] == [
        "their cards tell what becomes of them."
    ] * 2


@pytest.mark.parametrize(
    ("let_go", "first"), [((resume, unkill), "Stopped by command line"), ((unkill, resume), "Paused by command line")]
)
def test_who_lets_go_of_one_hold_at_the_command_line_is_told_of_the_next(
    settings: Settings, capsys: pytest.CaptureFixture[str], let_go: tuple[ModuleType, ModuleType], first: str
) -> None:
    database = Database(settings.database)
    with database.transaction() as connection:
        controls.pause(connection, at=SystemClock().now(), actor=journal.COMMAND_LINE)
        controls.kill(connection, at=SystemClock().now(), actor=journal.COMMAND_LINE)
    database.close()
    for command in let_go:
        command.run()
    held, free = capsys.readouterr().out.splitlines()
    assert held.startswith(f"Nothing goes out yet: {first}")
    assert free.startswith("Orders go out again")


def test_a_resume_at_the_command_line_lets_the_desk_ask_dhan_whether_its_kill_switch_is_off(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(settings.database)
    with database.transaction() as connection:
        controls.pause(connection, at=SystemClock().now(), actor=journal.COMMAND_LINE)
        controls.follow_kill_switch(connection, True, at=SystemClock().now(), actor=journal.operator(42))
    database.close()
    assert resume.run() == 0
    assert holds(settings) == {Hold.KILL_SWITCH: controls.KILL_SWITCH_IS_ON}
    assert capsys.readouterr().out == (
        "Nothing goes out yet: Dhan's kill switch was on. The desk asks Dhan now, and lets orders out if it is off.\n"
    )


def test_a_wrong_code_enrols_no_authenticator(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("000000\n"))
    with pytest.raises(Refusal, match="nothing was enrolled"):
        totp.run()
    database = Database(settings.database)
    with database.snapshot() as connection:
        assert not SecondFactor(Seal(settings.token_keys)).is_enrolled(connection)
    database.close()
