"""Getting a token by every way that Dhan has; it refuses with HTTP 200."""

import base64
import json
from datetime import datetime, timedelta

import pytest

from core.broker.dhan.auth import (
    AccessToken,
    App,
    LoginRefused,
    check_token,
    claims,
    consume_consent,
    create_consent,
    renew,
    seconds_until_safe_code,
    sign_in_with_totp,
)
from core.broker.dhan.client import CallFailed, DhanClient
from core.clock import to_india
from core.domain.login import LoginRefusal
from core.sandbox.dhan.login import OTHER_ACCOUNT
from core.settings import PaperAccount
from tests.integration.paper_dhan import PaperDhan, india

OTHER_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _long_after_the_last_token(dhan: PaperDhan) -> None:
    dhan.clock.pass_time(minutes=5)


async def sign_in(
    client: DhanClient, dhan: PaperDhan, *, pin: str = PaperAccount.PIN, secret: str = PaperAccount.TOTP_SECRET
) -> AccessToken:
    return await sign_in_with_totp(
        client,
        f"{dhan.http.base_url}/dhan-login",
        client_id=PaperAccount.CLIENT_ID,
        pin=pin,
        totp_secret=secret,
        now=dhan.clock.now(),
    )


async def test_pin_and_code_get_a_token_for_a_day(client: DhanClient, dhan: PaperDhan) -> None:
    token = await sign_in(client, dhan)
    assert token.client_id == PaperAccount.CLIENT_ID
    assert token.expires_at == dhan.clock.now() + timedelta(hours=24)
    assert token.value not in repr(token)
    dhan.http.headers["access-token"] = token.value
    assert dhan.http.get("/dhan/v2/profile").status_code == 200


async def test_a_second_token_within_two_minutes_is_too_soon(client: DhanClient, dhan: PaperDhan) -> None:
    await sign_in(client, dhan)
    with pytest.raises(LoginRefused) as refused:
        await sign_in(client, dhan)
    assert refused.value.refusal is LoginRefusal.TOO_SOON


async def test_a_wrong_pin_is_told_apart(client: DhanClient, dhan: PaperDhan) -> None:
    with pytest.raises(LoginRefused, match="Invalid Pin") as refused:
        await sign_in(client, dhan, pin="000000")
    assert refused.value.refusal is LoginRefusal.WRONG_PIN


@pytest.mark.parametrize("secret", [OTHER_SECRET, OTHER_SECRET[:16]], ids=["160 bits", "80 bits"])
async def test_a_wrong_code_is_told_apart(client: DhanClient, dhan: PaperDhan, secret: str) -> None:
    with pytest.raises(LoginRefused, match="Invalid TOTP") as refused:
        await sign_in(client, dhan, secret=secret)
    assert refused.value.refusal is LoginRefusal.WRONG_CODE


async def test_any_other_refusal_keeps_dhans_words(client: DhanClient, dhan: PaperDhan) -> None:
    dhan.script("login", "status", status=200, body={"status": "error", "message": "Account is locked"})
    with pytest.raises(LoginRefused, match="Account is locked") as refused:
        await sign_in(client, dhan)
    assert refused.value.refusal is LoginRefusal.OTHER


@pytest.mark.parametrize("body", ["<html>Down</html>", "", '{"accessToken":"ey'])
async def test_an_unreadable_answer_is_a_failed_call_that_shows_nothing(
    client: DhanClient, dhan: PaperDhan, body: object
) -> None:
    dhan.script("login", "status", status=200, body=body)
    with pytest.raises(CallFailed) as failure:
        await sign_in(client, dhan)
    assert PaperAccount.PIN not in str(failure.value)
    assert "eyJ" not in str(failure.value)


async def test_a_lost_reply_may_have_made_a_token(client: DhanClient, dhan: PaperDhan) -> None:
    dhan.script("login", "drop_after")
    with pytest.raises(CallFailed) as failure:
        await sign_in(client, dhan)
    assert failure.value.sent
    assert PaperAccount.PIN not in str(failure.value)


async def test_a_token_ends_by_indias_clock(client: DhanClient, dhan: PaperDhan) -> None:
    token = {"accessToken": "eyJ", "dhanClientId": "1", "expiryTime": "2026-11-26T08:41:07.250"}
    dhan.script("login", "status", status=200, body=token)
    ends = (await sign_in(client, dhan)).expires_at
    assert ends.utcoffset() == timedelta(hours=5, minutes=30)
    assert to_india(ends).strftime("%d %H:%M:%S") == "26 08:41:07"


@pytest.mark.parametrize(
    ("said", "exp", "ends"),
    [
        ({"tokenValidity": "26/11/2026 09:00"}, None, "2026-11-26 09:00"),
        ({"expiryTime": "26/11/2026 09:00"}, None, "2026-11-26 09:00"),
        ({"tokenValidity": "2026-11-26T09:00:00"}, "2026-11-26 08:00", "2026-11-26 09:00"),
        ({}, "2026-11-26 08:00", "2026-11-26 08:00"),
        ({"expiryTime": "soon"}, "2026-11-26 08:00", "2026-11-26 08:00"),
        ({}, None, "2026-11-26 10:35"),
        ({"expiryTime": "0001-01-01T00:00:00"}, "0001-01-02 00:00", "2026-11-26 10:35"),
    ],
)
async def test_a_token_whose_end_dhan_names_otherwise_or_not_at_all_is_kept(
    client: DhanClient, dhan: PaperDhan, said: dict[str, str], exp: str | None, ends: str
) -> None:
    value = _token_until(india(exp) if exp else None)
    body = {"accessToken": value, "dhanClientId": PaperAccount.CLIENT_ID, **said}
    url, now = f"{dhan.http.base_url}/dhan/v2", dhan.clock.now()
    dhan.script("login", "status", status=200, body=body, times=2)
    dhan.script("consume", "status", status=200, body=body)
    for token in (
        await sign_in(client, dhan),
        await renew(client, url, client_id=PaperAccount.CLIENT_ID, token="old", now=now),
        await consume(client, dhan, "a token id"),
    ):
        assert (token.value, token.expires_at) == (value, india(ends))


def _token_until(ends: datetime | None) -> str:
    claim = json.dumps({"exp": int(ends.timestamp())} if ends else {}).encode()
    return f"a.{base64.urlsafe_b64encode(claim).decode().rstrip('=')}.c"


@pytest.mark.parametrize(
    ("second", "wait"), [(0, 0), (10, 0), (25, 0), (25.5, 4.5), (29, 1), (30, 0), (55, 0), (58, 2)]
)
def test_a_code_is_not_used_in_the_last_seconds_of_its_step(second: float, wait: float) -> None:
    now = india("2026-11-25 10:30") + timedelta(seconds=second)
    assert seconds_until_safe_code(now) == pytest.approx(wait)


def app(dhan: PaperDhan, secret: str = PaperAccount.API_SECRET) -> App:
    url = f"{dhan.http.base_url}/dhan-login"
    return App(url=url, client_id=PaperAccount.CLIENT_ID, key=PaperAccount.API_KEY, secret=secret)


async def consume(client: DhanClient, dhan: PaperDhan, token_id: str) -> AccessToken:
    return await consume_consent(client, app(dhan), token_id, dhan.clock.now())


def profile_status(dhan: PaperDhan, token: AccessToken) -> int:
    return dhan.http.get("/dhan/v2/profile", headers={"access-token": token.value}).status_code


async def test_consent_and_what_the_browser_brings_back_get_a_token(client: DhanClient, dhan: PaperDhan) -> None:
    token = await consume(client, dhan, dhan.granted(await create_consent(client, app(dhan))))
    assert (token.client_id, profile_status(dhan, token)) == (PaperAccount.CLIENT_ID, 200)


async def test_where_get_is_not_allowed_the_exchange_is_posted(client: DhanClient, dhan: PaperDhan) -> None:
    token_id = dhan.granted(await create_consent(client, app(dhan)))
    dhan.script("consume", "status", status=405, body="")
    assert profile_status(dhan, await consume(client, dhan, token_id)) == 200


async def test_a_token_id_works_once(client: DhanClient, dhan: PaperDhan) -> None:
    token_id = dhan.granted(await create_consent(client, app(dhan)))
    await consume(client, dhan, token_id)
    with pytest.raises(LoginRefused, match="Invalid Token ID"):
        await consume(client, dhan, token_id)


async def test_a_token_names_the_account_that_signed_in(client: DhanClient, dhan: PaperDhan) -> None:
    token_id = dhan.granted(await create_consent(client, app(dhan)), OTHER_ACCOUNT)
    assert (await consume(client, dhan, token_id)).client_id == OTHER_ACCOUNT


async def test_a_lost_exchange_shows_no_token_id(client: DhanClient, dhan: PaperDhan) -> None:
    token_id = dhan.granted(await create_consent(client, app(dhan)))
    dhan.script("consume", "drop_after")
    with pytest.raises(CallFailed) as failure:
        await consume(client, dhan, token_id)
    assert failure.value.sent
    assert token_id not in str(failure.value)


@pytest.mark.parametrize(
    ("body", "words", "refusal"),
    [
        (
            {"status": "error", "errorCode": "CONSENT_LIMIT_EXCEED", "errorMessage": "Consent limit exceeded"},
            "Consent limit exceeded",
            LoginRefusal.CONSENT_LIMIT,
        ),
        ({"errorCode": "CONSENT_LIMIT_EXCEED"}, "CONSENT_LIMIT_EXCEED", LoginRefusal.CONSENT_LIMIT),
        ({"status": "error", "message": "Invalid app"}, "Invalid app", LoginRefusal.OTHER),
        ({"status": "success", "consentAppStatus": "GENERATED"}, "HTTP 200", LoginRefusal.OTHER),
        ({"status": "failed", "consentAppId": "3f0c"}, "HTTP 200", LoginRefusal.OTHER),
    ],
)
async def test_a_consent_is_there_only_when_dhan_says_success_and_names_it(
    client: DhanClient, dhan: PaperDhan, body: object, words: str, refusal: LoginRefusal
) -> None:
    dhan.script("consent", "status", status=200, body=body)
    with pytest.raises(LoginRefused, match=words) as refused:
        await create_consent(client, app(dhan))
    assert refused.value.refusal is refusal


async def test_a_wrong_api_secret_is_refused_and_not_shown(client: DhanClient, dhan: PaperDhan) -> None:
    with pytest.raises(LoginRefused) as refused:
        await create_consent(client, app(dhan, secret="canary-secret"))
    assert "canary-secret" not in str(refused.value)


async def test_a_token_of_the_website_is_checked_by_asking_whose_it_is(client: DhanClient, dhan: PaperDhan) -> None:
    made = dhan.web_token()
    url = f"{dhan.http.base_url}/dhan/v2"
    token = await check_token(client, url, token=made, now=dhan.clock.now())
    assert (token.value, token.client_id) == (made, PaperAccount.CLIENT_ID)
    assert token.expires_at == dhan.clock.now() + timedelta(hours=24)
    dhan.end_token()
    with pytest.raises(LoginRefused, match="invalid or expired"):
        await check_token(client, url, token=made, now=dhan.clock.now())


async def test_where_the_profile_names_no_end_the_token_itself_does(client: DhanClient, dhan: PaperDhan) -> None:
    made = dhan.web_token()
    dhan.script("profile", "status", status=200, body={"dhanClientId": "1100000001", "tokenValidity": "soon"})
    token = await check_token(client, f"{dhan.http.base_url}/dhan/v2", token=made, now=dhan.clock.now())
    assert token.expires_at == dhan.clock.now() + timedelta(hours=24)


@pytest.mark.parametrize("ends", ["soon", 10**30, -(10**30), True, 253402300799, "0001-01-01T00:00:00", None])
async def test_a_token_that_ends_at_an_absurd_time_is_not_taken(
    client: DhanClient, dhan: PaperDhan, ends: object
) -> None:
    claim = base64.urlsafe_b64encode(json.dumps({"exp": ends}).encode()).decode().rstrip("=")
    until = "01/01/0001 00:00"
    dhan.script("profile", "status", status=200, body={"dhanClientId": "1100000001", "tokenValidity": until})
    with pytest.raises(CallFailed, match="until when"):
        await check_token(client, f"{dhan.http.base_url}/dhan/v2", token=f"a.{claim}.c", now=dhan.clock.now())


async def test_only_a_token_of_the_website_is_renewed(client: DhanClient, dhan: PaperDhan) -> None:
    async def renewed(value: str) -> AccessToken:
        url, account = f"{dhan.http.base_url}/dhan/v2", PaperAccount.CLIENT_ID
        return await renew(client, url, client_id=account, token=value, now=dhan.clock.now())

    with pytest.raises(LoginRefused, match="cannot be renewed"):
        await renewed((await sign_in(client, dhan)).value)
    old = dhan.web_token()
    dhan.clock.pass_time(hours=1)
    token = await renewed(old)
    assert token.value != old
    assert (token.client_id, profile_status(dhan, token)) == (PaperAccount.CLIENT_ID, 200)
    assert token.expires_at == dhan.clock.now() + timedelta(hours=24)


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "a.%.c", "a.bm90IGpzb24.c", "a.W10.c", "é.é.é", "...."])
def test_what_is_no_token_claims_nothing(text: str) -> None:
    assert claims(text) == {}


def test_a_token_says_whose_it_is(dhan: PaperDhan) -> None:
    said = claims(dhan.web_token())
    assert (said["dhanClientId"], said["tokenConsumerType"]) == (PaperAccount.CLIENT_ID, "SELF")


async def test_a_refusal_that_repeats_what_was_sent_does_not_show_it(client: DhanClient, dhan: PaperDhan) -> None:
    def echo(call: str, secret: str) -> None:
        dhan.script(call, "status", status=200, body={"status": "error", "message": f"{secret} is not good"})

    url, now = f"{dhan.http.base_url}/dhan/v2", dhan.clock.now()
    echo("login", PaperAccount.PIN)
    with pytest.raises(LoginRefused, match=r"^… is not good$"):
        await sign_in(client, dhan)
    echo("consent", PaperAccount.API_SECRET)
    with pytest.raises(LoginRefused, match=r"^… is not good$"):
        await create_consent(client, app(dhan))
    echo("consume", "canary-token-id")
    with pytest.raises(LoginRefused, match=r"^… is not good$"):
        await consume(client, dhan, "canary-token-id")
    echo("login", dhan.http.headers["access-token"])
    with pytest.raises(LoginRefused, match=r"^… is not good$"):
        await renew(client, url, client_id=PaperAccount.CLIENT_ID, token=dhan.http.headers["access-token"], now=now)
