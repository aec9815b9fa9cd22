"""The browser's side of a sign-in: what counts, what does not, and what the page says. The desk's part is played."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from core.clock import PaperClock, SystemClock, to_india
from core.db import leases, logins
from core.db.logins import Login
from core.db.tokens import TokenVault
from core.domain.login import LoginRefusal, LoginState, Way
from core.login_link import LoginLinks
from core.seal import Seal
from tests.builders import NOON
from tests.integration.webhook.running_web import RunningWeb, running_web

CONSENT = "3f0c6a52-7d1e-4b0e-9a77-0c1d2e3f4a5b"
TOKEN_ID = "canary-token-id-7d1e"
CALLBACK = f"/auth/callback/?tokenId={TOKEN_ID}&status=ok"


@pytest.fixture
def web(shared_web: RunningWeb) -> Generator[RunningWeb]:
    """A browser without cookies."""
    yield shared_web
    shared_web.client.cookies.clear()


def now(web: RunningWeb) -> datetime:
    return PaperClock(web.settings.clock_file).now()


class DesksPart:
    """Does what a desk would with what lies in the mailbox, on a thread of its own."""

    def __init__(self, web: RunningWeb, ending: LoginRefusal | None = None, words: str = "") -> None:
        self._web = web
        self._ending = ending
        self._words = words
        self._is_over = threading.Event()
        self.received: list[str] = []

    @contextmanager
    def at_work(self) -> Generator["DesksPart"]:
        with self._web.database.transaction() as connection:
            epoch = leases.acquire(connection, holder="desk", nudge_port=9, at=SystemClock().now())
        worker = threading.Thread(target=self._work)
        worker.start()
        try:
            yield self
        finally:
            self._is_over.set()
            worker.join()
            with self._web.database.transaction() as connection:
                leases.release(connection, epoch=epoch or 0, at=SystemClock().now())

    def _work(self) -> None:
        while not self._is_over.is_set():
            with self._web.database.transaction() as connection:
                for login in logins.to_do(connection, now(self._web)):
                    if login.state is LoginState.REQUESTED and self._ending is not LoginRefusal.CONSENT_LIMIT:
                        logins.pend(connection, login, CONSENT)
                    else:
                        self._finish(connection, login)
            time.sleep(0.002)

    def _finish(self, connection: Connection, login: Login) -> None:
        vault = TokenVault(self._web.settings.token_keys)
        self.received.append(Seal(self._web.settings.token_keys).open(login.sealed or "") or "")
        if self._ending:
            logins.fail(connection, login.id, self._ending, self._words, NOON)
            return
        at, client_id = now(self._web), self._web.settings.client_id
        ends = at + timedelta(hours=24)
        vault.store(connection, "jwt", client_id=client_id, source=Way.LINK, issued_at=at, expires_at=ends)
        logins.complete(connection, login.id, at)


def a_link(web: RunningWeb) -> str:
    """The path of a link that stands in the chat."""
    with web.database.transaction() as connection:
        login_id = logins.start(connection, Way.LINK, LoginState.OFFERED, by="operator 42", at=now(web))
    return httpx.URL(LoginLinks(web.settings).url(login_id)).path


def login_of(web: RunningWeb, link: str) -> Login:
    with web.database.snapshot() as connection:
        login = logins.get(connection, int(link.rsplit("/", 1)[1].split("-", maxsplit=1)[0]))
    assert login
    return login


def opened(web: RunningWeb) -> str:
    link = a_link(web)
    assert web.client.get(link).status_code == 302
    return link


def says(reply: httpx.Response, status: int, title: str) -> None:
    assert (reply.status_code, f"<h1>{title}</h1>" in reply.text) == (status, True), reply.text


def test_the_tap_asks_for_a_consent_and_goes_to_dhans_page(web: RunningWeb) -> None:
    with DesksPart(web).at_work():
        reply = web.client.get(a_link(web))
    assert reply.status_code == 302
    assert reply.headers["location"] == f"{web.settings.dhan_auth}/login/consentApp-login?consentAppId={CONSENT}"
    cookie = reply.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/auth", "Max-Age=600"):
        assert part in cookie


def test_who_comes_back_in_time_and_in_the_same_browser_signs_the_desk_in(web: RunningWeb) -> None:
    with DesksPart(web).at_work() as desk:
        link = opened(web)
        reply = web.client.get(CALLBACK)
    says(reply, 200, "Signed in")
    assert f"until {to_india(now(web) + timedelta(hours=24)):%A}" in reply.text
    assert "The chat says what goes on." in reply.text
    assert "go out" not in reply.text  # a pause, a kill or a hold may keep orders back
    assert desk.received == [TOKEN_ID]
    assert login_of(web, link).state is LoginState.COMPLETED


@pytest.mark.parametrize("path", [f"/auth/callback?tokenId={TOKEN_ID}", f"/auth/callback/?state=&tokenId={TOKEN_ID}"])
def test_dhans_redirect_is_understood_with_and_without_its_slash(web: RunningWeb, path: str) -> None:
    with DesksPart(web).at_work():
        opened(web)
        says(web.client.get(path), 200, "Signed in")


@pytest.mark.fault("TK-08")
def test_a_replayed_callback_does_nothing(web: RunningWeb) -> None:
    with DesksPart(web).at_work() as desk:
        opened(web)
        says(web.client.get(CALLBACK), 200, "Signed in")
        says(web.client.get(CALLBACK), 410, "That took too long, or came twice")
    assert desk.received == [TOKEN_ID]


@pytest.mark.fault("TK-09", "SX-13")
@pytest.mark.parametrize("cookie", [None, "", "1-guessed", "1-", "é-x", "0" * 40, "1-AAAAAAAAAAAAAAAAAAAA"])
def test_a_callback_from_another_browser_does_nothing(web: RunningWeb, cookie: str | None) -> None:
    with DesksPart(web).at_work() as desk:
        link = opened(web)
        headers = {} if cookie is None else {"cookie": f"munshi_sign_in={cookie}".encode()}
        reply = httpx.get(f"{web.client.base_url}{CALLBACK}", headers=headers, trust_env=False, verify=False)
        says(reply, 403, "Not begun in this browser")
        assert desk.received == []
        assert login_of(web, link).state is LoginState.PENDING
        says(web.client.get(CALLBACK), 200, "Signed in")


@pytest.mark.fault("TK-11")
def test_a_callback_after_ten_minutes_is_refused_and_the_link_may_be_opened_again(web: RunningWeb) -> None:
    with DesksPart(web).at_work() as desk:
        link = opened(web)
        web.move_clock(601)
        says(web.client.get(CALLBACK), 410, "That took too long, or came twice")
        assert desk.received == []
        assert web.client.get(link).status_code == 302
        says(web.client.get(CALLBACK), 200, "Signed in")


@pytest.mark.parametrize(
    "query", ["", "?tokenId=", "?error=access_denied", "?tokenId=short", "?tokenId=%3Cscript%3Ealert(1)%3C/script%3E"]
)
def test_who_comes_back_without_a_sign_in_may_try_again(web: RunningWeb, query: str) -> None:
    with DesksPart(web).at_work() as desk:
        opened(web)
        reply = web.client.get(f"/auth/callback{query}")
        says(reply, 400, "Dhan did not sign you in")
        assert "script" not in reply.text
        says(web.client.get(CALLBACK), 200, "Signed in")
    assert desk.received == [TOKEN_ID]


def test_another_account_is_told_that_its_token_was_thrown_away(web: RunningWeb) -> None:
    with DesksPart(web, LoginRefusal.WRONG_ACCOUNT).at_work():
        opened(web)
        says(web.client.get(CALLBACK), 403, "Wrong account")


def test_a_refusal_is_shown_in_dhans_words(web: RunningWeb) -> None:
    with DesksPart(web, LoginRefusal.OTHER, "signing in failed: <b>Invalid</b> Token ID").at_work():
        opened(web)
        reply = web.client.get(CALLBACK)
    says(reply, 409, "Not signed in")
    assert "Signing in failed: &lt;b&gt;Invalid&lt;/b&gt; Token ID" in reply.text


@pytest.mark.parametrize("key", ["1", "1-x", "x-1", "-", "999-AAAAAAAAAAAAAAAAAAAA", "%00", "1" * 200])
def test_a_link_that_we_did_not_make_opens_nothing(web: RunningWeb, key: str) -> None:
    a_link(web)
    says(web.client.get(f"/auth/login/{key}"), 404, "This is no sign-in link")


def test_a_link_that_is_over_says_so(web: RunningWeb) -> None:
    link = a_link(web)
    web.move_clock(12 * 3600)
    says(web.client.get(link), 410, "This link is over")


def test_a_consent_that_was_refused_is_explained(web: RunningWeb) -> None:
    with DesksPart(web, LoginRefusal.CONSENT_LIMIT, "24 links are used.").at_work():
        reply = web.client.get(a_link(web))
    says(reply, 409, "Not signed in")
    assert "24 links are used." in reply.text
    assert "set-cookie" not in reply.headers


def test_without_a_desk_the_tap_says_at_once_that_nobody_answers(web: RunningWeb) -> None:
    link = a_link(web)
    says(web.client.get(link), 503, "The desk does not answer")
    assert login_of(web, link).state is LoginState.REQUESTED


def test_while_the_database_is_locked_the_page_says_to_try_again(web: RunningWeb) -> None:
    link = a_link(web)
    with web.locked():
        says(web.client.get(link), 503, "The desk does not answer")
    assert login_of(web, link).state is LoginState.OFFERED


@pytest.mark.fault("SX-14")
def test_no_page_around_a_sign_in_may_be_kept_framed_or_filled_with_foreign_content(web: RunningWeb) -> None:
    with DesksPart(web).at_work():
        replies = [web.client.get(a_link(web)), web.client.get(CALLBACK), web.client.get("/auth/login/1-x")]
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
        assert "http" not in reply.text
        assert "<script" not in reply.text
        assert TOKEN_ID not in reply.text


def test_the_cookie_of_a_desk_with_https_goes_over_https_only(tmp_path: Path) -> None:
    with running_web(tmp_path, public_url="https://desk.example.com") as web, DesksPart(web).at_work():
        assert "Secure" in web.client.get(a_link(web)).headers["set-cookie"]
