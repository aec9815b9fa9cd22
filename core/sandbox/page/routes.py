"""What the chat page needs: its files, the news as server-sent events, and a way to write and tap."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from core.clock import Clock, SystemClock
from core.sandbox.json_body import read_json
from core.sandbox.telegram.chat import Chat
from core.sandbox.telegram.errors import BotApiError
from core.sandbox.telegram.menus import commands_for
from core.settings import PaperAccount

_OPERATOR = PaperAccount.OPERATOR_ID
_FOLDER = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_FRESH = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_TICK = 0.5
_INLINE = {"image/png", "image/jpeg"}


class Page:
    def __init__(self, chat: Chat, clock: Clock) -> None:
        self._chat = chat
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("/", self.show),
            Route("/page/{name}", self.show_part),
            Route("/chat/events", self.stream),
            Route("/chat/messages", self.write, methods=["POST"]),
            Route("/chat/taps", self.tap, methods=["POST"]),
            Route("/chat/files/{file_id}", self.download),
        ]

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's shape
        headers = _FRESH | {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
        return FileResponse(_FOLDER / "index.html", headers=headers)

    async def show_part(self, request: Request) -> Response:
        part = _FOLDER / request.path_params["name"]
        return FileResponse(part, headers=_FRESH) if part.is_file() else Response(status_code=404)

    async def stream(self, request: Request) -> Response:  # noqa: ARG002
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def write(self, request: Request) -> Response:
        wish = await read_json(request)
        try:
            sent = self._chat.people.write(str(wish.get("text", "")), user_id=_OPERATOR, chat_id=_OPERATOR)
        except BotApiError as error:
            return JSONResponse({"message": error.description}, status_code=422)
        return JSONResponse({"message_id": sent["message_id"]})

    async def tap(self, request: Request) -> Response:
        """Only what the message offers can be tapped here; the sandbox's controls can do worse."""
        wish = await read_json(request)
        posted = self._chat.messages.find(_OPERATOR, wish.get("message_id"))
        offered = {button.get("callback_data") for button in posted.buttons} - {None} if posted else set[str]()
        if posted is None or wish.get("data") not in offered:
            return JSONResponse({"message": "That button is gone."}, status_code=422)
        query_id = self._chat.people.tap(posted.message_id, wish["data"], user_id=_OPERATOR, chat_id=_OPERATOR)
        return JSONResponse({"query_id": query_id})

    async def download(self, request: Request) -> Response:
        file = self._chat.files.by_id(request.path_params["file_id"])
        if file is None:
            return JSONResponse({"message": "No such file."}, status_code=404)
        shown = file.mime_type in _INLINE
        headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "inline" if shown else "attachment"}
        kind = file.mime_type if shown else "application/octet-stream"
        return Response(file.content, media_type=kind, headers=headers)

    async def _events(self) -> AsyncIterator[str]:
        """The whole chat first, so that a reconnecting page is whole again; then each change as it happens."""
        with self._chat.feed.reading() as reader:
            known = self._surroundings()
            yield _event("hello", self._everything())
            async for news in reader.drain(_TICK):
                if (found := self._surroundings()) != known:
                    known = found
                    yield _event("surroundings", {"listening": known[0], "now": self._clock.now().isoformat()})
                if news is not None and news.chat_id in {_OPERATOR, None}:
                    yield _event(news.kind, self._commands() if news.kind == "commands" else news.data)

    def _surroundings(self) -> tuple[bool, int]:
        """Whether the desk listens, and how far its clock was moved, in whole seconds."""
        offset = self._clock.now() - SystemClock().now()
        return self._chat.updates.bot_is_listening, round(offset.total_seconds())

    def _commands(self) -> list[dict[str, str]]:
        return commands_for(self._chat, _OPERATOR)

    def _everything(self) -> dict[str, Any]:
        return {
            "messages": [posted.for_page() for posted in self._chat.messages.in_chat(_OPERATOR)],
            "commands": self._commands(),
            "listening": self._chat.updates.bot_is_listening,
            "now": self._clock.now().isoformat(),
        }


def _event(kind: str, data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
