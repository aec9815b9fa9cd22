"""Secrets from Google Secret Manager, over HTTP to a stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import BadSettings
from core.secrets.google import SecretManager, SecretsUnavailable, crc32c, keep_token
from core.settings import load
from tests.integration.paper_google import PROJECT, PaperGoogle, paper_google

CANARY = "canary-payload"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[PaperGoogle]:
    with paper_google(dhan_client_id="1100000001", dhan_pin=CANARY, dhan_access_token="old") as google:
        monkeypatch.setenv("GCE_METADATA_HOST", google.host)
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", google.url)
        yield google


def test_the_latest_version_of_a_secret_is_read(google: PaperGoogle) -> None:
    google.secrets["dhan-pin"].append("654321\n")
    with SecretManager(PROJECT) as manager:
        assert manager.read("dhan-pin") == "654321"
        assert manager.read("dhan-api-key") is None


@pytest.mark.usefixtures("google")
def test_the_project_is_the_machines_own_unless_it_is_named() -> None:
    with SecretManager(None) as manager:
        assert manager.read("dhan-pin") == CANARY
    with SecretManager("another") as manager:
        assert manager.read("dhan-pin") is None


@pytest.mark.parametrize(("lives", "asked"), [(3599, 1), (59, 3)])
def test_the_machines_token_is_used_until_a_minute_before_it_ends(google: PaperGoogle, lives: int, asked: int) -> None:
    google.token_lives = lives
    with SecretManager(PROJECT) as manager:
        for _ in range(3):
            manager.read("dhan-pin")
    assert google.tokens_given == asked


def test_a_new_version_is_added_and_read_back(google: PaperGoogle) -> None:
    keep_token(PROJECT, "new-token")
    assert google.secrets["dhan-access-token"] == ["old", "new-token"]


def test_a_secret_without_a_version_counts_as_none_until_its_first_is_added(
    google: PaperGoogle, tmp_path: Path
) -> None:
    google.secrets = {"dhan-access-token": []}
    assert load(munshi_data_dir=tmp_path, secrets_backend="gcp").dhan_access_token is None
    keep_token(PROJECT, "the-first")
    with SecretManager(PROJECT) as manager:
        assert manager.read("dhan-access-token") == "the-first"


def disable(google: PaperGoogle) -> None:
    google.secrets["dhan-pin"].append("")


@pytest.mark.parametrize(
    ("arrange", "error", "words"),
    [
        (lambda g: g.refused.add("dhan-pin"), BadSettings, "secret dhan-pin: give it the role roles/secretmanager.sec"),
        (disable, BadSettings, "the latest version of the secret dhan-pin is disabled or destroyed"),
        (lambda g: setattr(g, "damaged", True), SecretsUnavailable, "the secret dhan-pin arrived damaged"),
        (lambda g: setattr(g, "down", True), SecretsUnavailable, "answered 503 UNAVAILABLE for the secret dhan-pin"),
        (lambda g: setattr(g, "stranger", True), SecretsUnavailable, "metadata server is another one"),
    ],
)
def test_what_goes_wrong_is_said_with_the_secrets_name_and_never_its_text(
    google: PaperGoogle, arrange: "object", error: type[Exception], words: str
) -> None:
    arrange(google)  # type: ignore[operator]
    with SecretManager(PROJECT) as manager, pytest.raises(error, match=words) as raised:
        manager.read("dhan-pin")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda g: g.refused.add("dhan-access-token"), "roles/secretmanager.secretVersionAdder"),
        (lambda g: g.secrets.pop("dhan-access-token"), "gcloud secrets create dhan-access-token"),
    ],
)
def test_a_token_that_cannot_be_kept_says_what_is_missing(google: PaperGoogle, arrange: "object", words: str) -> None:
    arrange(google)  # type: ignore[operator]
    with pytest.raises(BadSettings, match=words) as raised:
        keep_token(PROJECT, CANARY)
    assert "canary" not in str(raised.value)


def test_off_google_cloud_the_words_say_so(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{free_port}")
    with SecretManager(PROJECT) as manager, pytest.raises(SecretsUnavailable, match="SECRETS_BACKEND=env"):
        manager.read("dhan-pin")


def test_checksums_are_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_settings_take_from_secret_manager_what_is_set_nowhere_else(
    google: PaperGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.secrets["dhan-totp-secret"] = ["MUNSHIPAPERDESKTOTPAAAAAAAAAAAAA"]
    google.secrets["dhan-password"] = ["never asked for"]
    google.refused.add("dhan-password")
    monkeypatch.setenv("DHAN_PIN", "111111")
    settings = load(munshi_data_dir=tmp_path, secrets_backend="gcp")
    assert settings.client_id == "1100000001"
    assert settings.dhan_pin
    assert settings.dhan_pin.get_secret_value() == "111111"


def test_mounted_files_may_have_the_names_with_dashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "dhan-client-id").write_text("1100000009\n")
    (mounted / "dhan-user-id").write_text("accepted, and of no use")
    monkeypatch.setenv("MUNSHI_SECRETS_DIR", str(mounted))
    assert load(munshi_data_dir=tmp_path / "data").dhan_client_id == "1100000009"
    monkeypatch.setenv("DHAN_CLIENT_ID", "1100000008")
    assert load(munshi_data_dir=tmp_path / "data").dhan_client_id == "1100000008"
