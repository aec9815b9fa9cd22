"""A token that the settings bring, and new ones that are kept where the settings keep secrets."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from core.domain.login import Way
from core.secrets.google import keep_token
from tests.integration.paper_google import PROJECT, PaperGoogle, paper_google
from tests.unit.engine.door import Door


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[PaperGoogle]:
    with paper_google(dhan_access_token="old") as google:
        monkeypatch.setenv("GCE_METADATA_HOST", google.host)
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", google.url)
        yield google


async def test_a_token_of_the_settings_spares_a_sign_in_and_is_not_stored_again(door: Door) -> None:
    kept: list[str] = []
    given = door.dhan.web_token()
    session = door.session(keep_copy=kept.append, dhan_access_token=SecretStr(given))
    assert await session.keep()
    assert session.token() == given
    assert kept == []


async def test_a_dead_token_of_the_settings_is_tried_once_and_rings_nobody(door: Door) -> None:
    session = door.session(dhan_access_token=SecretStr("a.canary.token"))
    assert not await session.keep()
    assert await session.keep()
    assert (door.tries(Way.WEB), door.tries(Way.TOTP)) == (["failed"], ["completed"])
    assert door.rings() == []


async def test_each_new_token_is_kept_in_secret_manager_too(door: Door, google: PaperGoogle) -> None:
    session = door.session(keep_copy=lambda token: keep_token(PROJECT, token))
    assert await session.keep()
    assert google.secrets["dhan-access-token"] == ["old", session.token()]


async def test_a_token_that_cannot_be_kept_there_works_and_that_is_told(door: Door, google: PaperGoogle) -> None:
    google.refused.add("dhan-access-token")
    session = door.session(keep_copy=lambda token: keep_token(PROJECT, token))
    assert await session.keep()
    assert session.is_signed_in
    [told] = door.rings()
    assert "could not be kept in Secret Manager" in told["words"]
    assert session.token() not in told["words"]
