"""What the webhook makes of bodies and requests of every kind. Nothing that it turns away leaves a row."""

import json
import socket

import pytest

from core.clock import monotonic
from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text

INVALID = {"status": "error", "message": "Invalid webhook secret"}
TOO_LARGE = "The alert is larger than 16384 bytes."
HEAD = b"POST /webhook HTTP/1.1\r\nHost: desk\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "secret", ["wrong", "", SECRET[:-1], SECRET + "x", SECRET.upper(), " " + SECRET, "\ud800", "é" * 1000]
)
def test_a_wrong_secret_is_answered_with_the_exact_words_and_leaves_no_row(shared_web: RunningWeb, secret: str) -> None:
    before = shared_web.stored()
    reply = shared_web.post(json.dumps(json.loads(an_alert_text()) | {"secret": secret}))
    assert (reply.status_code, reply.json()) == (401, INVALID)
    assert shared_web.stored() == before


@pytest.mark.parametrize("secret", [None, 12, True, {}, [SECRET]])
def test_a_secret_that_is_missing_or_no_text_is_a_wrong_one(shared_web: RunningWeb, secret: object) -> None:
    before = shared_web.stored()
    reply = shared_web.post(json.dumps(json.loads(an_alert_text(secret=None)) | {"secret": secret}))
    assert (reply.status_code, reply.json()) == (401, INVALID)
    assert shared_web.post(an_alert_text(secret=None)).status_code == 401
    assert shared_web.stored() == before


def test_an_alert_of_an_unknown_sender_is_not_told_what_is_wrong_with_it(shared_web: RunningWeb) -> None:
    reply = shared_web.post(an_alert_text(secret="wrong", quantity="a lot"))
    assert (reply.status_code, reply.json()) == (401, INVALID)


def test_an_alert_that_cannot_be_used_is_told_its_mistakes_and_kept_for_the_operator(web: RunningWeb) -> None:
    reply = web.post(an_alert_text(quantity="a lot", transactionType="HOLD"))
    answer = reply.json()
    assert reply.status_code == 422
    assert answer["status"] == "error"
    assert [mistake.split(" ")[2] for mistake in answer["mistakes"]] == ["transactionType", "quantity"]
    assert answer["message"] == " ".join(answer["mistakes"])
    [stored] = web.stored()
    assert (str(stored.id), stored.reason) == (answer["alert_id"], answer["message"])


@pytest.mark.parametrize("body", [b"", b"buy!", b"\xff\xfe", b"[]", b"null", b'{"a":', b"{" * 5000])
def test_a_body_that_is_no_alert_is_refused_in_words_and_leaves_no_row(shared_web: RunningWeb, body: bytes) -> None:
    before = shared_web.stored()
    reply = shared_web.post(body)
    assert (reply.status_code, reply.json()["status"]) in {(422, "error"), (401, "error")}
    assert reply.json()["message"]
    assert shared_web.stored() == before


def test_broken_json_with_our_secret_in_it_is_kept_without_the_secret(web: RunningWeb) -> None:
    reply = web.post(an_alert_text().replace('"quantity": "1",', '"quantity": "1"'))
    assert reply.status_code == 422
    [stored] = web.stored()
    assert "JSON" in stored.reason
    assert "***" in stored.body
    assert SECRET not in stored.body + stored.reason


@pytest.mark.parametrize("field", ["symbol", "note", "comment"])
def test_a_secret_that_stands_in_another_field_too_is_kept_nowhere(web: RunningWeb, field: str) -> None:
    web.post(an_alert_text(**{field: SECRET}))
    [kept] = web.stored()
    assert SECRET not in kept.body
    assert SECRET not in kept.reason


def test_broken_json_with_a_wrong_secret_in_it_leaves_no_row(web: RunningWeb) -> None:
    reply = web.post(an_alert_text(secret="wrong-secret").replace(",", "", 1))
    assert (reply.status_code, reply.json()) == (401, INVALID)
    assert web.stored() == []


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/json", "multipart/form-data; boundary=x"])
def test_the_content_type_does_not_matter(shared_web: RunningWeb, kind: str) -> None:
    assert shared_web.post(an_alert_text(note=kind), **{"Content-Type": kind}).status_code == 200


def test_an_alert_at_the_limit_is_taken_and_a_byte_more_is_not(web: RunningWeb) -> None:
    text = an_alert_text()
    largest = text + " " * (16_384 - len(text))
    assert web.post(largest).status_code == 200
    reply = web.post(largest + " ")
    assert (reply.status_code, reply.json()["message"]) == (413, TOO_LARGE)
    assert len(web.stored()) == 1


def test_a_megabyte_is_turned_away_before_it_is_sent(shared_web: RunningWeb) -> None:
    answer = shared_web.send_raw(HEAD + b"Content-Length: 1048576\r\n\r\n")
    assert status_of(answer) == 413
    assert TOO_LARGE.encode() in answer


def test_a_megabyte_in_chunks_without_a_length_is_turned_away_as_well(shared_web: RunningWeb) -> None:
    chunk = b"%x\r\n" % 8192 + b" " * 8192 + b"\r\n"
    answer = shared_web.send_raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 3)
    assert status_of(answer) == 413
    assert TOO_LARGE.encode() in answer


def test_an_alert_in_chunks_is_taken(web: RunningWeb) -> None:
    text = an_alert_text().encode()
    chunks = [b"%x\r\n" % len(part) + part + b"\r\n" for part in (text[:50], text[50:])]
    head = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert status_of(web.send_raw(head, *chunks, b"0\r\n\r\n")) == 200
    assert len(web.stored()) == 1


def test_a_body_that_never_ends_is_given_up_while_others_are_served(web: RunningWeb) -> None:
    head = HEAD + b"Content-Length: 100\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as slow:
        began = monotonic()
        slow.sendall(head)
        assert web.post(an_alert_text()).status_code == 200
        answer = slow.recv(65_536)
        assert monotonic() - began > 1.5
        assert status_of(answer) == 408
        assert slow.recv(1) == b"", "the connection is closed: the rest must not be read as a request"
    assert len(web.stored()) == 1


def test_a_sender_that_hangs_up_in_the_middle_leaves_no_row(web: RunningWeb) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as leaving:
        leaving.sendall(HEAD + b"Content-Length: 5000\r\n\r\n" + an_alert_text().encode())
    assert web.post(an_alert_text(note="next")).status_code == 200
    assert [alert.body for alert in web.stored() if "next" not in alert.body] == []


def test_a_length_that_is_no_number_is_a_bad_request(shared_web: RunningWeb) -> None:
    before = shared_web.stored()
    assert status_of(shared_web.send_raw(HEAD + b"Content-Length: -5\r\n\r\n")) == 400
    assert shared_web.stored() == before


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_another_method_is_not_allowed_on_the_webhook(shared_web: RunningWeb, method: str) -> None:
    assert shared_web.client.request(method, "/webhook").status_code == 405


@pytest.mark.parametrize("path", ["/", "/webhook/", "/webhooks", "/../etc/passwd", "/initiate", "/%00"])
def test_an_unknown_path_is_not_found(shared_web: RunningWeb, path: str) -> None:
    assert shared_web.client.post(path, content=an_alert_text()).status_code == 404
