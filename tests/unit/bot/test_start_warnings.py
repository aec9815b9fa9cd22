"""What a start warns of: settings that are given and change nothing."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.__main__ import say_what_is_not_used
from core.settings import Settings, load


@pytest.fixture(autouse=True)
def dot_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    return tmp_path / ".env"


def test_all_slips_in_the_file_are_one_line_that_has_no_value_in_it(dot_env: Path) -> None:
    dot_env.write_text("MUNSHI_MOED=canary-live\nTELEGRAM_TOKEN=1:canary\n")
    with capture_logs() as logs:
        say_what_is_not_used(load())
    [line] = logs
    assert (line["event"], line["log_level"], line["file"]) == ("unknown_settings", "warning", ".env")
    assert line["names"] == ("MUNSHI_MOED: did you mean MUNSHI_MODE?; TELEGRAM_TOKEN: did you mean TELEGRAM_BOT_TOKEN?")
    assert "canary" not in str(line)


def test_a_file_of_real_names_is_not_worth_a_word(dot_env: Path) -> None:
    dot_env.write_text("MUNSHI_MODE=paper\nSITE_ADDRESS=desk.example.com\n")
    with capture_logs() as logs:
        say_what_is_not_used(load())
    assert logs == []
