"""`munshi doctor` beside a running desk."""

import pytest

from core.cli import main
from tests.world import World


def test_with_a_running_desk_all_is_well_and_nothing_is_caused(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUNSHI_DATA_DIR", str(world.settings.munshi_data_dir))
    monkeypatch.setenv("PORT", str(world.settings.port))
    monkeypatch.setenv("SANDBOX_PORT", str(world.settings.sandbox_port))
    world.settings.munshi_data_dir.chmod(0o700)
    before = world.placements()
    world.until(lambda: main(["doctor"]) == 0, "all is well, once the day's instruments are there")
    said = capsys.readouterr().out
    assert "All is well." in said
    for subject in ("desk", "token", "Dhan", "address", "clock", "Telegram", "operator", "public address"):
        assert f"✓ {subject}:" in said
    assert world.placements() == before
    assert world.health()["token_valid"]
