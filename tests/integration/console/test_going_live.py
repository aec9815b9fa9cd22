"""Live mode takes its second switch in the chat, once, from an admin, with a code where one is enrolled."""

from pathlib import Path

from desk_in_chat import ADMIN, APPROVER, desk, settings_of
from pyotp.totp import TOTP

from core.clock import SystemClock
from core.controls import Hold
from core.seal import Seal
from core.second_factor import SecondFactor, make_secret
from core.settings import PaperAccount
from tests.builders import fresh_address
from tests.integration.paper_telegram import running

LIVE = {
    "munshi_mode": "live",
    "dhan_client_id": PaperAccount.CLIENT_ID,
    "dhan_pin": PaperAccount.PIN,
    "dhan_totp_secret": PaperAccount.TOTP_SECRET,
    "telegram_bot_token": PaperAccount.BOT_TOKEN,
}


async def test_live_trading_begins_with_a_code_and_survives_a_restart(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    async with running(tmp_path, in_real_time=True) as sandbox:
        for user in (ADMIN, APPROVER):
            await sandbox.act(text="hello", user_id=user)
        settings = settings_of(sandbox, tmp_path, **LIVE)
        async with desk(sandbox, settings, Hold.NOT_LIVE) as chats:
            secret, factor, at = make_secret(), SecondFactor(Seal(settings.token_keys)), SystemClock().now()
            await chats.parts.database.write(lambda c: factor.enrol(c, secret, at=at, actor="test"))
            await chats.ask("/mode", "LIVE, but not confirmed")
            await chats.ask("/golive", "/golive needs the role admin", user=APPROVER)
            await chats.ask("/golive", "Reply to this message with the code")
            asked = await chats.newest("From then on orders go to Dhan for real")
            await chats.answered(await chats.reply(asked, "000000"), "not the code")
            await chats.answered(await chats.reply(asked, TOTP(secret).at(SystemClock().now())), "LIVE: orders go")
            await chats.ask("/golive", "It is live already")
            await chats.ask("/clock 2026-12-01T10:30", "Live time cannot be moved")
        async with desk(sandbox, settings) as chats:
            await chats.ask("/mode", "orders go to Dhan for real")
