"""Getting a token with PIN and one-time code; Dhan refuses with HTTP 200."""

from datetime import timedelta

import pytest

from core.broker.dhan.auth import AccessToken, LoginRefusal, LoginRefused, seconds_until_safe_code, sign_in_with_totp
from core.broker.dhan.client import CallFailed, DhanClient
from core.clock import to_india
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


@pytest.mark.parametrize(
    "body",
    ["<html>Down</html>", "", '{"accessToken":"ey', {"accessToken": "eyJ", "dhanClientId": "1", "expiryTime": "soon"}],
)
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
    ("second", "wait"), [(0, 0), (10, 0), (25, 0), (25.5, 4.5), (29, 1), (30, 0), (55, 0), (58, 2)]
)
def test_a_code_is_not_used_in_the_last_seconds_of_its_step(second: float, wait: float) -> None:
    now = india("2026-11-25 10:30") + timedelta(seconds=second)
    assert seconds_until_safe_code(now) == pytest.approx(wait)
