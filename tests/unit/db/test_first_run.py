"""The first start on a machine, and starts on a machine that is not as it should be."""

from pathlib import Path

import pytest

from core.errors import BadSettings
from core.settings import Settings, load
from tests.builders import database_file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults(**settings: object) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        load(**settings)
    return refused.value.faults


def test_values_that_cannot_be_and_settings_that_are_missing_are_told_in_one_go() -> None:
    told = faults(munshi_mode="live", port="eighty", log_format="xml", admin_token="x", public_url="desk.example.com")
    assert [fault.partition(":")[0] for fault in told] == [
        "PORT",
        "LOG_FORMAT",
        "DHAN_CLIENT_ID",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_OPERATORS",
        "ADMIN_TOKEN",
        "PUBLIC_URL",
    ]


def test_a_wrong_mode_is_told_with_the_others_and_is_read_as_paper(folder: Path) -> None:
    told = faults(munshi_mode="real", port="0")
    assert [fault.partition(":")[0] for fault in told] == ["MUNSHI_MODE", "PORT"]
    assert "'paper' or 'live'" in told[0]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["webhook_secret", "admin_token", "postback_key"])
@pytest.mark.parametrize(
    "text",
    [
        "changeme-changeme",
        "CHANGE_ME_CHANGE_ME",
        "your-webhook-secret",
        "<paste the secret here>",
        "replace-me-with-a-secret",
        "aaaaaaaaaaaaaaaaaaaa",
        "abababababababababab",
    ],
)
def test_a_placeholder_is_no_secret(name: str, text: str) -> None:
    [fault] = faults(**{name: text})
    assert fault.startswith(f"{name.upper()}: ")
    assert text not in fault


@pytest.mark.parametrize(
    ("name", "text"),
    [("telegram_bot_token", "<token from BotFather>"), ("dhan_api_key", "your-api-key"), ("dhan_pin", "changeme")],
)
def test_an_account_that_was_copied_from_an_example_is_refused(name: str, text: str) -> None:
    other = {"dhan_api_key": {"dhan_api_secret": "a-secret-of-dhan"}, "dhan_pin": {"dhan_totp_secret": "A2" * 8}}
    [fault] = faults(**{name: text}, **other.get(name, {}))
    assert fault == f"{name.upper()}: this is an example's text; put your own value there, or leave it unset"


@pytest.mark.parametrize("mode", [0o750, 0o755, 0o770, 0o701])
def test_a_data_directory_that_others_may_enter_is_refused_with_the_cure(folder: Path, mode: int) -> None:
    data = folder / "data"
    data.mkdir()
    data.chmod(mode)
    [fault] = faults(munshi_data_dir=data)
    assert fault == f"MUNSHI_DATA_DIR: other users of this machine may read {data}; run: chmod 700 '{data}'"


@pytest.mark.sqlite("its file")
def test_every_file_that_others_may_read_is_named(folder: Path) -> None:
    load(munshi_data_dir=folder)
    for file in (folder / "admin_token", database_file(folder)):
        file.chmod(0o640)
    assert [fault.rpartition(": ")[2] for fault in faults(munshi_data_dir=folder)] == [
        f"chmod 600 '{folder / 'admin_token'}'",
        f"chmod 600 '{folder / 'munshi.db'}'",
    ]
    for file in (folder / "admin_token", folder / "munshi.db"):
        file.chmod(0o600)
    assert load(munshi_data_dir=folder)


def test_in_live_mode_the_env_file_is_its_owners_alone(folder: Path) -> None:
    live = {"munshi_mode": "live", "dhan_client_id": "1", "telegram_bot_token": "1:abc", "telegram_operators": "42"}
    (folder / ".env").write_text("")
    (folder / ".env").chmod(0o644)
    assert faults(**live) == [".env: other users of this machine may read .env; run: chmod 600 '.env'"]
    assert load().paper
    (folder / ".env").chmod(0o600)
    assert not load(**live | {"munshi_data_dir": folder / "live"}).paper


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("forwarded_allow_ips", "the proxy"),
        ("forwarded_allow_ips", "*"),
        ("tradingview_cert_header", "X Client: Cert"),
        ("oidc_keys_url", "http://keys.example.com"),
        ("log_level", "LOUD"),
        ("tradingview_ips_only", "perhaps"),
        ("public_url", "desk.example.com"),
    ],
)
def test_a_value_for_the_door_that_cannot_be_is_refused_by_its_name(name: str, value: str) -> None:
    [fault] = faults(**{name: value})
    assert fault.startswith(f"{name.upper()}: ")


@pytest.mark.parametrize("half", [{"oidc_audience": "desk"}, {"oidc_service_account": "cron@x.example"}])
def test_half_of_googles_sign_in_is_refused(half: dict[str, str]) -> None:
    [fault] = faults(**half)
    assert fault.startswith("OIDC_AUDIENCE and OIDC_SERVICE_ACCOUNT: ")


def test_switches_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADINGVIEW_IPS_ONLY", "true")
    monkeypatch.setenv("HTTP_DOCS", "false")
    settings: Settings = load()
    assert (settings.tradingview_ips_only, settings.http_docs) == (True, False)
