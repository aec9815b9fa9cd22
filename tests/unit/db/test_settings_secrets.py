"""Secrets: made once, kept to their owner, the same for every process, and never shown."""

import asyncio
import os
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core.errors import BadSettings
from core.settings import Settings, load
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
MADE = ("webhook_secret", "admin_token", "token_keys", "postback_key")
LOAD_ALL_WHEN_TOLD = """
import sys
from pathlib import Path
from core.settings import load

print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    settings = load(munshi_data_dir=Path(sys.argv[1]) / str(number))
    print(*(getattr(settings, name).get_secret_value() for name in ("webhook_secret", "admin_token", "token_keys")))
"""


def secrets_of(settings: Settings) -> list[str]:
    return [getattr(settings, name).get_secret_value() for name in MADE]


def test_secrets_are_made_at_the_first_start_and_stay_the_same(tmp_path: Path) -> None:
    first = secrets_of(load(munshi_data_dir=tmp_path))
    assert secrets_of(load(munshi_data_dir=tmp_path)) == first
    assert all(len(secret) >= 32 for secret in first)
    assert len(set(first)) == len(MADE)
    Fernet(first[2])


def test_every_desk_gets_secrets_of_its_own(tmp_path: Path) -> None:
    one, other = (secrets_of(load(munshi_data_dir=tmp_path / name)) for name in ("one", "other"))
    assert not set(one) & set(other)


def test_secrets_and_their_folder_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    load(munshi_data_dir=folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == dict.fromkeys(MADE, 0o600)


@pytest.mark.parametrize("name", MADE)
def test_an_emptied_secret_file_does_not_open_the_desk_to_everybody(tmp_path: Path, name: str) -> None:
    """A full disk or a slip of the hand may leave one: an alert without a secret must not match it."""
    load(munshi_data_dir=tmp_path)
    (tmp_path / name).write_text("\n")
    try:
        settings = load(munshi_data_dir=tmp_path)
    except BadSettings as refused:
        assert name.upper() in str(refused)  # noqa: PT017 - refusing is as good as making a new one
    else:
        assert all(secrets_of(settings))


def test_a_secret_that_is_set_is_used_and_not_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "canary-canary-canary")
    settings = load(munshi_data_dir=tmp_path)
    assert settings.webhook_secret.get_secret_value() == "canary-canary-canary"
    assert not (tmp_path / "webhook_secret").exists()


def test_settings_may_come_from_a_folder_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = tmp_path / "secrets"
    mounted.mkdir()
    (mounted / "webhook_secret").write_text("from-a-mounted-file\n")
    (mounted / "port").write_text("9090")
    monkeypatch.setenv("MUNSHI_SECRETS_DIR", str(mounted))
    settings = load(munshi_data_dir=tmp_path / "data")
    assert (settings.webhook_secret.get_secret_value(), settings.port) == ("from-a-mounted-file", 9090)


def test_secrets_are_not_shown_with_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEBHOOK_SECRET", "ADMIN_TOKEN", "DHAN_API_KEY", "DHAN_API_SECRET", "DHAN_PIN", "TELEGRAM_BOT_TOKEN"):
        monkeypatch.setenv(name, f"canary-canary-{name}")
    monkeypatch.setenv("DHAN_TOTP_SECRET", "CANARYCANARYCANA")
    settings = load(munshi_data_dir=tmp_path)
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "canary" not in shown.lower()
    assert settings.token_keys.get_secret_value() not in shown


def test_settings_do_not_change_under_a_running_desk(tmp_path: Path) -> None:
    settings = load(munshi_data_dir=tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 9090


async def test_two_processes_that_start_together_agree_on_every_secret(tmp_path: Path) -> None:
    loaders = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LOAD_ALL_WHEN_TOLD, str(tmp_path)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    async with asyncio.timeout(PATIENCE):
        for loader in loaders:
            assert loader.stdout
            assert await loader.stdout.readline() == b"ready\n"
        outputs = await asyncio.gather(*(loader.communicate(b"go\n") for loader in loaders))
    assert [loader.returncode for loader in loaders] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(outputs[0][0].splitlines()) == 20
    assert {name for _, _, names in os.walk(tmp_path) for name in names} == set(MADE)


def test_two_containers_with_the_same_process_id_agree_too(tmp_path: Path) -> None:
    def load_all(_which: int) -> list[str]:
        started.wait()
        return [load(munshi_data_dir=tmp_path / str(n)).webhook_secret.get_secret_value() for n in range(100)]

    started = threading.Barrier(2)
    with ThreadPoolExecutor(2) as containers:
        one, other = containers.map(load_all, range(2))
    assert one == other
