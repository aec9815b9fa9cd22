"""Dhan's stand-in without limits, and with a record of when each placement was read.

`python -m tests.bench.broker DATA_DIR PORT [LEDGER_DIR]`. `GET /bench/placements` gives the monotonic times (one clock for all
processes of a machine) at which the bodies of placing requests had been read; with `after`, without so many of them.
"""

import sys
import time
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import PaperClock
from core.sandbox.dhan import HangUpProtocol, build


class Recorder:
    """Lets every request through to `app` and notes when placements came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._times: list[float] = []
        self._own = Starlette(routes=[Route("/bench/placements", self._tell)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bench/placements":
            await self._own(scope, receive, send)
        elif scope.get("method") == "POST" and scope["path"] == "/dhan/v2/orders":
            await self._app(scope, self._noting(receive), send)
        else:
            await self._app(scope, receive, send)

    def _noting(self, receive: Receive) -> Receive:
        async def receive_and_note() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                self._times.append(time.monotonic())
            return message

        return receive_and_note

    async def _tell(self, request: Request) -> JSONResponse:
        return JSONResponse(self._times[int(request.query_params.get("after", 0)) :])


def main(data_dir: Path, port: int, ledger_dir: Path) -> None:
    app = Recorder(build(ledger_dir, PaperClock(data_dir / "clock.json")))
    uvicorn.run(app, port=port, http=HangUpProtocol, lifespan="off", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[-1] if len(sys.argv) > 3 else sys.argv[1]))
