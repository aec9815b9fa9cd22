"""The web process itself: what it refuses to start with, and that the secret stays out of its log and its files."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from core import sources
from core.db.engine import Database
from core.errors import EX_CONFIG
from tests.builders import NOON, database_file
from tests.integration.webhook.running_web import SECRET, an_alert_text, wait_until
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "MUNSHI_DATA_DIR": str(folder), **settings}


@pytest.mark.sqlite("the bytes of its file")
def test_secret_and_key_are_in_no_line_of_the_log_and_no_byte_of_the_database(
    tmp_path: Path, find_port: Callable[[], int]
) -> None:
    key = a_sources_key(database_file(tmp_path))
    port = find_port()
    settings = {"PORT": str(port), "WEBHOOK_SECRET": SECRET, "LOG_LEVEL": "DEBUG"}
    log = tmp_path / "web.log"
    with log.open("wb") as output:
        web = subprocess.Popen(
            [sys.executable, "-m", "webhook"],
            cwd=tmp_path,
            env=environment(tmp_path, **settings),
            stdout=output,
            stderr=output,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False) as client:
                wait_until(lambda: is_up(client))
                statuses = [client.post(path, content=body).status_code for path, body in attempts(key)]
        finally:
            web.terminate()
            code = web.wait(10)
    assert set(statuses) == {200, 401, 404, 413, 422}
    assert code in (0, -15)
    for hidden in (SECRET.encode(), key.encode()):
        assert hidden not in log.read_bytes()
    assert b"Traceback" not in log.read_bytes()
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.name.startswith("munshi.db"))
    assert b"RELIANCE" in stored
    assert SECRET.encode() not in stored
    assert key.encode() not in stored


def a_sources_key(file: Path) -> str:
    with closing(Database(f"sqlite:///{file}")) as database, database.transaction() as connection:
        return sources.add(connection, "swing", at=NOON, actor="operator 42")[1]


def attempts(key: str) -> list[tuple[str, str]]:
    """Every way the secret and a source's key may come in."""
    good, keyed = an_alert_text(), an_alert_text(secret=None, note=key)
    return [
        (f"/webhook/{key}", keyed),
        (f"/webhook/{key}", an_alert_text(secret=None, quantity=key)),
        (f"/webhook/{key}", f"{{broken {key}"),
        (f"/webhook/{key}x", keyed),
        (f"/webhook/{key}", '{"heartbeat": true}'),
        ("/webhook", good),
        ("/webhook", good),
        ("/webhook", good.replace('"secret"', '"\\u0073ecret"').replace("note", "other")),
        ("/webhook", an_alert_text(quantity="many")),
        ("/webhook", good.replace(",", "", 1)),
        ("/webhook", good.replace('"', "'")),
        ("/webhook", good.replace('"', "”")),
        ("/webhook", f"secret={SECRET}&symbol=RELIANCE"),
        ("/webhook", good + good),
        ("/webhook", good.replace("canary", "Canary")),
        ("/webhook", good + " " * 20_000),
        (f"/webhook/{SECRET}", good),
        (f"/unknown?secret={SECRET}", good),
    ]


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_it_refuses_to_start_on_a_database_of_another_version_and_says_what_to_do(tmp_path: Path) -> None:
    refused = start(environment(tmp_path))
    assert refused.returncode == EX_CONFIG
    assert "run `munshi migrate`" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_refuses_to_start_with_bad_settings_one_line_each(tmp_path: Path) -> None:
    refused = start(environment(tmp_path, PORT="70000", LOG_FORMAT="xml"))
    assert refused.returncode == EX_CONFIG
    assert [line.partition(":")[0] for line in refused.stderr.splitlines()] == ["PORT", "LOG_FORMAT"]


def start(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "webhook"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
