"""The server around the application: how it listens, and how long it waits for anybody."""

from fastapi import FastAPI
from uvicorn import Config

from core.settings import Settings
from webhook.connections import guarded_by
from webhook.crowd import Crowd


def server_config(app: FastAPI, settings: Settings, crowd: Crowd | None = None) -> Config:
    """`crowd`: how many may be connected, and for how long they may be silent."""
    return Config(
        app,
        host=settings.host,
        port=settings.port,
        http=guarded_by(crowd or Crowd()),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        backlog=2048,
    )
