"""`python -m webhook`: serve until told to stop."""

import sys

import uvicorn

from core.db.schema import WrongSchema
from core.errors import EX_CONFIG, BadSettings
from core.logs import set_up_logging
from core.settings import load
from webhook.app import build_app
from webhook.server import server_config


def main() -> int:
    try:
        settings = load()
        set_up_logging(settings, "web")
        app = build_app(settings)
    except (BadSettings, WrongSchema) as fault:
        sys.stderr.write(f"{fault}\n")
        return EX_CONFIG
    uvicorn.Server(server_config(app, settings)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
