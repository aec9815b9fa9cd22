"""The sandbox: a Dhan and a Telegram on this machine, in one small server."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from core.calendar import load_calendar
from core.clock import PaperClock
from core.sandbox import dhan
from core.sandbox.page.routes import Page
from core.sandbox.panel import Panel
from core.sandbox.telegram.chat import Chat
from core.sandbox.telegram.routes import routes as telegram_routes
from core.sandbox.tradingview import TradingView
from core.settings import Settings


def build(settings: Settings, clock: PaperClock, chat: Chat) -> Starlette:
    """Serve it with `dhan.HangUpProtocol`, without which connections cannot be broken on purpose."""
    callback = f"{settings.web_url}/auth/callback"
    postback = f"{settings.web_url}/dhan/postback/{settings.postback_key.get_secret_value()}"
    tradingview = TradingView(f"{settings.web_url}/webhook")
    return Starlette(
        routes=[
            *telegram_routes(chat),
            *Page(chat, clock).routes(),
            *Panel(settings, clock, load_calendar(), tradingview).routes(),
            *dhan.routes(settings.munshi_data_dir, clock, redirect_url=callback, postback_url=postback),
        ],
        # A page elsewhere that rebinds its name to this machine must not reach the chat.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )
