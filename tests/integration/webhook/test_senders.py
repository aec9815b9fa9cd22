"""Which senders may post alerts: by secret, and where it is switched on by address and certificate."""

from pathlib import Path

import pytest

from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text, running_web
from webhook.callers import TRADINGVIEW
from webhook.failures import Failures

FROM_TRADINGVIEW = {"X-Forwarded-For": "52.89.214.238"}
CERTIFICATE = {"X-Client-Cert": "CN=TradingView Webhooks,O=TradingView\\, Inc.;email=webhook-server@tradingview.com"}


def test_with_the_switch_on_only_tradingviews_addresses_may_post(tmp_path: Path) -> None:
    with running_web(tmp_path, tradingview_ips_only=True) as web:
        for known in TRADINGVIEW:
            address = str(known.network_address)
            assert web.post(an_alert_text(note=address), **{"X-Forwarded-For": address}).status_code == 200
        for headers in ({}, {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "52.89.214.238, 203.0.113.7"}):
            refused = web.post(an_alert_text(), **headers)
            assert refused.status_code == 403
            assert "TradingView's addresses only" in refused.json()["message"]
        assert len(web.stored()) == len(TRADINGVIEW)
        assert web.client.get("/health").status_code == 200


def test_a_flood_from_elsewhere_is_one_line_a_minute_in_the_log_with_its_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_web(tmp_path, tradingview_ips_only=True) as web:
        assert {web.post("{}").status_code for _ in range(50)} == {403}
    said = capsys.readouterr().out
    assert said.count("alert_turned_away") == 1


def test_a_sender_that_no_trusted_proxy_vouches_for_cannot_say_where_it_is(tmp_path: Path) -> None:
    with running_web(tmp_path, tradingview_ips_only=True, forwarded_allow_ips="10.0.0.1") as web:
        assert web.post(an_alert_text(), **FROM_TRADINGVIEW).status_code == 403


def test_the_address_is_one_more_lock_and_not_the_only_one(tmp_path: Path) -> None:
    with running_web(tmp_path, tradingview_ips_only=True) as web:
        assert web.post(an_alert_text(secret="wrong"), **FROM_TRADINGVIEW).status_code == 401


def test_with_a_certificate_header_only_alerts_with_tradingviews_certificate_are_taken(tmp_path: Path) -> None:
    with running_web(tmp_path, tradingview_cert_header="X-Client-Cert") as web:
        assert web.post(an_alert_text(), **CERTIFICATE).status_code == 200
        for headers in ({}, {"X-Client-Cert": ""}, {"X-Client-Cert": "CN=somebody"}):
            refused = web.post(an_alert_text(note="other"), **headers)
            assert refused.status_code == 403
            assert "client certificate" in refused.json()["message"]


@pytest.mark.parametrize(
    "shown",
    [
        "webhook-server@tradingview.com",
        "CN=webhook-server@tradingview.com,O=TradingView",
        "emailAddress=webhook-server@tradingview.com,CN=TradingView Webhooks",
        "C = US, CN = TradingView Webhooks, emailAddress = webhook-server@tradingview.com",
        "CN=TradingView Webhooks; SAN=email:webhook-server@tradingview.com",
        'O="TradingView, Inc.",CN="webhook-server@tradingview.com"',
    ],
)
def test_tradingviews_name_may_stand_in_each_of_the_ways_in_which_proxies_tell_it(tmp_path: Path, shown: str) -> None:
    with running_web(tmp_path, tradingview_cert_header="X-Client-Cert") as web:
        assert web.post(an_alert_text(), **{"X-Client-Cert": shown}).status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        "CN=evil, SAN=email:webhook-server@tradingview.com.attacker.example",
        "CN=not-webhook-server@tradingview.com",
        "CN=a.webhook-server@tradingview.com",
        "webhook-server@tradingview.com@attacker.example",
        "CN=evil webhook-server@tradingview.com",
        "CN=evil=webhook-server@tradingview.com",
        "CN=evil\\, emailAddress=webhook-server@tradingview.com",
        'CN="evil, emailAddress=webhook-server@tradingview.com"',
        "CN=evil/CN=webhook-server@tradingview.com",
        "CN=webhook-server@tradingviewxcom",
        "WEBHOOK",
    ],
)
def test_a_name_that_only_holds_tradingviews_is_another_ones(tmp_path: Path, shown: str) -> None:
    with running_web(tmp_path, tradingview_cert_header="X-Client-Cert") as web:
        assert web.post(an_alert_text(), **{"X-Client-Cert": shown}).status_code == 403


def test_a_certificate_header_from_no_trusted_proxy_proves_nothing(tmp_path: Path) -> None:
    with running_web(tmp_path, tradingview_cert_header="X-Client-Cert", forwarded_allow_ips="10.0.0.1") as web:
        assert web.post(an_alert_text(), **CERTIFICATE).status_code == 403


def test_what_comes_after_the_body_is_no_header(tmp_path: Path) -> None:
    """A proxy takes the header out of what strangers send, and hands their trailers on."""
    body = an_alert_text().encode()
    request = (
        b"POST /webhook HTTP/1.1\r\nHost: desk\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\nX-Client-Cert: %b\r\n\r\n" % (len(body), body, CERTIFICATE["X-Client-Cert"].encode())
    )
    with running_web(tmp_path, tradingview_cert_header="X-Client-Cert") as web:
        assert web.send_raw(request).startswith(b"HTTP/1.1 403 ")


def test_a_guesser_is_limited_and_an_honest_alert_from_the_same_address_is_taken(tmp_path: Path) -> None:
    with running_web(tmp_path, failures=Failures(per_address=3)) as web:
        wrong = an_alert_text(secret="a-wrong-secret")
        assert [web.post(wrong).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        limited = web.post(wrong)
        assert limited.json()["message"].startswith("Too many tries with wrong credentials")
        assert web.post(an_alert_text()).status_code == 200
        assert [alert.reason for alert in web.stored()] == [""]


def test_another_address_has_a_share_of_its_own_and_all_together_have_one(tmp_path: Path) -> None:
    with running_web(tmp_path, failures=Failures(per_address=1, altogether=3)) as web:
        wrong = an_alert_text(secret="a-wrong-secret")
        seen = [web.post(wrong, **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code for number in range(5)]
        assert seen == [401, 401, 401, 429, 429]
        assert web.post(an_alert_text(), **{"X-Forwarded-For": "203.0.113.9"}).status_code == 200


def test_guessing_at_the_postback_key_is_limited_and_the_right_one_is_heard(tmp_path: Path) -> None:
    with running_web(tmp_path, failures=Failures(per_address=2)) as web:
        codes = [web.client.post(f"/dhan/postback/{SECRET}{number}", json={}).status_code for number in range(4)]
        assert codes == [404, 404, 429, 429]
        key = web.settings.postback_key.get_secret_value()
        assert web.client.post(f"/dhan/postback/{key}", json={}).status_code == 200


def test_a_postback_that_never_ends_is_given_up(shared_web: RunningWeb) -> None:
    key = shared_web.settings.postback_key.get_secret_value()
    head = f"POST /dhan/postback/{key} HTTP/1.1\r\nHost: desk\r\nContent-Length: 100\r\n\r\n{{".encode()
    answer = shared_web.send_raw(head)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive in time" in answer


@pytest.mark.parametrize("path", ["/nowhere", "/webhook/x/y"])
def test_what_is_not_there_is_said_as_all_errors_are(shared_web: RunningWeb, path: str) -> None:
    reply = shared_web.client.get(path)
    assert (reply.status_code, reply.json()) == (404, {"status": "error", "message": "Not Found"})
