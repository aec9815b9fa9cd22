"""`munshi doctor`, with a desk and without one."""

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from core import controls, notifications
from core.cli import main
from core.clock import SystemClock
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.readiness import disk_line
from core.settings import PaperAccount, Settings
from tests.builders import NOON, fresh_address


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("MUNSHI_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("PORT", str(free_port))
    monkeypatch.setenv("SANDBOX_PORT", str(free_port))


@pytest.mark.usefixtures("nobody_listens")
def test_without_a_desk_each_thing_that_is_missing_comes_with_its_fix(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh_address(data_dir)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    for line in (
        "✓ settings: paper mode",
        "✗ desk: none is running.\n    → start it",
        "✗ token: not signed in at Dhan.\n    → send /login",
        "✗ instruments: no list yet.",
        "✗ stand-ins: nothing answers at http://127.0.0.1:",
        "    → start the desk (munshi up), or give doctor the SANDBOX_PORT that it runs with",
        "✗ public address: nothing answers at http://127.0.0.1:",
        "    → start the desk (munshi up), or give doctor the PORT that it runs with",
    ):
        assert line in said
    assert "BotFather" not in said, "Telegram is not asked, and not blamed"
    assert "Dhan:" not in said
    assert PaperAccount.BOT_TOKEN not in said


@pytest.mark.usefixtures("nobody_listens", "data_dir")
def test_a_bot_of_ones_own_that_cannot_be_reached_is_still_looked_into(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], find_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:a-bot-of-ones-own")
    monkeypatch.setenv("TELEGRAM_OPERATORS", "42")
    monkeypatch.setenv("TELEGRAM_API_URL", f"http://127.0.0.1:{find_port()}/bot")
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "✗ stand-ins: nothing answers" in said
    assert "✗ Telegram: it cannot be reached.\n    → check TELEGRAM_BOT_TOKEN with @BotFather" in said


@pytest.mark.usefixtures("nobody_listens", "data_dir")
def test_before_the_first_start_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 1
    assert "✗ database: there is none yet.\n    → start the desk once" in capsys.readouterr().out


@pytest.mark.usefixtures("nobody_listens")
def test_a_data_directory_that_others_may_read_and_an_older_schema_are_named(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(fresh_address(data_dir))
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    database.close()
    assert main(["doctor"]) == 1
    assert "→ munshi migrate" in capsys.readouterr().out


@pytest.mark.usefixtures("nobody_listens")
def test_what_holds_orders_is_said(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database(fresh_address(data_dir))
    with database.transaction() as connection:
        controls.pause(connection, at=NOON, actor="operator 42")
    database.close()
    assert main(["doctor"]) == 1
    assert "✗ holds: Paused by operator 42." in capsys.readouterr().out


@pytest.mark.usefixtures("nobody_listens")
def test_a_message_that_waits_for_minutes_is_said(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database(fresh_address(data_dir))
    with database.transaction() as connection:
        notifications.enrol(connection, [(42, "admin")])
        notifications.ring(connection, Notice.HELD, at=SystemClock().now() - timedelta(hours=1), words="held")
    database.close()
    assert main(["doctor"]) == 1
    assert "✗ queue: 0 alerts not decided, oldest unsent message 36" in capsys.readouterr().out


@pytest.mark.usefixtures("nobody_listens", "data_dir")
def test_a_misspelt_setting_is_named_with_the_one_that_was_meant_and_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    (tmp_path / ".env").write_text("MUNSHI_MOED=canary-live\nSITE_ADDRESS=desk.example.com\n")
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "✓ settings: paper mode.\n" in said
    assert (
        "✗ settings: MUNSHI_MOED in .env is no setting, so it changes nothing.\n    → did you mean MUNSHI_MODE?" in said
    )
    assert "all in order" not in said
    assert "canary" not in said
    assert "SITE_ADDRESS" not in said


@pytest.mark.usefixtures("nobody_listens", "data_dir")
def test_room_on_the_disk_is_told_in_the_unit_of_the_readiness_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["doctor"])
    told = re.search(r"disk: (\S+) GB free", capsys.readouterr().out)
    assert told
    card = disk_line(shutil.disk_usage(tmp_path).free).words.split()[1]
    assert float(told[1]) == pytest.approx(float(card), abs=1), "what others write meanwhile is less than 1 GB"
