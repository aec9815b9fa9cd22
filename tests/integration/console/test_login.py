"""/login where no links can be made: a new token at once, or why there is none."""

from datetime import timedelta
from pathlib import Path

from desk_in_chat import opened

from core.settings import PaperAccount

BY_PIN = {
    "dhan_client_id": PaperAccount.CLIENT_ID,
    "dhan_pin": PaperAccount.PIN,
    "dhan_totp_secret": PaperAccount.TOTP_SECRET,
}


async def test_login_makes_a_new_token_and_tells_when_it_may_not(tmp_path: Path) -> None:
    async with opened(tmp_path, **BY_PIN) as chats:
        session = chats.parts.session
        first = session.token()
        chats.sandbox.clock.jump_to(chats.sandbox.clock.now() + timedelta(hours=1))
        await chats.ask("/login", "Signed in at Dhan", "0 h 00 min old")
        second = session.token()
        assert second != first
        await chats.ask("/login", "No new sign-in", "the next try is at", "Signed in at Dhan")
        assert session.token() == second
