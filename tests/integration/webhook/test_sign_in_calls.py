"""Signing in by a call: links, how they went, and a fresh sign-in. The desk's part is played by rows."""

import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core.clock import PaperClock, SystemClock
from core.db import leases, logins
from core.db.logins import Login
from core.db.tables import operators, outbox
from core.db.tokens import TokenVault
from core.domain.login import LINK_LIVES, LoginRefusal, LoginState, Way
from core.domain.notice import Notice
from tests.builders import NOON
from tests.integration.webhook.running_web import RunningWeb, running_web
from tests.integration.webhook.test_status_and_trace import ADMIN, LIVE

NO_LINKS: dict[str, Any] = {"dhan_client_id": "1234567890", "dhan_api_url": "http://127.0.0.1:9/dhan/v2"}
"""An account at another Dhan than the stand-in, without an API key."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RunningWeb]:
    with running_web(tmp_path, dhan_api_key="paper-app", dhan_api_secret="paper-app-secret") as web:
        yield web


def login(web: RunningWeb, number: int = 1) -> Login:
    with web.database.snapshot() as connection:
        found = logins.get(connection, number)
    assert found
    return found


def a_token(web: RunningWeb, connection: Connection, hours: float = 23) -> None:
    at = PaperClock(web.settings.clock_file).now()
    TokenVault(web.settings.token_keys).store(
        connection,
        "canary-token",
        client_id=web.settings.client_id,
        source=Way.TOTP,
        issued_at=at,
        expires_at=at + timedelta(hours=hours),
    )


@contextmanager
def a_desk(web: RunningWeb, act: Callable[[Connection, Login], None]) -> Generator[None]:
    """Does this with every sign-in that lies in the mailbox."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            with web.database.transaction() as connection:
                for waiting in logins.to_do(connection, PaperClock(web.settings.clock_file).now()):
                    act(connection, waiting)
            time.sleep(0.005)

    with web.database.transaction() as connection:
        leases.acquire(connection, holder="desk", nudge_port=9, at=SystemClock().now())
    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        is_over.set()
        worker.join()


def test_a_link_is_made_without_asking_dhan_for_anything(web: RunningWeb) -> None:
    reply = web.client.post("/initiate-oauth")
    assert reply.status_code == 200
    answer = reply.json()
    assert answer.keys() == {"status", "login_url", "consent_app_id"}
    assert answer["status"] == "pending_login"
    assert re.fullmatch(rf"{web.settings.web_url}/auth/login/1-[\w-]{{20}}", answer["login_url"])
    assert (login(web).state, login(web).asked_at) == (LoginState.OFFERED, None)
    status = web.client.get("/oauth-status", params={"consent_app_id": answer["consent_app_id"]})
    assert (status.status_code, status.json()["status"]) == (200, "pending_login")


def test_where_no_key_makes_links_none_is_promised(tmp_path: Path) -> None:
    with running_web(tmp_path, **NO_LINKS) as web:
        for path in ("/initiate-oauth", "/refresh-token?use_callback=true"):
            reply = web.client.post(path)
            assert (reply.status_code, reply.json()["status"]) == (409, "error")
            assert "DHAN_API_KEY" in reply.json()["message"]


def use_up(web: RunningWeb, consents: int) -> None:
    with web.database.transaction() as connection:
        for _ in range(consents):
            number = logins.start(connection, Way.LINK, LoginState.REQUESTED, by="test", at=NOON)
            made = logins.get(connection, number)
            assert made
            logins.asking(connection, made, PaperClock(web.settings.clock_file).now())


@pytest.mark.parametrize("call", ["/initiate-oauth", "/refresh-token?use_callback=true"])
def test_a_day_whose_consents_are_used_up_makes_no_link_and_says_when_it_does(web: RunningWeb, call: str) -> None:
    use_up(web, 24)
    reply = web.client.post(call)
    assert reply.status_code == 429
    assert "24 of Dhan's 25" in reply.json()["message"]
    assert "free at 12:00" in reply.json()["message"]
    assert "munshi token" in reply.json()["message"]


def test_the_last_links_of_a_day_are_counted_aloud_in_the_answer_and_in_the_chat(web: RunningWeb) -> None:
    with web.database.transaction() as connection:
        connection.execute(operators.insert().values(user_id=42, chat_id=42, role="admin"))
    use_up(web, 19)
    assert "message" not in web.client.post("/initiate-oauth").json()
    use_up(web, 1)
    count = "20 of Dhan's 25 sign-in links of a day are used."
    assert web.client.post("/initiate-oauth").json()["message"] == count
    assert web.client.post("/refresh-token", params={"use_callback": "true"}).json()["message"] == count
    with web.database.snapshot() as connection:
        [payload] = connection.execute(select(outbox.c.payload).where(outbox.c.kind == Notice.SIGN_IN)).scalars()
    assert payload["words"].endswith(count)


@pytest.mark.parametrize("name", ["munshi-99", "munshi-", "munshi-x", "munshi-" + "9" * 40, "3f0c", "17", "é", ""])
def test_a_sign_in_that_never_was_is_not_found(web: RunningWeb, name: str) -> None:
    reply = web.client.get("/oauth-status", params={"consent_app_id": name})
    assert (reply.status_code, reply.json()["message"]) == (404, "There is no such sign-in.")


def test_a_question_without_its_subject_is_refused_in_words(web: RunningWeb) -> None:
    reply = web.client.get("/oauth-status")
    assert reply.status_code == 422
    assert reply.json() == {
        "status": "error",
        "message": "consent_app_id: field required",
        "mistakes": ["consent_app_id: field required"],
    }


def test_a_completed_sign_in_names_the_token_in_force_and_shows_none(web: RunningWeb) -> None:
    name = web.client.post("/initiate-oauth").json()["consent_app_id"]
    with web.database.transaction() as connection:
        a_token(web, connection)
        logins.complete(connection, 1, NOON)
    answer = web.client.get("/oauth-status", params={"consent_app_id": name})
    assert answer.json()["status"] == "completed"
    assert answer.json()["token_id"] == "munshi-token-1"
    assert 82_000 < answer.json()["expires_in"] <= 82_800
    assert "canary" not in answer.text


def test_a_failed_sign_in_says_why_and_dhans_own_id_finds_it(web: RunningWeb) -> None:
    web.client.post("/initiate-oauth")
    with web.database.transaction() as connection:
        logins.tap(connection, 1, PaperClock(web.settings.clock_file).now())
        made = logins.get(connection, 1)
        assert made
        logins.pend(connection, made, "3f0c6a52-consent")
        logins.fail(connection, 1, LoginRefusal.WRONG_ACCOUNT, "another account", NOON)
    for name in ("munshi-1", "3f0c6a52-consent"):
        answer = web.client.get("/oauth-status", params={"consent_app_id": name}).json()
        assert (answer["status"], answer["message"]) == ("failed", "another account")


def test_a_link_that_nobody_opened_in_time_is_expired(web: RunningWeb) -> None:
    name = web.client.post("/initiate-oauth").json()["consent_app_id"]
    web.move_clock(LINK_LIVES.total_seconds() + 1)
    assert web.client.get("/oauth-status", params={"consent_app_id": name}).json()["status"] == "expired"


def test_a_refresh_with_the_callback_sends_the_link_to_the_operators_as_well(web: RunningWeb) -> None:
    with web.database.transaction() as connection:
        connection.execute(operators.insert().values(user_id=42, chat_id=42, role="admin"))
    answer = web.client.post("/refresh-token", params={"use_callback": "true"}).json()
    assert answer["status"] == "pending_login"
    with web.database.snapshot() as connection:
        [payload] = connection.execute(select(outbox.c.payload).where(outbox.c.kind == Notice.SIGN_IN)).scalars()
    assert payload["login"] == 1
    assert web.client.post("/initiate-oauth").json()["consent_app_id"] == "munshi-2"
    with web.database.snapshot() as connection:
        assert len(connection.execute(select(outbox.c.id)).all()) == 1


def test_a_refresh_tells_what_the_desk_made_of_it(web: RunningWeb) -> None:
    def sign_in(connection: Connection, asked: Login) -> None:
        assert asked.way is Way.ASKED
        a_token(web, connection)
        logins.complete(connection, asked.id, NOON)

    with a_desk(web, sign_in):
        answer = web.client.post("/refresh-token").json()
    assert (answer["status"], answer["token_id"]) == ("success", "munshi-token-1")
    assert 82_000 < answer["expires_in"] <= 82_800


def refuse(connection: Connection, asked: Login) -> None:
    logins.fail(connection, asked.id, LoginRefusal.OTHER, "Not signed in at Dhan: open the link.", NOON)


def test_a_refresh_that_needs_a_person_answers_with_the_link(web: RunningWeb) -> None:
    with a_desk(web, refuse):
        answer = web.client.post("/refresh-token").json()
    assert (answer["status"], answer["consent_app_id"]) == ("pending_login", "munshi-2")


def test_a_refresh_that_fails_where_no_links_are_made_says_why(tmp_path: Path) -> None:
    with running_web(tmp_path, **NO_LINKS) as web, a_desk(web, refuse):
        reply = web.client.post("/refresh-token")
    assert (reply.status_code, reply.json()["message"]) == (409, "Not signed in at Dhan: open the link.")


def test_a_refresh_without_a_desk_says_so_at_once(web: RunningWeb) -> None:
    reply = web.client.post("/refresh-token")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "30")


CALLS = [
    ("POST", "/initiate-oauth"),
    ("GET", "/oauth-status?consent_app_id=munshi-1"),
    ("POST", "/refresh-token"),
    ("POST", "/refresh-token?use_callback=true"),
    ("GET", "/metrics"),
    ("GET", "/trace"),
]


@pytest.mark.parametrize(
    "desk",
    [
        LIVE,
        {"admin_token": ADMIN, "public_url": "https://desk.example.com"},
        {"admin_token": ADMIN, "host": "0.0.0.0"},
    ],
    ids=["live", "paper with a public address", "paper that listens everywhere"],
)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_where_others_may_reach_them_they_open_to_administrators_only_and_leave_no_row(
    tmp_path: Path, method: str, path: str, desk: dict[str, str]
) -> None:
    with running_web(tmp_path, **desk) as web:
        refused = web.client.request(method, path)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json() == {"status": "error", "message": "This needs the admin token."}
        with web.database.snapshot() as connection:
            assert logins.get(connection, 1) is None
        opened = web.client.request(method, path, headers={"Authorization": f"Bearer {ADMIN}"})
        assert opened.status_code != 401


@pytest.mark.parametrize("desk", [{}, {"public_url": "http://localhost:8080"}, {"host": "::1"}], ids=str)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_paper_desk_on_this_machine_needs_no_token(
    tmp_path: Path, method: str, path: str, desk: dict[str, str]
) -> None:
    with running_web(tmp_path, **desk) as web:
        assert web.client.request(method, path).status_code not in (401, 429)


def test_while_the_database_is_locked_a_link_is_not_made_and_the_answer_says_so(web: RunningWeb) -> None:
    with web.locked():
        reply = web.client.post("/initiate-oauth")
    assert reply.status_code == 503
    assert "locked" in reply.json()["message"]
