"""Commands that need a sign-in, on a desk that has none."""

from pathlib import Path

import pytest
from desk_in_chat import ADMIN, desk, settings_of

from core.controls import Hold
from core.settings import PaperAccount
from tests.builders import fresh_address
from tests.integration.paper_telegram import running

BY_LINK = {"dhan_api_key": PaperAccount.API_KEY, "dhan_api_secret": PaperAccount.API_SECRET}


@pytest.mark.fault("TK-03")
async def test_what_needs_a_sign_in_says_so_in_a_sentence_and_names_the_way_to_one(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    async with running(tmp_path, in_real_time=True) as sandbox:
        await sandbox.act(text="hello", user_id=ADMIN)
        settings = settings_of(sandbox, tmp_path, **BY_LINK)
        async with desk(sandbox, settings, Hold.SIGNED_OUT, Hold.STARTING) as chats:
            for command in ("/funds", "/positions", "/holdings", "/pnl", "/trades", "/flatten", "/ip"):
                await chats.ask(command, "Not signed in at Dhan. Send /login, then ask again.")
            await chats.ask("/resume", "Nothing goes out yet: ")
            elsewhere = "Orders placed elsewhere are not known. Not signed in at Dhan. Send /login, then ask again."
            await chats.ask("/orders", elsewhere)
