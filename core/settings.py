"""Settings: from the environment, a `.env` file, or one file per setting in the folder named by MUNSHI_SECRETS_DIR.

Loaded once per process by `load()`, frozen, secrets masked. Paper mode needs none of them: what is not set falls
back to the stand-ins of `core.sandbox` on this machine. Nothing here touches the network or the database.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from core.errors import BadSettings
from core.first_run import generated_secrets, open_to_others
from core.hops import is_reachable, is_this_machine
from core.secrets import from_files
from core.setting_faults import faults_of, unheeded


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
    tradingview_ips_only: bool = False
    tradingview_cert_header: str | None = None
    forwarded_allow_ips: str = "127.0.0.1"
    oidc_audience: str | None = None
    oidc_service_account: str | None = None
    oidc_keys_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    http_docs: bool = True

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
    def needs_no_admin(self) -> bool:
        """Whether the calls for administrators are open: on paper, and while nobody but this machine reaches web."""
        return self.paper and is_this_machine(self.host) and not is_reachable(self.web_url)

    @property
    def open_traces(self) -> str | None:
        """Where the trace pages are, when everybody may open them."""
        return f"{self.web_url}/trace" if self.needs_no_admin else None

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
    def set_aside(self) -> tuple[str, ...]:
        """Names of what was given for a Dhan account of one's own and goes unused: the stand-in knows only its own.

        In paper mode only, and not where DHAN_API_URL or DHAN_AUTH_URL says that another Dhan is meant.
        """
        if not self.paper or self.dhan_api_url or self.dhan_auth_url:
            return ()
        known = {
            "dhan_client_id": PaperAccount.CLIENT_ID,
            "dhan_api_key": PaperAccount.API_KEY,
            "dhan_api_secret": PaperAccount.API_SECRET,
            "dhan_pin": PaperAccount.PIN,
            "dhan_totp_secret": PaperAccount.TOTP_SECRET,
            "dhan_access_token": None,  # the stand-in's own tokens tell themselves
        }
        given = {name: _text(value) for name in known if (value := getattr(self, name))}
        foreign = any(known[name] and text != known[name] for name, text in given.items())
        return tuple(name.upper() for name in given) if foreign else ()

    @property
    def client_id(self) -> str:
        if self.paper and (self.set_aside or not self.dhan_client_id):
            return PaperAccount.CLIENT_ID
        return self.dhan_client_id or ""

    @property
    def access_token(self) -> SecretStr | None:
        return None if self.set_aside else self.dhan_access_token

    @property
    def pin_and_totp(self) -> tuple[SecretStr, SecretStr] | None:
        """PIN and TOTP secret, when both are known; the stand-in's own in paper mode."""
        if self.dhan_pin and self.dhan_totp_secret and not self.set_aside:
            return self.dhan_pin, self.dhan_totp_secret
        if self.set_aside or (self.paper and not self.dhan_client_id and not self.dhan_api_key):
            return SecretStr(PaperAccount.PIN), SecretStr(PaperAccount.TOTP_SECRET)
        return None

    @property
    def api_key_and_secret(self) -> tuple[SecretStr, SecretStr] | None:
        """What makes sign-in links, when both are known; the stand-in's own in paper mode."""
        if self.dhan_api_key and self.dhan_api_secret and not self.set_aside:
            return self.dhan_api_key, self.dhan_api_secret
        if self.set_aside or (self.paper and not self.dhan_client_id):
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
    settings, faults = _read(given)
    if found := _found_elsewhere(settings):
        settings, faults = _read({**given, **found})
    faults += faults_of(settings)
    faults += open_to_others(settings)
    if faults:
        slips = [f".env: {name} is no setting: {cure}" for name, cure in unheeded_in_file().items()]
        raise BadSettings(faults + slips)
    return settings.model_copy(update=generated_secrets(settings))


def unheeded_in_file() -> dict[str, str]:
    """Names in `.env` that nothing reads, each with what to do about it; never a value."""
    names = DotEnvSettingsSource(Settings, case_sensitive=True).env_vars
    return unheeded(names, [name.upper() for name in Settings.model_fields])


def _found_elsewhere(settings: Settings) -> dict[str, Any]:
    """What neither the environment nor `.env` gives: mounted files named with dashes, then Secret Manager."""
    found: dict[str, str] = {}
    if folder := os.environ.get("MUNSHI_SECRETS_DIR"):
        found |= from_files(Path(folder))
    if settings.secrets_backend == "gcp":
        from core.secrets.google import from_google  # noqa: PLC0415 - its libraries are for those who use it

        found |= from_google(settings.gcp_project, without=settings.model_fields_set | found.keys())
    return {name: text for name, text in found.items() if name not in settings.model_fields_set}


def _read(given: dict[str, Any]) -> tuple[Settings, list[str]]:
    """The settings, and what is wrong with single values; those stand at their defaults, so that the rest is seen."""
    try:
        return Settings(**given), []
    except ValidationError as error:
        wrong = {str(fault["loc"][0]).lower(): _sentence(fault) for fault in error.errors()}
        defaults = {name: Settings.model_fields[name].default for name in wrong}
        return Settings(**{**given, **defaults}), list(wrong.values())


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


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


def _sentence(fault: Any) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    return f"{name}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
