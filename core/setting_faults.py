"""What is wrong with settings, in one sentence per fault: the variable's name, and what is expected."""

import base64
import re
from collections.abc import Collection, Generator
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.db.address import what_is_wrong_with
from core.hops import networks
from core.seal import is_key

if TYPE_CHECKING:
    from pydantic import SecretStr

    from core.settings import Settings


def faults_of(settings: "Settings") -> list[str]:
    """One sentence per fault, which begins with the variable's name and says what is expected."""
    faults = [*_mode_faults(settings), *_secret_faults(settings)]
    return faults + [f"{name}: {words}" for name, words in (*_unusable(settings), *_unusable_at_the_door(settings))]


def unheeded(names: Collection[str], settings: Collection[str]) -> dict[str, str]:
    """Those of the names in `.env` that nothing reads, each with what to do; `settings` are the real ones, upper case.

    What is near to none of them is not repeated: the rest of a secret that was broken over two lines reads as a name.
    """
    known = {*settings, *_BESIDE, *_UNUSED}
    strange = [name for name in names if name.upper() not in known and not _COMPOSE.match(name)]
    told = {name: cure for name in strange if (cure := _cure(name, settings))}
    if len(told) < len(strange):
        told["another line"] = "take it out, or write a name that .env.example has: perhaps a value was broken in two"
    return told


def _cure(name: str, settings: Collection[str]) -> str:
    """Empty where nobody can tell what was meant."""
    if name.upper() == "MUNSHI_SECRETS_DIR":
        return "set it in the environment, where alone it counts"
    near = get_close_matches(name.upper(), [*settings, *_BESIDE], n=1, cutoff=_NEAR)
    return f"did you mean {near[0]}?" if near else ""


def _mode_faults(settings: "Settings") -> list[str]:
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


def _unusable(settings: "Settings") -> Generator[tuple[str, str]]:
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
    if words := what_is_wrong_with(settings.database):
        yield "DATABASE_URL", words


def _makes_codes(secret: str) -> bool:
    try:
        return len(base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)) >= _LEAST_TOTP_BYTES
    except ValueError:
        return False


def _unusable_at_the_door(settings: "Settings") -> Generator[tuple[str, str]]:
    try:
        _ = settings.operators
    except ValueError as error:
        yield "TELEGRAM_OPERATORS", str(error)
    if settings.public_url and urlsplit(settings.public_url).scheme not in ("http", "https"):
        yield "PUBLIC_URL", "write the address with its beginning, such as https://desk.example.com"
    try:
        networks(settings.forwarded_allow_ips)
    except ValueError:
        yield (
            "FORWARDED_ALLOW_IPS",
            "write addresses or networks, such as 127.0.0.1,10.0.0.0/8",
        )
    if settings.tradingview_cert_header and not _HEADER_NAME.fullmatch(settings.tradingview_cert_header):
        yield "TRADINGVIEW_CERT_HEADER", "write the name of one header, such as X-Client-Cert"
    if bool(settings.oidc_audience) is not bool(settings.oidc_service_account):
        yield "OIDC_AUDIENCE and OIDC_SERVICE_ACCOUNT", "one is of no use without the other; set both or none"
    if words := _wrong_with(settings.oidc_keys_url, paper=False):
        yield "OIDC_KEYS_URL", words
    if settings.log_level.upper() not in _LEVELS:
        yield "LOG_LEVEL", f"write {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}"


_BESIDE = ("SITE_ADDRESS", "GCP_REGION", "SERVICE")  # compose.yaml's and deploy.sh's own
_UNUSED = ("DHAN_USER_ID", "DHAN_PASSWORD")  # often kept beside the others; see core.secrets
_COMPOSE = re.compile("COMPOSE_|DOCKER_")
_NEAR = 0.75  # of 1 for the same: TELEGRAM_TOKEN is near to TELEGRAM_BOT_TOKEN, a stranger to all others
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_LEAST_TOTP_BYTES = 10
_LEAST_LETTERS = 16
_LEAST_DIFFERENT = 6
_PLACEHOLDER = re.compile(
    r"change[-_ ]?(me|it|this)|placeholder|replace[-_ ]?(me|this|with)|your[-_ ]|<.*>|\.\.\.|…|example|todo|"
    r"^(secret|password|test|dummy|token|x+)$",
    re.IGNORECASE,
)
_OURS = ("webhook_secret", "admin_token", "postback_key")
_FOREIGN = ("telegram_bot_token", "dhan_api_key", "dhan_api_secret", "dhan_pin", "dhan_totp_secret")


def _secret_faults(settings: "Settings") -> list[str]:
    """Secrets that can be guessed, and those that were copied from an example. The value is never repeated."""
    faults: list[str] = []
    for name in _OURS:
        text = getattr(settings, name).get_secret_value()
        weak = len(text) < _LEAST_LETTERS or len(set(text)) < _LEAST_DIFFERENT
        if text and (weak or _PLACEHOLDER.search(text)):
            words = f"use at least {_LEAST_LETTERS} random characters, or leave it unset and one is made for you"
            faults.append(f"{name.upper()}: {words}")
    for name in _FOREIGN:
        secret: SecretStr | None = getattr(settings, name)
        if secret and _PLACEHOLDER.search(secret.get_secret_value()):
            faults.append(f"{name.upper()}: this is an example's text; put your own value there, or leave it unset")
    return faults


_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PAPER_HOSTS = _LOOPBACK | {"sandbox.dhan.co"}
