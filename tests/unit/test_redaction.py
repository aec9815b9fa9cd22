"""Secrets are masked where lines leave the process, whoever wrote them."""

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core.logs import recent, set_up_logging
from core.redaction import Redacted
from core.settings import PaperAccount, Settings, load

SECRETS = {
    "webhook_secret": "canary-of-the-webhook",
    "admin_token": "canary-of-the-admin",
    "postback_key": "canary-of-the-postback",
    "telegram_bot_token": "123456789:canary-of-the-bot",
    "dhan_api_key": "canary-api-key",
    "dhan_api_secret": "canary-api-secret",
    "dhan_pin": "135790",
    "dhan_totp_secret": "CANARYCANARYCANA",
    "database_url": "postgresql+psycopg://desk:canary-password@localhost/munshi",
}
SHAPES = [
    "eyJhbGciOiJSUzI1NiJ9.eyJkaGFuQ2xpZW50SWQiOiIxIn0.c2lnbmF0dXJl",
    "987654321:AAF-canaryCanaryCanaryCanaryCanary12",
    "Bearer canary-of-somebody",
    "/auth/callback?tokenId=canary-token-id&status=ok",
    '{"secret":"canary-of-another"}',
    '{"secret": "canary-of-another"}',
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(munshi_data_dir=tmp_path, **SECRETS)


@pytest.fixture
def said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the process writes to its log."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, hook, logging_of_tests = root.handlers[:], sys.excepthook, structlog.get_config()
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logging(settings, "web")
    yield stream
    root.handlers[:] = before
    sys.excepthook = hook
    structlog.configure(**logging_of_tests)
    structlog.contextvars.clear_contextvars()


def test_no_loaded_secret_gets_into_the_log_by_any_way(said: io.StringIO, settings: Settings) -> None:
    values = [value for name, value in SECRETS.items() if name != "database_url"]
    for value in [*values, "canary-password", settings.token_keys.get_secret_value()]:
        structlog.get_logger().warning("said", what=value)
        logging.getLogger("a.library").error("it broke: %s", f"<{value}>")
        fault = ValueError(f"cannot use {value}")
        logging.getLogger("a.library").error("it broke", exc_info=fault)
        sys.excepthook(ValueError, fault, None)
    text = said.getvalue()
    assert text.count("***") >= 4 * len(values)
    assert not [word for word in ("canary", "CANARY", "135790", settings.token_keys.get_secret_value()) if word in text]


@pytest.mark.parametrize("text", SHAPES)
def test_what_looks_like_a_token_is_masked_though_nobody_knows_it(said: io.StringIO, text: str) -> None:
    logging.getLogger("a.library").error(text)
    assert "***" in said.getvalue()
    assert "canary" not in said.getvalue()
    assert "eyJ" not in said.getvalue()


@pytest.mark.parametrize("text", [*SHAPES, "the PIN 135790 of canary-api-key"])
def test_a_warning_is_masked_before_it_is_kept_for_the_chat(said: io.StringIO, text: str) -> None:
    structlog.get_logger().warning("call_failed", what=text)
    kept = recent()[-1]
    assert "call_failed" in kept
    assert "***" in kept
    assert not [word for word in ("canary", "eyJ", "135790") if word in kept]
    assert kept.partition("what=")[2] in said.getvalue()


def test_a_pin_is_masked_where_it_stands_alone_and_numbers_stay_readable(said: io.StringIO) -> None:
    logging.getLogger("a.library").error("PIN 135790, order 113579024")
    assert "PIN ***, order 113579024" in said.getvalue()


def test_the_stand_ins_own_secrets_are_masked_as_well(tmp_path: Path) -> None:
    stream = io.StringIO()
    print(PaperAccount.TOTP_SECRET, PaperAccount.API_SECRET, file=Redacted(stream, load(munshi_data_dir=tmp_path)))
    assert stream.getvalue() == "*** ***\n"
