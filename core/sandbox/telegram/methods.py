"""The Bot API methods, one function each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from core.sandbox.telegram.chat import Chat
from core.sandbox.telegram.content import as_fields, read_content, source_of
from core.sandbox.telegram.entities import Formatted, utf16_length
from core.sandbox.telegram.errors import BotApiError, bad_request
from core.sandbox.telegram.files import StoredFile, picture_size
from core.sandbox.telegram.keyboard import check_keyboard
from core.sandbox.telegram.menus import delete_commands, get_commands, set_commands
from core.sandbox.telegram.messages import Posted
from core.sandbox.telegram.people import BOT
from core.sandbox.telegram.wire import Parameters

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


async def get_me(chat: Chat, parameters: Parameters) -> Any:  # noqa: ARG001 - every method has this shape
    abilities = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries", "can_connect_to_business")
    return BOT | dict.fromkeys((*abilities, "has_main_web_app"), False)


async def get_updates(chat: Chat, parameters: Parameters) -> Any:
    return await chat.updates.poll(
        offset=parameters.number("offset", 0) or 0,
        limit=min(max(parameters.number("limit", 100) or 100, 1), 100),
        seconds=min(max(parameters.number("timeout", 0) or 0, 0), 50),
        allowed=parameters.json("allowed_updates"),
    )


async def send_message(chat: Chat, parameters: Parameters) -> Any:
    chat_id = chat.open_to_bot(parameters)
    content = read_content(parameters, "text", 4096)
    return _post(chat, chat_id, parameters, as_fields("text", content), content)


async def send_document(chat: Chat, parameters: Parameters) -> Any:
    chat_id = chat.open_to_bot(parameters)
    caption = read_content(parameters, "caption", 1024)
    file = _file(chat, parameters, "document")
    document = file.as_json() | {"file_name": file.name, "mime_type": file.mime_type}
    return _post(chat, chat_id, parameters, {"document": document} | as_fields("caption", caption), caption)


async def send_photo(chat: Chat, parameters: Parameters) -> Any:
    chat_id = chat.open_to_bot(parameters)
    caption = read_content(parameters, "caption", 1024)
    upload = parameters.upload("photo")
    if upload is not None:
        picture_size(upload.content)
    file = _file(chat, parameters, "photo")
    width, height = picture_size(file.content)
    photo = file.as_json() | {"width": width, "height": height}
    return _post(chat, chat_id, parameters, {"photo": [photo]} | as_fields("caption", caption), caption)


async def edit_message_text(chat: Chat, parameters: Parameters) -> Any:
    posted = _editable(chat, parameters)
    content = read_content(parameters, "text", 4096)
    if "text" not in posted.body:
        raise bad_request("there is no text in the message to edit")
    kept = {k: v for k, v in posted.body.items() if k not in {"text", "entities", "reply_markup"}}
    return _rewrite(chat, posted, kept | as_fields("text", content) | _markup(parameters), source_of(parameters))


async def edit_message_reply_markup(chat: Chat, parameters: Parameters) -> Any:
    posted = _editable(chat, parameters)
    kept = {k: v for k, v in posted.body.items() if k != "reply_markup"}
    return _rewrite(chat, posted, kept | _markup(parameters), posted.html)


async def delete_message(chat: Chat, parameters: Parameters) -> Any:
    posted = chat.messages.find(chat.known(parameters), parameters.number("message_id"))
    if posted is None:
        raise bad_request("message to delete not found")
    if chat.seconds() - posted.body["date"] > 48 * 3600:
        raise bad_request("message can't be deleted for everyone")
    chat.messages.delete(posted)
    return True


async def answer_callback_query(chat: Chat, parameters: Parameters) -> Any:
    text = parameters.text("text") or ""
    if utf16_length(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    query_id = parameters.text("callback_query_id")
    chat_id = chat.people.chat_of_query(query_id)
    if chat_id is None:
        raise bad_request(_TOO_OLD)
    answer = {"query_id": query_id, "text": text, "show_alert": parameters.flag("show_alert")}
    chat.people.answered(query_id or "", text)
    chat.feed.publish(chat_id, "answer", answer)
    return True


async def send_chat_action(chat: Chat, parameters: Parameters) -> Any:
    chat_id = chat.open_to_bot(parameters, counted=False)
    chat.feed.publish(chat_id, "action", {"action": parameters.text("action")})
    return True


async def get_chat(chat: Chat, parameters: Parameters) -> Any:
    about = chat.people.describe(chat.known(parameters))
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    return about | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }


async def get_file(chat: Chat, parameters: Parameters) -> Any:
    file = chat.files.by_id(parameters.text("file_id") or "")
    if file is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    return file.as_json() | {"file_path": file.path}


async def get_webhook_info(chat: Chat, parameters: Parameters) -> Any:  # noqa: ARG001
    return {"url": "", "has_custom_certificate": False, "pending_update_count": chat.updates.count()}


async def delete_webhook(chat: Chat, parameters: Parameters) -> Any:
    if parameters.flag("drop_pending_updates"):
        chat.updates.forget_all()
    return True


def _post(chat: Chat, chat_id: int, parameters: Parameters, body: dict[str, Any], content: Formatted) -> Any:
    message = {"from": BOT, "chat": chat.people.describe(chat_id), "date": chat.seconds()}
    message |= body | _markup(parameters) | _reply(chat, chat_id, parameters)
    source = source_of(parameters) if content.text else ""
    posted = chat.messages.add(chat_id, message, html=source, silent=parameters.flag("disable_notification"))
    wish: dict[str, Any] = parameters.json("reply_markup") or {}
    if wish.get("force_reply"):
        chat.people.open_reply(chat_id, posted["message_id"])
    return posted


def _rewrite(chat: Chat, posted: Posted, body: dict[str, Any], source: str) -> Any:
    before = {k: v for k, v in posted.body.items() if k != "edit_date"}
    after = {k: v for k, v in body.items() if k != "edit_date"}
    if before == after:
        raise bad_request(_NOT_MODIFIED)
    changed = (before.get("text"), before.get("entities")) != (after.get("text"), after.get("entities"))
    return chat.messages.rewrite(posted, after | {"edit_date": chat.seconds()}, html=source, text_changed=changed)


def _editable(chat: Chat, parameters: Parameters) -> Posted:
    posted = chat.messages.find(chat.open_to_bot(parameters), parameters.number("message_id"))
    if posted is None:
        raise bad_request("message to edit not found")
    if posted.body.get("from") != BOT:
        raise bad_request("message can't be edited")
    return posted


def _markup(parameters: Parameters) -> dict[str, Any]:
    keyboard = check_keyboard(parameters.json("reply_markup"))
    return {"reply_markup": keyboard} if keyboard else {}


def _reply(chat: Chat, chat_id: int, parameters: Parameters) -> dict[str, Any]:
    wish = parameters.json("reply_parameters")
    if not wish:
        return {}
    replied = chat.messages.find(chat_id, wish.get("message_id"))
    if replied is None and not wish.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    quoted = {k: v for k, v in replied.body.items() if k != "reply_to_message"} if replied else None
    return {"reply_to_message": quoted} if quoted else {}


def _file(chat: Chat, parameters: Parameters, name: str) -> StoredFile:
    upload = parameters.upload(name)
    if upload is not None:
        return chat.files.keep(upload, f"{name}s")
    file_id = parameters.text(name)
    known = chat.files.by_id(file_id) if file_id else None
    if known is None:
        raise bad_request(f"there is no {name} in the request" if not file_id else "wrong file identifier specified")
    return known


Method = Callable[[Chat, Parameters], Awaitable[Any]]

METHODS: Mapping[str, Method] = {
    "getme": get_me,
    "getupdates": get_updates,
    "sendmessage": send_message,
    "senddocument": send_document,
    "sendphoto": send_photo,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "sendchataction": send_chat_action,
    "getchat": get_chat,
    "getfile": get_file,
    "getwebhookinfo": get_webhook_info,
    "deletewebhook": delete_webhook,
    "setmycommands": set_commands,
    "getmycommands": get_commands,
    "deletemycommands": delete_commands,
}


def find_method(name: str) -> Method:
    """Names are case-insensitive. Raises BotApiError 404 for a method that Telegram, or this stand-in, has not."""
    method = METHODS.get(name.lower())
    if method is None:
        raise BotApiError(404, "Not Found")
    return method
