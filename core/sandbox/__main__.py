"""`python -m core.sandbox`: run the stand-ins until stopped. Paper mode only."""

import socket
import sys

import uvicorn

from core.clock import PaperClock
from core.errors import EX_CONFIG, BadSettings
from core.sandbox.app import build
from core.sandbox.dhan import HangUpProtocol
from core.sandbox.telegram.chat import Chat
from core.settings import load

NOT_NEEDED = 2  # in live mode; munshi-sandbox.service knows it


class Server(uvicorn.Server):
    """Lets the waiting calls (long polls, the page's feed) return before it waits for them."""

    def __init__(self, config: uvicorn.Config, chat: Chat) -> None:
        super().__init__(config)
        self._chat = chat

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._chat.close()
        await super().shutdown(sockets)


def main() -> int:
    try:
        settings = load()
    except BadSettings as error:
        sys.stderr.write(f"{error}\n")
        return EX_CONFIG
    if not settings.paper:
        sys.stderr.write("The sandbox stands in for Dhan and Telegram in paper mode only; MUNSHI_MODE is live.\n")
        return NOT_NEEDED
    clock = PaperClock(settings.clock_file)
    chat = Chat(settings.munshi_data_dir, clock)
    config = uvicorn.Config(
        build(settings, clock, chat),
        host="127.0.0.1",
        port=settings.sandbox_port,
        http=HangUpProtocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
    Server(config, chat).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
