"""Who may make the web process act where others reach it: the admin token, and Google's word where it is configured."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from core.clock import SystemClock
from tests.integration.webhook.running_web import RunningWeb, running_web
from tests.integration.webhook.test_status_and_trace import ADMIN, LIVE
from webhook import google
from webhook.failures import Failures

AUDIENCE = "https://desk.example.com/refresh-token"
ACCOUNT = "scheduler@project.iam.gserviceaccount.com"
KEYS = {name: generate_private_key(65537, 2048) for name in ("one", "two", "foreign")}


class GooglesKeys:
    """A stand-in for Google's published keys, on loopback."""

    def __init__(self) -> None:
        self.published: dict[str, RSAPrivateKey] = {"one": KEYS["one"]}
        self.body: bytes | None = None
        self.asked = 0
        stand_in = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.asked += 1
                body = stand_in.body if stand_in.body is not None else stand_in.key_set()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}/certs"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def key_set(self) -> bytes:
        keys = [
            {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": name, "use": "sig", "alg": "RS256"}
            for name, key in self.published.items()
        ]
        return json.dumps({"keys": keys}).encode()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)


@pytest.fixture
def googles() -> Iterator[GooglesKeys]:
    keys = GooglesKeys()
    yield keys
    keys.stop()


@pytest.fixture
def web(tmp_path: Path, googles: GooglesKeys) -> Iterator[RunningWeb]:
    oidc = {"oidc_audience": AUDIENCE, "oidc_service_account": ACCOUNT, "oidc_keys_url": googles.url}
    with running_web(tmp_path, **LIVE, **oidc) as web:
        yield web


def a_token(key: str = "one", *, kid: str | None = None, algorithm: str = "RS256", **claims: Any) -> str:
    now = SystemClock().now()
    said = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": ACCOUNT,
        "email_verified": True,
        "iat": now,
        "exp": now + timedelta(hours=1),
        **claims,
    }
    secret: Any = KEYS[key] if algorithm == "RS256" else "x" * 32 if algorithm == "HS256" else None
    known = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(known, secret, algorithm, headers={"kid": kid or key})


def status(web: RunningWeb, token: str) -> int:
    """Of a call that only an administrator may make."""
    return web.client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code


def test_the_schedulers_token_opens_what_the_admin_token_opens(web: RunningWeb, googles: GooglesKeys) -> None:
    assert [status(web, a_token()), status(web, a_token(iss="accounts.google.com")), status(web, ADMIN)] == [200] * 3
    assert googles.asked == 1, "keys are kept"


def hour_ago() -> Any:
    return SystemClock().now() - timedelta(hours=1)


@pytest.mark.parametrize(
    "token",
    [
        lambda: a_token(aud="https://elsewhere.example.com"),
        lambda: a_token(iss="https://accounts.evil.example"),
        lambda: a_token(email="somebody@project.iam.gserviceaccount.com"),
        lambda: a_token(email_verified=False),
        lambda: a_token(email_verified="true"),
        lambda: a_token(email_verified=None),
        lambda: a_token(email=None),
        lambda: a_token(exp=hour_ago()),
        lambda: a_token(exp=None),
        lambda: a_token(iat=None),
        lambda: a_token("foreign", kid="one"),
        lambda: a_token("foreign"),
        lambda: a_token(algorithm="HS256"),
        lambda: a_token(algorithm="none"),
        lambda: a_token()[:-4],
        lambda: a_token().rpartition(".")[0] + ".",
        lambda: "a.b.c",
        lambda: "..",
    ],
    ids=range(18),
)
def test_a_token_that_proves_something_else_opens_nothing(web: RunningWeb, token: Any) -> None:
    assert status(web, token()) == 401


def test_a_key_that_google_added_is_fetched_and_made_up_ones_cost_no_call(
    web: RunningWeb, googles: GooglesKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(web, a_token()) == 200
    googles.published = {"two": KEYS["two"]}
    assert [status(web, a_token("foreign", kid=f"made-up-{number}")) for number in range(5)] == [401] * 5
    assert googles.asked == 1
    monkeypatch.setattr(google, "BETWEEN_FETCHES", 0.0)
    assert status(web, a_token("two")) == 200
    assert status(web, a_token("one")) == 401, "a key that Google withdrew"


def test_while_google_cannot_be_reached_known_keys_stay_and_without_any_the_answer_is_to_try_again(
    web: RunningWeb, googles: GooglesKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google, "BETWEEN_FETCHES", 0.0)
    for broken in (b"", b"[]", b"null", b'{"keys": []}', b'{"keys": 7}', b"<html>"):
        googles.body = broken
        assert status(web, a_token()) == 503
    assert status(web, ADMIN) == 200
    googles.body = None
    assert status(web, a_token()) == 200
    googles.body = b"<html>"
    monkeypatch.setattr(google, "KEYS_LAST", 0.0)
    assert status(web, a_token()) == 200


def test_where_it_is_not_configured_googles_word_counts_nothing(tmp_path: Path) -> None:
    with running_web(tmp_path, **LIVE) as web:
        assert status(web, a_token()) == 401


def test_guessing_is_limited_and_the_right_token_is_let_in_all_the_same(tmp_path: Path) -> None:
    with running_web(tmp_path, failures=Failures(per_address=3), **LIVE) as web:
        assert [status(web, "wrong") for _ in range(5)] == [401, 401, 401, 429, 429]
        limited = web.client.get("/metrics")
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "60")
        assert "Too many tries" in limited.json()["message"]
        assert status(web, ADMIN) == 200
