"""The command menu and its scopes: the narrowest one wins (Bot API, Determining list of commands)."""

import json
import re
from typing import Any

from core.sandbox.telegram.chat import Chat
from core.sandbox.telegram.errors import bad_request
from core.sandbox.telegram.store import recall, remember
from core.sandbox.telegram.wire import Parameters

_NAME = re.compile(r"[a-z0-9_]{1,32}")


async def set_commands(chat: Chat, parameters: Parameters) -> Any:
    wanted: list[dict[str, str]] = parameters.json("commands") or []
    commands = [_check(command) for command in wanted]
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    remember(chat.store, _scope(chat, parameters), json.dumps(commands))
    chat.feed.publish(None, "commands", None)
    return True


async def get_commands(chat: Chat, parameters: Parameters) -> Any:
    return json.loads(recall(chat.store, _scope(chat, parameters)) or "[]")


async def delete_commands(chat: Chat, parameters: Parameters) -> Any:
    chat.store.execute("DELETE FROM facts WHERE name = ?", (_scope(chat, parameters),))
    chat.feed.publish(None, "commands", None)
    return True


def commands_for(chat: Chat, chat_id: int) -> list[dict[str, str]]:
    """What a person sees in a private chat."""
    for scope in (f"chat {chat_id}", "all_private_chats", "default"):
        commands = json.loads(recall(chat.store, f"commands {scope}") or "[]")
        if commands:
            return commands
    return []


def _scope(chat: Chat, parameters: Parameters) -> str:
    scope = parameters.json("scope") or {"type": "default"}
    if scope["type"] in {"chat", "chat_administrators", "chat_member"}:
        chat_id = chat.known(Parameters({"chat_id": scope.get("chat_id")}, {}))
        return f"commands {scope['type']} {chat_id} {scope.get('user_id', '')}".strip()
    return f"commands {scope['type']}"


def _check(command: dict[str, str]) -> dict[str, str]:
    name, description = command["command"].removeprefix("/"), command["description"]
    if not _NAME.fullmatch(name):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(description) <= 256:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": description}
