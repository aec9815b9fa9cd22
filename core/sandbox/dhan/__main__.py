"""`python -m core.sandbox.dhan --data-dir D [--port N]`: the stand-in alone, on loopback, until stopped.

Port 0 takes a free one. Once connections are accepted, the address is printed as one line, `http://127.0.0.1:PORT`.
"""

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

from core.clock import PaperClock
from core.sandbox.dhan import HangUpProtocol, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m core.sandbox.dhan")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the ledger and clock.json are")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    options.data_dir.mkdir(parents=True, exist_ok=True)
    app = build(options.data_dir, PaperClock(options.data_dir / "clock.json"))
    listener = socket.create_server(("127.0.0.1", options.port), backlog=2048)
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        http=HangUpProtocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
