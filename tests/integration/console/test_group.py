"""The one group: operators are obeyed there, others are not, and nothing for one person's eyes goes there."""

from pathlib import Path

from desk_in_chat import ADMIN, APPROVER, STRANGER, Chats, opened

GROUP = -100


async def said_there(chats: Chats) -> list[str]:
    return [message["text"] for message in await chats.messages(GROUP)]


async def test_operators_decide_in_the_group_and_nobody_else_does(tmp_path: Path) -> None:
    async with opened(tmp_path, telegram_group=GROUP) as chats:
        await chats.says("/status", STRANGER, chat_id=GROUP)
        alert = await chats.fire()
        card = await chats.card(alert, "Waiting for your tap", user=GROUP)
        unheard = await chats.touch_unheard(card, card["buttons"][0]["callback_data"], STRANGER)
        assert await chats.tap(card, "Approve", APPROVER) == "Approved"
        assert not await chats.was_answered(unheard)
        mine = await chats.says("/login", ADMIN, chat_id=GROUP)
        await chats.answered(mine, "is for our private chat", user=GROUP)
        await chats.answered(await chats.says("/whoami", ADMIN, chat_id=GROUP), "Role: admin", user=GROUP)
        assert not any("Orders go out" in text for text in await said_there(chats)), "the stranger met silence"
