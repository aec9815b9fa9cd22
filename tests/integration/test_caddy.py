"""The proxy as it is shipped, in front of web: what it hands on of what a stranger says."""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.webhook.running_web import an_alert_text, running_web
from tests.world.processes import until

CADDYFILE = Path(__file__).parents[2] / "deploy" / "Caddyfile"
REPORTED = {"X-Client-Cert": "webhook-server@tradingview.com"}

pytestmark = pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not on this machine")


def test_a_stranger_cannot_report_a_certificate_of_its_own(tmp_path: Path, find_port: Callable[[], int]) -> None:
    with running_web(tmp_path, tradingview_cert_header="X-Client-Cert") as web, caddy(find_port(), web.port) as outside:
        assert outside.post("/webhook", content=an_alert_text(), headers=REPORTED).status_code == 403
        assert web.post(an_alert_text(), **REPORTED).status_code == 200


@contextmanager
def caddy(port: int, web: int) -> Generator[httpx.Client]:
    """Somebody outside, whose requests arrive at web's port."""
    site = f"http://127.0.0.1:{port}"
    command = ["caddy", "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    environment = os.environ | {"SITE_ADDRESS": site, "WEB": f"127.0.0.1:{web}"}
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=site, trust_env=False, verify=False) as client,
    ):
        try:
            until(lambda: answers(client), "caddy answers")
            yield client
        finally:
            process.terminate()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False
