"""What the desk needs of others: Dhan, Telegram, and its own public address. Read only."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

from core import __version__
from core.broker.dhan.adapter import Dhan
from core.broker.dhan.client import CallFailed, DhanClient, Reply
from core.broker.dhan.wire import as_row
from core.doctor import Finding
from core.engine.clock_watch import SET_IT, agrees
from core.errors import BrokerUnavailable, SignInNeeded
from core.settings import Settings

_WEB_PORTS = (80, 443)


async def look_outside(settings: Settings, token: str | None) -> AsyncGenerator[Finding]:
    """`token` is the sign-in that the desk has, if any; asking Dhan about it does not end it."""
    client = DhanClient()
    try:
        stand_ins = f"{settings.sandbox_url}/"
        looks = [
            (settings.dhan_api, _dhan(client, settings, token)),
            (settings.telegram_api, _telegram(client, settings)),
            (settings.web_url, _public_address(client, settings)),
        ]
        if any(url.startswith(stand_ins) for url, _ in looks) and await _get(client, f"{stand_ins}panel/state") is None:
            yield Finding("stand-ins", f"nothing answers at {settings.sandbox_url}", _start_or("SANDBOX_PORT"))
            looks = [(url, look) for url, look in looks if not url.startswith(stand_ins)]
        for _, look in looks:
            async with aclosing(look) as findings:
                async for finding in findings:
                    yield finding
    finally:
        await client.close()


async def _dhan(client: DhanClient, settings: Settings, token: str | None) -> AsyncGenerator[Finding]:
    if token is None:
        yield Finding("address", "Dhan tells it to those who are signed in only; not looked at")
        return
    broker = Dhan(client, url=settings.dhan_api, client_id=settings.client_id, token=lambda: token)
    try:
        await broker.check_session()
        yield Finding("Dhan", "it answers, and takes the sign-in")
        trouble = (await broker.addresses()).trouble()
        fix = "see /ip in the chat; /ip set registers the address that Dhan sees" if trouble else ""
        yield Finding("address", trouble or "orders may come from here", fix)
    except SignInNeeded as refused:
        yield Finding("Dhan", f"it no longer takes the sign-in ({refused})", "send /login in the chat")
    except BrokerUnavailable as trouble:
        yield Finding("Dhan", f"it cannot be read: {trouble}", "try again; if it lasts, look at Dhan's status page")
    skew = client.clock_skew()
    if skew is not None:
        off = skew.total_seconds()
        fix = "" if agrees(skew) else f"set this machine's clock: {SET_IT}"
        yield Finding("clock", f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} Dhan's", fix)


async def _telegram(client: DhanClient, settings: Settings) -> AsyncGenerator[Finding]:
    """No getUpdates: it would take the running desk's messages away from it."""
    me = await _ask(client, settings, "getMe")
    if isinstance(me, str):
        yield Finding("Telegram", me, "check TELEGRAM_BOT_TOKEN with @BotFather, and the way to Telegram")
        return
    yield Finding("Telegram", f"the bot is @{me.get('username', '?')}")
    hook = await _ask(client, settings, "getWebhookInfo")
    if not isinstance(hook, str) and hook.get("url"):
        words = "another program set a webhook for this bot, so that the desk hears nothing"
        yield Finding("Telegram", words, "take a bot of its own for the desk, or remove the other program's webhook")
    for user in settings.operators:
        chat = await _ask(client, settings, "getChat", chat_id=str(user))
        fix = "that person must send the bot /start first" if isinstance(chat, str) else ""
        yield Finding("operator", f"{user} {'cannot be reached' if fix else 'can be reached'}", fix)


async def _ask(client: DhanClient, settings: Settings, method: str, **query: str) -> Mapping[str, Any] | str:
    """The answer's result, or what went wrong; the address has the bot's token in it, so it is never shown."""
    token = settings.bot_token
    if token is None:
        return "no bot token is set"
    try:
        reply = await client.call("GET", f"{settings.telegram_api}{token.get_secret_value()}/{method}", query=query)
    except CallFailed:
        return "it cannot be reached"
    answer = as_row(reply.json()) or {}
    if not answer.get("ok"):
        return f"it answers {reply.status}"
    return as_row(answer.get("result")) or {}


async def _public_address(client: DhanClient, settings: Settings) -> AsyncGenerator[Finding]:
    url = settings.web_url.rstrip("/")
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not settings.paper and port not in _WEB_PORTS:
        yield Finding("public address", f"{url} has port {port}", "TradingView reaches ports 80 and 443 only")
        return
    reply = await _get(client, f"{url}/health")
    fix = "check PUBLIC_URL, the reverse proxy or tunnel in front of web, and web itself"
    if reply is None and settings.public_url is None:
        yield Finding("public address", f"nothing answers at {url}", _start_or("PORT"))
        return
    if reply is None:
        yield Finding("public address", f"{url} does not answer", fix)
        return
    health = as_row(reply.json()) or {}
    if "version" not in health:
        yield Finding("public address", f"something else answers at {url} ({reply.status})", fix)
    elif health["version"] != __version__:
        words = f"version {health['version']} answers at {url}, and this is {__version__}"
        yield Finding("public address", words, "start web again, so that it is of this version")
    else:
        yield Finding("public address", f"web answers at {url}")


def _start_or(port: str) -> str:
    return f"start the desk (munshi up), or give doctor the {port} that it runs with"


async def _get(client: DhanClient, url: str) -> Reply | None:
    try:
        async with asyncio.timeout(10):
            return await client.call("GET", url)
    except (CallFailed, TimeoutError):
        return None
