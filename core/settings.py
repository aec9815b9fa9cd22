"""Settings: from the environment, a `.env` file, or one file per setting in the folder named by MUNSHI_SECRETS_DIR.

Loaded once per process by `load()`, frozen, secrets masked. Paper mode needs none of them: what is not set falls
back to the stand-ins of `core.sandbox` on this machine. Nothing here touches the network or the database.
"""

import base64
import contextlib
import os
import secrets
import tempfile
from collections.abc import Generator
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from core.errors import BadSettings
from core.seal import is_key, make_key
from core.secrets import from_files


class Mode(StrEnum):
    PAPER = "paper"
    LIVE = "live"


class Role(StrEnum):
    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


class PaperAccount:
    """The made-up account and chat that the stand-ins know; settings fall back to it in paper mode."""

    CLIENT_ID: ClassVar = "1100000001"
    PIN: ClassVar = "971358"
    API_KEY: ClassVar = "paper-app"
    API_SECRET: ClassVar = "paper-app-secret"  # noqa: S105 - opens nothing but the stand-in
    TOTP_SECRET: ClassVar = "MUNSHIPAPERDESKTOTPAAAAAAAAAAAAA"  # noqa: S105 - the same
    BOT_TOKEN: ClassVar = "1000000001:paper-desk"  # noqa: S105 - the same
    OPERATOR_ID: ClassVar = 42


_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PAPER_HOSTS = _LOOPBACK | {"sandbox.dhan.co"}


class Settings(BaseSettings):
    """Every name is the environment variable in lower case; design and defaults are in `.env.example`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    munshi_mode: Mode = Mode.PAPER
    munshi_data_dir: Path = Path("data")
    munshi_clock: str | None = None
    database_url: str | None = None
    secrets_backend: str = Field("env", pattern="^(env|gcp)$")
    gcp_project: str | None = None

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    sandbox_port: int = Field(8081, ge=1, le=65535)
    public_url: str | None = None
    webhook_secret: SecretStr = SecretStr("")
    admin_token: SecretStr = SecretStr("")
    webhook_wait_ms: int = Field(800, ge=0, le=2000)

    telegram_bot_token: SecretStr | None = None
    telegram_operators: str = ""
    telegram_group: int | None = Field(None, lt=0)
    telegram_api_url: str | None = None
    telegram_proxy: str | None = None

    dhan_client_id: str | None = None
    dhan_api_key: SecretStr | None = None
    dhan_api_secret: SecretStr | None = None
    dhan_pin: SecretStr | None = None
    dhan_totp_secret: SecretStr | None = None
    dhan_access_token: SecretStr | None = None
    dhan_api_url: str | None = None
    dhan_auth_url: str | None = None
    dhan_instruments_url: str | None = None
    dhan_order_updates_url: str | None = None
    postback_key: SecretStr = SecretStr("")
    token_keys: SecretStr = SecretStr("")

    holiday_feed_url: str | None = None

    log_level: str = "INFO"
    log_format: str = Field("text", pattern="^(text|json)$")

    @property
    def paper(self) -> bool:
        return self.munshi_mode is Mode.PAPER

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.munshi_data_dir / 'munshi.db'}"

    @property
    def instruments_file(self) -> Path:
        return self.munshi_data_dir / "instruments.db"

    @property
    def clock_file(self) -> Path:
        return self.munshi_data_dir / "clock.json"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def web_url(self) -> str:
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def dhan_api(self) -> str:
        return self.dhan_api_url or (f"{self.sandbox_url}/dhan/v2" if self.paper else "https://api.dhan.co/v2")

    @property
    def dhan_auth(self) -> str:
        return self.dhan_auth_url or (f"{self.sandbox_url}/dhan-login" if self.paper else "https://auth.dhan.co")

    @property
    def dhan_instruments(self) -> str:
        real = "https://images.dhan.co/api-data/api-scrip-master-detailed.csv"
        stand_in = f"{self.sandbox_url}/dhan/api-data/api-scrip-master-detailed.csv"
        return self.dhan_instruments_url or (stand_in if self.paper else real)

    @property
    def dhan_order_updates(self) -> str:
        stand_in = f"ws://127.0.0.1:{self.sandbox_port}/dhan/order-updates"
        return self.dhan_order_updates_url or (stand_in if self.paper else "wss://api-order-update.dhan.co")

    @property
    def client_id(self) -> str:
        return self.dhan_client_id or (PaperAccount.CLIENT_ID if self.paper else "")

    @property
    def pin_and_totp(self) -> tuple[SecretStr, SecretStr] | None:
        """PIN and TOTP secret, when both are known; the stand-in's own in paper mode."""
        if self.dhan_pin and self.dhan_totp_secret:
            return self.dhan_pin, self.dhan_totp_secret
        if self.paper and not self.dhan_client_id and not self.dhan_api_key:
            return SecretStr(PaperAccount.PIN), SecretStr(PaperAccount.TOTP_SECRET)
        return None

    @property
    def api_key_and_secret(self) -> tuple[SecretStr, SecretStr] | None:
        """What makes sign-in links, when both are known; the stand-in's own in paper mode."""
        if self.dhan_api_key and self.dhan_api_secret:
            return self.dhan_api_key, self.dhan_api_secret
        if self.paper and not self.dhan_client_id:
            return SecretStr(PaperAccount.API_KEY), SecretStr(PaperAccount.API_SECRET)
        return None

    @property
    def uses_sandbox_telegram(self) -> bool:
        return self.paper and self.telegram_bot_token is None

    @property
    def bot_token(self) -> SecretStr | None:
        return SecretStr(PaperAccount.BOT_TOKEN) if self.uses_sandbox_telegram else self.telegram_bot_token

    @property
    def telegram_api(self) -> str:
        """Ends in `/bot`, as python-telegram-bot wants it."""
        stand_in = f"{self.sandbox_url}/telegram/bot"
        return self.telegram_api_url or (stand_in if self.uses_sandbox_telegram else "https://api.telegram.org/bot")

    @property
    def operators(self) -> dict[int, Role]:
        """Who may use the desk, by Telegram user id. Empty means nobody."""
        if not self.telegram_operators and self.uses_sandbox_telegram:
            return {PaperAccount.OPERATOR_ID: Role.ADMIN}
        return _parse_operators(self.telegram_operators)


def load(**overrides: Any) -> Settings:
    """Read, complete and check the settings; make the data directory and the generated secrets on first use.

    Raises BadSettings with one sentence per fault, naming the variable.
    """
    given: dict[str, Any] = {"_secrets_dir": os.environ.get("MUNSHI_SECRETS_DIR"), **overrides}
    try:
        settings = Settings(**given)
        if found := _found_elsewhere(settings):
            settings = Settings(**given, **found)
    except ValidationError as error:
        raise BadSettings([_sentence(fault) for fault in error.errors()]) from None
    faults = _faults(settings)
    if faults:
        raise BadSettings(faults)
    return _with_generated_secrets(settings)


def _found_elsewhere(settings: Settings) -> dict[str, Any]:
    """What neither the environment nor `.env` gives: mounted files named with dashes, then Secret Manager."""
    found: dict[str, str] = {}
    if folder := os.environ.get("MUNSHI_SECRETS_DIR"):
        found |= from_files(Path(folder))
    if settings.secrets_backend == "gcp":
        from core.secrets.google import from_google  # noqa: PLC0415 - its libraries are for those who use it

        found |= from_google(settings.gcp_project, without=settings.model_fields_set | found.keys())
    return {name: text for name, text in found.items() if name not in settings.model_fields_set}


def _faults(settings: Settings) -> list[str]:
    faults = [*_mode_faults(settings), *_secret_faults(settings)]
    faults += [f"{name}: {words}" for name, words in _unusable(settings)]
    try:
        _parse_operators(settings.telegram_operators)
    except ValueError as error:
        faults.append(f"TELEGRAM_OPERATORS: {error}")
    return faults


def _mode_faults(settings: Settings) -> list[str]:
    urls = {
        "DHAN_API_URL": settings.dhan_api,
        "DHAN_AUTH_URL": settings.dhan_auth,
        "DHAN_INSTRUMENTS_URL": settings.dhan_instruments,
        "DHAN_ORDER_UPDATES_URL": settings.dhan_order_updates,
    }
    faults = [f"{name}: {words}" for name, url in urls.items() if (words := _wrong_with(url, paper=settings.paper))]
    if settings.paper:
        return faults
    if settings.munshi_clock:
        faults.append("MUNSHI_CLOCK: the clock can be set in paper mode only")
    if not settings.dhan_client_id:
        faults.append("DHAN_CLIENT_ID: live mode needs your Dhan client id, the digits shown in your Dhan profile")
    if not settings.telegram_bot_token:
        faults.append("TELEGRAM_BOT_TOKEN: live mode needs a bot token from @BotFather")
    if not settings.telegram_operators.strip(" ,"):
        faults.append("TELEGRAM_OPERATORS: live mode needs your Telegram user id, or nobody could approve an order")
    return faults


def _wrong_with(url: str, *, paper: bool) -> str:
    """Why Dhan must not be spoken to there: PIN and token go along."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "this is no address; leave it unset"
    if paper and host not in _PAPER_HOSTS:
        return f"paper mode talks only to this machine or to Dhan's sandbox, not to {host}"
    if parts.scheme in ("https", "wss") or (parts.scheme in ("http", "ws") and host in _LOOPBACK):
        return ""
    return "an address outside this machine must begin with https:// or wss://"


def _unusable(settings: Settings) -> Generator[tuple[str, str]]:
    """Values that only their later users would choke on."""
    for key in filter(None, settings.token_keys.get_secret_value().split(",")):
        if not is_key(key):
            yield "TOKEN_KEYS", "each key is 32 random bytes in url-safe base64; leave it unset and one is made for you"
            break
    for one, other in (("dhan_api_key", "dhan_api_secret"), ("dhan_pin", "dhan_totp_secret")):
        if bool(getattr(settings, one)) is not bool(getattr(settings, other)):
            yield f"{one.upper()} and {other.upper()}", "one is of no use without the other; set both or none"
    secret = settings.dhan_totp_secret.get_secret_value() if settings.dhan_totp_secret else ""
    if secret and not _makes_codes(secret):
        yield "DHAN_TOTP_SECRET", "16 or more of the letters A to Z and the digits 2 to 7, as Dhan shows it, no spaces"
    if settings.holiday_feed_url and urlsplit(settings.holiday_feed_url).scheme not in ("http", "https"):
        yield "HOLIDAY_FEED_URL", "write an address that begins with https://, or leave it unset"
    try:
        make_url(settings.database)
    except ArgumentError:
        yield "DATABASE_URL", "write sqlite:///path/to/file.db, or leave it unset"


def _makes_codes(secret: str) -> bool:
    try:
        return len(base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)) >= _LEAST_TOTP_BYTES
    except ValueError:
        return False


_LEAST_TOTP_BYTES = 10
_PLACEHOLDERS = {"changeme", "change-me", "secret", "password", "your-secret", "test", "xxx"}


def _secret_faults(settings: Settings) -> list[str]:
    faults: list[str] = []
    for name, secret in {
        "WEBHOOK_SECRET": settings.webhook_secret,
        "ADMIN_TOKEN": settings.admin_token,
        "POSTBACK_KEY": settings.postback_key,
    }.items():
        text = secret.get_secret_value()
        if text and (text.lower() in _PLACEHOLDERS or len(text) < 16):
            faults.append(f"{name}: use at least 16 random characters, or leave it unset and one is made for you")
    return faults


def _parse_operators(text: str) -> dict[int, Role]:
    operators: dict[int, Role] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        user, _, role = entry.partition(":")
        if not (user.isascii() and user.isdecimal()):
            raise ValueError(
                f"'{entry}' should be a numeric Telegram user id, optionally ':viewer', ':approver' or ':admin'"
            )
        if role and role not in set(Role):
            raise ValueError(f"'{role}' is no role; use viewer, approver or admin")
        operators[int(user)] = Role(role) if role else Role.ADMIN
    return operators


_GENERATED = {
    "webhook_secret": lambda: secrets.token_urlsafe(24),
    "admin_token": lambda: secrets.token_urlsafe(32),
    "postback_key": lambda: secrets.token_urlsafe(24),
    "token_keys": make_key,
}


def _with_generated_secrets(settings: Settings) -> Settings:
    settings.munshi_data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    made: dict[str, SecretStr] = {}
    for name, generate in _GENERATED.items():
        if not getattr(settings, name).get_secret_value():
            made[name] = SecretStr(_read_or_create(settings.munshi_data_dir / name, generate()))
    return settings.model_copy(update=made)


def _read_or_create(file: Path, fresh: str) -> str:
    """The file's text, or `fresh` written to it with mode 0600; two processes that start together agree."""
    if not file.exists():
        _create(file, fresh)
    secret = file.read_text().strip()
    if not secret:
        raise BadSettings([f"{file.name.upper()}: {file} is empty; delete it and a new one is made"])
    return secret


def _create(file: Path, text: str) -> None:
    """All of it or nothing, power cuts included; whoever comes second leaves what the first one wrote."""
    handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as target:
            target.write(text)
            target.flush()
            os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            os.link(scratch, file)
    finally:
        Path(scratch).unlink()


def _sentence(fault: Any) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    return f"{name}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
