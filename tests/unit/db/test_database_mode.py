"""Pretend money stays apart from real money: a database belongs to the mode that first opened it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.bootstrap import open_database
from core.db.migration import migrate
from core.errors import BadSettings
from core.settings import Mode, Settings, load
from tests.builders import empty_address


def settings(folder: Path, mode: Mode) -> Settings:
    live = {"dhan_client_id": "1", "telegram_bot_token": SecretStr("1:a"), "telegram_operators": "42"}
    return load(munshi_data_dir=folder, munshi_mode=mode, **(live if mode is Mode.LIVE else {}))


@pytest.mark.parametrize(("first", "then"), [(Mode.PAPER, Mode.LIVE), (Mode.LIVE, Mode.PAPER)])
def test_a_database_of_the_other_mode_is_refused(tmp_path: Path, first: Mode, then: Mode) -> None:
    empty_address(tmp_path)
    migrate(settings(tmp_path, first))
    open_database(settings(tmp_path, first)).close()
    with pytest.raises(BadSettings, match=f"MUNSHI_MODE: .*{first} mode") as refused:
        open_database(settings(tmp_path, then))
    chosen_by = "DATABASE_URL" if settings(tmp_path, then).database_url else "MUNSHI_DATA_DIR"
    assert f"a {chosen_by} of its own" in str(refused.value)


def test_the_cure_names_the_setting_that_chose_the_database(tmp_path: Path) -> None:
    empty_address(tmp_path)
    elsewhere = {"database_url": f"sqlite:///{tmp_path / 'elsewhere.db'}"}
    migrate(paper := settings(tmp_path, Mode.PAPER).model_copy(update=elsewhere))
    open_database(paper).close()
    with pytest.raises(BadSettings, match="give live mode a DATABASE_URL of its own"):
        open_database(settings(tmp_path, Mode.LIVE).model_copy(update=elsewhere))


def test_a_database_opens_again_in_its_own_mode(tmp_path: Path) -> None:
    empty_address(tmp_path)
    migrate(settings(tmp_path, Mode.PAPER))
    for _ in range(2):
        open_database(settings(tmp_path, Mode.PAPER)).close()
