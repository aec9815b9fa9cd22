"""The Telegram stand-in, seen by the real client library over real HTTP."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from paper_telegram import OPERATOR, STRANGER, Sandbox, make_bot, running
from telegram import (
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    ReplyParameters,
)
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
)

from core.settings import PaperAccount


@pytest.fixture(autouse=True)
def retry_after_as_timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library's coming default; its present one warns."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with running(tmp_path) as started:
        yield started


def keyboard(*buttons: InlineKeyboardButton) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([list(buttons)])


def picture(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + b"\x7f" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def test_the_bot_finds_itself_and_the_operators_chat(sandbox: Sandbox) -> None:
    assert sandbox.bot.id == 1000000001
    chat = await sandbox.bot.get_chat(OPERATOR)
    assert (chat.id, chat.type) == (OPERATOR, "private")
    assert (await sandbox.bot.get_webhook_info()).url == ""


async def test_another_token_is_unauthorised(sandbox: Sandbox) -> None:
    with pytest.raises(InvalidToken):
        async with make_bot(sandbox.url, "1:wrong"):
            pass


async def test_an_unknown_method_is_not_found(sandbox: Sandbox) -> None:
    with pytest.raises(EndPointNotFound):
        await sandbox.bot.do_api_request("sendRichMessage", api_kwargs={"chat_id": OPERATOR})


async def test_html_becomes_text_and_entities(sandbox: Sandbox) -> None:
    quote = "<blockquote expandable>why <i>so</i></blockquote>"
    source = f"<b>M&amp;M 💹</b> <code>41.1</code>\n{quote}<tg-spoiler>x</tg-spoiler>"
    sent = await sandbox.bot.send_message(OPERATOR, source, parse_mode=ParseMode.HTML)
    assert sent.text == "M&M 💹 41.1\nwhy sox"
    assert [(entity.type, sent.parse_entity(entity)) for entity in sent.entities] == [
        ("bold", "M&M 💹"),
        ("code", "41.1"),
        ("expandable_blockquote", "why so"),
        ("italic", "so"),
        ("spoiler", "x"),
    ]
    assert (await sandbox.messages())[0]["html"] == source


async def test_links_and_commands_are_found_but_not_inside_code(sandbox: Sandbox) -> None:
    sent = await sandbox.bot.send_message(
        OPERATOR, "/help or http://127.0.0.1:8080/trace/1 <code>/not</code>", parse_mode=ParseMode.HTML
    )
    assert [entity.type for entity in sent.entities] == ["bot_command", "url", "code"]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<h1>x</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("₹<b>x</i>", 'Unmatched end tag at byte offset 7, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("a < b", "Unclosed start tag at byte offset 2"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
async def test_broken_html_is_refused_in_telegrams_words(sandbox: Sandbox, source: str, complaint: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await sandbox.bot.send_message(OPERATOR, source, parse_mode=ParseMode.HTML)
    assert caught.value.message.lower() == f"can't parse entities: {complaint}".lower()


async def test_the_length_is_counted_after_parsing(sandbox: Sandbox) -> None:
    await sandbox.bot.send_message(OPERATOR, f"<b>{'x' * 4096}</b>", parse_mode=ParseMode.HTML)
    with pytest.raises(BadRequest, match="Message is too long"):
        await sandbox.bot.send_message(OPERATOR, "x" * 4097)
    with pytest.raises(BadRequest, match="Message text is empty"):
        await sandbox.bot.send_message(OPERATOR, "<b> </b>", parse_mode=ParseMode.HTML)


@pytest.mark.parametrize(
    ("buttons", "complaint"),
    [
        ([InlineKeyboardButton("x", callback_data="é" * 33)], "Button_data_invalid"),
        ([InlineKeyboardButton("x", url="http://localhost:8080/")], "Button_url_invalid"),
        ([InlineKeyboardButton("x", url="ftp://example.com/")], "Inline keyboard button url"),
        ([InlineKeyboardButton("x", callback_data="1")] * 9, "Reply markup is too long"),
    ],
)
async def test_bad_buttons_are_refused(sandbox: Sandbox, buttons: list[InlineKeyboardButton], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        await sandbox.bot.send_message(OPERATOR, "x", reply_markup=keyboard(*buttons))


async def test_an_edit_replaces_text_and_buttons(sandbox: Sandbox) -> None:
    buttons = keyboard(InlineKeyboardButton("Approve", callback_data="a:1", style="success"))
    sent = await sandbox.bot.send_message(OPERATOR, "waiting", reply_markup=buttons)
    edited = await sandbox.bot.edit_message_text("done", OPERATOR, sent.message_id)
    assert isinstance(edited, Message)
    assert (edited.text, edited.reply_markup) == ("done", None)
    listed = (await sandbox.messages())[0]
    assert (listed["text"], listed["edits"], listed["buttons"]) == ("done", 1, [])


async def test_an_edit_that_changes_nothing_is_refused(sandbox: Sandbox) -> None:
    sent = await sandbox.bot.send_message(OPERATOR, "same")
    with pytest.raises(BadRequest, match="Message is not modified"):
        await sandbox.bot.edit_message_text("same", OPERATOR, sent.message_id)


async def test_buttons_alone_can_be_exchanged(sandbox: Sandbox) -> None:
    sent = await sandbox.bot.send_message(OPERATOR, "card")
    buttons = keyboard(InlineKeyboardButton("Cancel", callback_data="c:1", style="danger"))
    await sandbox.bot.edit_message_reply_markup(OPERATOR, sent.message_id, reply_markup=buttons)
    listed = (await sandbox.messages())[0]
    assert (listed["buttons"][0]["style"], listed["edits"]) == ("danger", 0)


async def test_a_deleted_message_can_be_neither_edited_nor_deleted(sandbox: Sandbox) -> None:
    sent = await sandbox.bot.send_message(OPERATOR, "secret")
    await sandbox.bot.delete_message(OPERATOR, sent.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await sandbox.bot.edit_message_text("x", OPERATOR, sent.message_id)
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await sandbox.bot.delete_message(OPERATOR, sent.message_id)
    assert (await sandbox.bot.send_message(OPERATOR, "next")).message_id == sent.message_id + 1


async def test_a_stranger_has_no_chat_until_he_writes(sandbox: Sandbox) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await sandbox.bot.send_message(STRANGER, "hello")
    await sandbox.act(text="hi", user_id=STRANGER)
    assert (await sandbox.bot.send_message(STRANGER, "hello")).message_id == 2


async def test_who_blocked_the_bot_hears_nothing(sandbox: Sandbox) -> None:
    await sandbox.act(kind="block")
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await sandbox.bot.send_message(OPERATOR, "hello")
    updates = await sandbox.bot.get_updates(allowed_updates=["my_chat_member"])
    assert updates[0].my_chat_member is not None
    await sandbox.act(kind="unblock")
    await sandbox.bot.send_message(OPERATOR, "hello")


async def test_updates_come_again_until_they_are_confirmed(sandbox: Sandbox) -> None:
    await sandbox.act(text="/start")
    (first,) = await sandbox.bot.get_updates()
    assert first.message is not None
    assert [entity.type for entity in first.message.entities] == ["bot_command"]
    assert await sandbox.bot.get_updates() == (first,)
    assert await sandbox.bot.get_updates(offset=first.update_id + 1) == ()
    await sandbox.act(text="again")
    (second,) = await sandbox.bot.get_updates()
    assert second.update_id == first.update_id + 1


async def test_a_long_poll_returns_as_soon_as_someone_writes(sandbox: Sandbox) -> None:
    poll = asyncio.create_task(sandbox.bot.get_updates(timeout=20))
    await asyncio.sleep(0)
    await sandbox.act(text="stop")
    async with asyncio.timeout(15):
        (update,) = await poll
    assert update.effective_message is not None
    assert update.effective_message.text == "stop"


async def test_a_second_poller_ends_the_first(sandbox: Sandbox) -> None:
    async with make_bot(sandbox.url) as rival:
        first = asyncio.create_task(sandbox.bot.get_updates(timeout=20))
        second: asyncio.Task[Any] | None = None
        async with asyncio.timeout(15):
            while not first.done():
                second = second or asyncio.create_task(rival.get_updates(timeout=1))
                await asyncio.sleep(0.01)
                second = None if second.done() else second
        with pytest.raises(Conflict):
            await first
        if second is not None:
            await second


async def test_only_the_kinds_that_were_asked_for_are_queued(sandbox: Sandbox) -> None:
    await sandbox.bot.get_updates(allowed_updates=["message", "callback_query"])
    await sandbox.act(kind="channel_post", chat_id=-100, text="news")
    written = (await sandbox.act(text="first"))["message"]
    await sandbox.act(kind="edited_message", message_id=written["message_id"], text="second")
    assert len(await sandbox.bot.get_updates()) == 1


async def test_an_update_can_be_handed_out_again_although_it_was_confirmed(sandbox: Sandbox) -> None:
    await sandbox.act(text="/status")
    (first,) = await sandbox.bot.get_updates()
    assert (await sandbox.act(kind="replay"))["update_id"] is None, "nobody waits for it"
    waiting = asyncio.create_task(sandbox.bot.get_updates(offset=first.update_id + 1, timeout=20))
    while (await sandbox.act(kind="replay"))["update_id"] is None:
        pass
    (again,) = await waiting
    assert (again.update_id, again.message) == (first.update_id, first.message)


async def test_a_tap_is_delivered_and_answered(sandbox: Sandbox) -> None:
    buttons = keyboard(InlineKeyboardButton("Approve", callback_data="a:1"))
    sent = await sandbox.bot.send_message(OPERATOR, "card", reply_markup=buttons)
    await sandbox.act(kind="tap", message_id=sent.message_id, data="a:1", user_id=STRANGER, chat_id=OPERATOR)
    (update,) = await sandbox.bot.get_updates()
    query = update.callback_query
    assert query is not None
    assert query.message is not None
    assert (query.data, query.from_user.id, query.message.message_id) == ("a:1", STRANGER, sent.message_id)
    assert await sandbox.bot.answer_callback_query(query.id, "Done", show_alert=True)
    with pytest.raises(BadRequest, match="Message_too_long"):
        await sandbox.bot.answer_callback_query(query.id, "x" * 201)


async def test_a_late_answer_to_a_tap_is_too_old(sandbox: Sandbox) -> None:
    tapped = await sandbox.act(kind="tap", message_id=1, data="a:1")
    sandbox.machine.pass_time(31)
    for query_id in (tapped["query_id"], "12345"):
        with pytest.raises(BadRequest, match="Query is too old and response timeout expired"):
            await sandbox.bot.answer_callback_query(query_id)


async def test_a_tap_waits_150_seconds_and_a_message_a_day(sandbox: Sandbox) -> None:
    await sandbox.act(kind="tap", message_id=1, data="a:1")
    await sandbox.act(text="still here")
    sandbox.machine.pass_time(151)
    assert [update.callback_query for update in await sandbox.bot.get_updates()] == [None]
    sandbox.machine.pass_time(24 * 3600)
    assert await sandbox.bot.get_updates() == ()


async def test_a_burst_of_20_passes_and_what_follows_is_told_to_wait(sandbox: Sandbox) -> None:
    for number in range(20):
        await sandbox.bot.send_message(OPERATOR, f"{number}")
    with pytest.raises(RetryAfter) as caught:
        await sandbox.bot.send_message(OPERATOR, "too fast")
    assert caught.value.retry_after == timedelta(seconds=1)
    sandbox.machine.pass_time(1.01)
    await sandbox.bot.send_message(OPERATOR, "slower")


async def test_30_messages_a_second_are_the_limit_over_all_chats(sandbox: Sandbox) -> None:
    for chat_id in (71, 72, 73):
        await sandbox.act(text="hi", user_id=chat_id)
        for number in range(10):
            await sandbox.bot.send_message(chat_id, f"{number}")
    with pytest.raises(RetryAfter):
        await sandbox.bot.send_message(OPERATOR, "one more")


async def test_a_document_comes_back_as_it_was_sent(sandbox: Sandbox) -> None:
    content = b"\r\n--x\r\n" + bytes(range(256)) + b"\r\n"
    sent = await sandbox.bot.send_document(OPERATOR, content, filename="orders.csv", caption="Today")
    assert sent.document is not None
    assert (sent.document.file_name, sent.caption) == ("orders.csv", "Today")
    file = await sandbox.bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == content


async def test_a_picture_must_be_one(sandbox: Sandbox) -> None:
    sent = await sandbox.bot.send_photo(OPERATOR, picture(8, 6))
    assert (sent.photo[0].width, sent.photo[0].height) == (8, 6)
    with pytest.raises(BadRequest, match="Image_process_failed"):
        await sandbox.bot.send_photo(OPERATOR, b"no picture")
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await sandbox.bot.send_photo(OPERATOR, picture(8, 6), caption="x" * 1025)


async def test_commands_are_kept_per_scope(sandbox: Sandbox) -> None:
    scope = BotCommandScopeChat(OPERATOR)
    await sandbox.bot.set_my_commands([BotCommand("status", "How things are")], scope=scope)
    assert await sandbox.bot.get_my_commands() == ()
    assert [command.command for command in await sandbox.bot.get_my_commands(scope=scope)] == ["status"]
    await sandbox.bot.delete_my_commands(scope=scope)
    assert await sandbox.bot.get_my_commands(scope=scope) == ()
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await sandbox.bot.set_my_commands([BotCommand("Status!", "How things are")])


async def test_a_reply_quotes_its_card(sandbox: Sandbox) -> None:
    card = await sandbox.bot.send_message(OPERATOR, "card")
    reply = await sandbox.bot.send_message(
        OPERATOR, "filled", reply_parameters=ReplyParameters(card.message_id), disable_notification=True
    )
    assert reply.reply_to_message is not None
    assert reply.reply_to_message.message_id == card.message_id
    assert [listed["silent"] for listed in await sandbox.messages()] == [False, True]


async def test_a_lost_reply_leaves_the_message_in_the_chat(sandbox: Sandbox) -> None:
    await sandbox.fault(kind="drop_after", method="sendMessage")
    with pytest.raises(NetworkError):
        await sandbox.bot.send_message(OPERATOR, "twice?")
    assert [listed["text"] for listed in await sandbox.messages()] == ["twice?"]


async def test_while_telegram_is_down_nothing_is_sent(sandbox: Sandbox) -> None:
    await sandbox.fault(kind="down", times=2)
    for _ in range(2):
        with pytest.raises(NetworkError):
            await sandbox.bot.send_message(OPERATOR, "lost")
    await sandbox.bot.send_message(OPERATOR, "back")
    assert [listed["text"] for listed in await sandbox.messages()] == ["back"]


async def test_scripted_statuses_and_waits_reach_the_client(sandbox: Sandbox) -> None:
    await sandbox.fault(kind="retry_after", method="sendMessage", seconds=7)
    with pytest.raises(RetryAfter):
        await sandbox.bot.send_message(OPERATOR, "x")
    await sandbox.fault(kind="status", status=502, times=1)
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await sandbox.bot.send_message(OPERATOR, "x")


async def test_a_hanging_call_times_out(sandbox: Sandbox) -> None:
    await sandbox.fault(kind="hang", method="sendMessage", seconds=0.3)
    with pytest.raises(NetworkError):
        await sandbox.bot.send_message(OPERATOR, "x", read_timeout=0.05)


async def test_the_chat_survives_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as before:
        sent = await before.bot.send_message(OPERATOR, "remember me")
        await before.act(text="me too")
    async with running(tmp_path) as after:
        assert [listed["text"] for listed in await after.messages()] == ["remember me", "me too"]
        assert len(await after.bot.get_updates()) == 1
        assert (await after.bot.send_message(OPERATOR, "next")).message_id == sent.message_id + 2


async def test_json_and_query_parameters_are_understood_too(sandbox: Sandbox) -> None:
    path = f"/telegram/bot{PaperAccount.BOT_TOKEN}/sendMessage"
    markup = {"inline_keyboard": [[{"text": "x", "callback_data": "1"}]]}
    for answer in (
        await sandbox.http.post(path, json={"chat_id": OPERATOR, "text": "json", "reply_markup": markup}),
        await sandbox.http.get(path, params={"chat_id": OPERATOR, "text": "query"}),
    ):
        assert answer.json()["ok"] is True
    assert len((await sandbox.messages())[0]["buttons"]) == 1


async def test_a_foreign_host_name_is_turned_away(sandbox: Sandbox) -> None:
    answer = await sandbox.http.get("/telegram/sandbox/messages", headers={"host": "evil.example"})
    assert answer.status_code == 400
