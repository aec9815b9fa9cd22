"""HTTP: the Bot API under its own path, and the sandbox's controls for tests."""

import asyncio
from http import HTTPStatus
from typing import Any, assert_never

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.sandbox.dhan.connection import HangUp
from core.sandbox.json_body import read_json
from core.sandbox.telegram.chat import Chat
from core.sandbox.telegram.errors import BotApiError
from core.sandbox.telegram.faults import Fault, FaultKind
from core.sandbox.telegram.messages import Posted
from core.sandbox.telegram.methods import find_method
from core.sandbox.telegram.people import BOT
from core.sandbox.telegram.wire import Upload, read_parameters
from core.settings import PaperAccount


def routes(chat: Chat) -> list[Route]:
    """Everything under `/telegram`."""
    bot_api = BotApi(chat)
    controls = Controls(chat)
    return [
        Route("/telegram/bot{token}/{method}", bot_api.call, methods=["GET", "POST"]),
        Route("/telegram/file/bot{token}/{path:path}", bot_api.download),
        Route("/telegram/sandbox/messages", controls.list_messages),
        Route("/telegram/sandbox/answers", controls.list_answers),
        Route("/telegram/sandbox/updates", controls.act, methods=["POST"]),
        Route("/telegram/sandbox/faults", controls.script_fault, methods=["POST"]),
        Route("/telegram/sandbox/faults", controls.clear_faults, methods=["DELETE"]),
    ]


class BotApi:
    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def call(self, request: Request) -> Response:
        name = request.path_params["method"]
        if request.path_params["token"] != PaperAccount.BOT_TOKEN:
            return _refusal(BotApiError(401, "Unauthorized"))
        fault = None
        try:
            parameters = await read_parameters(request)
            fault = self._chat.faults.next_for(name, parameters.text("text") or "")
            if fault is not None and fault.kind is not FaultKind.DROP_AFTER:
                return await _strike(fault)
            result = await find_method(name)(self._chat, parameters)
        except BotApiError as error:
            answer = _refusal(error)
        else:
            answer = JSONResponse({"ok": True, "result": result})
        return HangUp() if fault is not None else answer

    async def download(self, request: Request) -> Response:
        file = self._chat.files.by_path(request.path_params["path"])
        if request.path_params["token"] != PaperAccount.BOT_TOKEN:
            return _refusal(BotApiError(401, "Unauthorized"))
        if file is None:
            return _refusal(BotApiError(404, "Not Found"))
        return Response(file.content, media_type="application/octet-stream")


class Controls:
    """For tests: see everything, act as anybody, break anything."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def list_messages(self, request: Request) -> Response:
        """All of them, or the latest of one chat that are not deleted: `?chat_id=42&latest=20`.

        304 for who has seen this very state, by `If-None-Match`.
        """
        state = {"ETag": f'"{self._chat.feed.state}"'}
        if request.headers.get("if-none-match") == state["ETag"]:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=state)
        messages, chat = self._chat.messages, request.query_params.get("chat_id")
        latest = int(request.query_params.get("latest", 20))
        found = messages.everything() if chat is None else messages.in_chat(int(chat), latest=latest)
        return JSONResponse({"messages": [_listed(posted) for posted in found]}, headers=state)

    async def list_answers(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"answers": self._chat.people.answers})

    async def act(self, request: Request) -> Response:
        try:
            return JSONResponse(self._act(await read_json(request)))
        except BotApiError as error:
            return _refusal(error)
        except (KeyError, ValueError) as error:
            return JSONResponse({"ok": False, "description": f"not an action: {error}"}, status_code=400)

    async def script_fault(self, request: Request) -> Response:
        try:
            self._chat.faults.add(Fault.from_json(await read_json(request)))
        except (KeyError, ValueError) as error:
            return JSONResponse({"ok": False, "description": f"not a fault: {error}"}, status_code=400)
        return JSONResponse({"ok": True})

    async def clear_faults(self, request: Request) -> Response:  # noqa: ARG002
        self._chat.faults.clear()
        return JSONResponse({"ok": True})

    def _act(self, action: dict[str, Any]) -> dict[str, Any]:
        people = self._chat.people
        user_id = int(action.get("user_id", PaperAccount.OPERATOR_ID))
        chat_id = int(action.get("chat_id", user_id))
        match action.get("kind", "message"):
            case "raw":
                pushed = [self._chat.updates.push(kind, body) for kind, body in action["update"].items()]
                return {"ok": True, "update_id": pushed[0]}
            case "replay":
                return {"ok": True, "update_id": self._chat.updates.repeat()}
            case "message":
                forwarded = bool(action.get("forwarded"))
                sent = people.write(
                    action["text"],
                    user_id=user_id,
                    chat_id=chat_id,
                    forwarded=forwarded,
                    reply_to=action.get("reply_to"),
                )
                return {"ok": True, "message": sent}
            case "document":
                upload = Upload(name=action["name"], mime_type="text/plain", content=action["text"].encode())
                file = self._chat.files.keep(upload, "documents")
                caption = str(action.get("caption", ""))
                sent = people.send_file(file, user_id=user_id, chat_id=chat_id, caption=caption)
                return {"ok": True, "message": sent}
            case "tap":
                tapped = people.tap(int(action["message_id"]), action["data"], user_id=user_id, chat_id=chat_id)
                return {"ok": True, "query_id": tapped}
            case "edited_message":
                edited = people.rewrite(int(action["message_id"]), action["text"], chat_id=chat_id)
                return {"ok": True, "message": edited}
            case "channel_post":
                return {"ok": True, "message": people.post_in_channel(action["text"], chat_id=chat_id)}
            case "block" | "unblock" as kind:
                people.block(user_id=user_id, blocked=kind == "block")
                return {"ok": True}
            case kind:
                raise ValueError(kind)


async def _strike(fault: Fault) -> Response:
    match fault.kind:
        case FaultKind.STATUS:
            return _refusal(BotApiError(fault.status, HTTPStatus(fault.status).phrase))
        case FaultKind.RETRY_AFTER:
            seconds = int(fault.seconds)
            return _refusal(BotApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds))
        case FaultKind.HANG:
            await asyncio.sleep(fault.seconds)
            return HangUp()
        case FaultKind.DOWN | FaultKind.DROP_AFTER:
            return HangUp()
        case _:
            assert_never(fault.kind)


def _refusal(error: BotApiError) -> JSONResponse:
    return JSONResponse(error.body(), status_code=error.status)


def _listed(posted: Posted) -> dict[str, Any]:
    body = posted.body
    return {
        "chat_id": posted.chat_id,
        "message_id": posted.message_id,
        "from_bot": body.get("from") == BOT,
        "text": body.get("text") or body.get("caption") or "",
        "html": posted.html,
        "buttons": posted.buttons,
        "edits": posted.edits,
        "deleted": posted.deleted,
        "silent": posted.silent,
        "message": body,
    }
