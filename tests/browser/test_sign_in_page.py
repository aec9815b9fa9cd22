"""Signing in on a phone, in a real browser: from the link in the chat through Dhan's page, and back."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.settings import PaperAccount
from tests.browser.conftest import Pictures
from tests.patience import PATIENCE
from tests.world import World

_PHONE = {"width": 390, "height": 844}
BY_LINK = {"DHAN_API_KEY": PaperAccount.API_KEY, "DHAN_API_SECRET": PaperAccount.API_SECRET}


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    with World.closed(tmp_path, env=BY_LINK) as by_link:
        by_link.sandbox.start()
        by_link.outside_is_there()
        by_link.web.start()
        by_link.desk.start()
        by_link.web_is_there()
        yield by_link


@pytest.fixture
def phone(browser: Browser) -> Generator[Page]:
    page = browser.new_page(viewport=_PHONE, device_scale_factor=2, has_touch=True)
    yield page
    page.close()


def find_link(world: World, phone: Page) -> str:
    """The newest link in the chat."""
    phone.goto(world.settings.sandbox_url)
    link = phone.get_by_role("link", name="Sign in at Dhan").last
    expect(link).to_be_visible(timeout=PATIENCE * 1000)
    return link.get_attribute("href") or ""


def go_to_dhan(world: World, phone: Page) -> None:
    """Ask for a link, and open it."""
    world.phone.ask("/login")
    phone.goto(find_link(world, phone))
    expect(phone.get_by_role("heading", name="Paper Dhan")).to_be_visible()


def shows(phone: Page, title: str) -> None:
    expect(phone.get_by_role("heading", name=title, exact=True)).to_be_visible(timeout=PATIENCE * 1000)
    assert phone.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]


def test_every_outcome_of_a_sign_in_is_told_on_a_phone(world: World, phone: Page, pictures: Pictures) -> None:
    link = find_link(world, phone)
    expect(phone.get_by_text("at the desk", exact=True)).to_be_visible(timeout=PATIENCE * 1000)
    pictures.take(phone, "sign-in-link-phone")
    phone.goto(link)
    phone.get_by_role("button", name="another account").tap()
    shows(phone, "Wrong account")
    pictures.take(phone, "sign-in-wrong-account-phone")
    phone.reload()
    shows(phone, "That took too long, or came twice")

    go_to_dhan(world, phone)
    world.fault("consume", "status", status=200, body={"status": "error", "message": "Invalid Token ID"})
    phone.get_by_role("button", name="Sign in", exact=True).tap()
    shows(phone, "Not signed in")
    expect(phone.locator("main")).to_contain_text("Invalid Token ID")
    pictures.take(phone, "sign-in-failed-phone")

    go_to_dhan(world, phone)
    world.pass_time(601)
    phone.get_by_role("button", name="Sign in", exact=True).tap()
    shows(phone, "That took too long, or came twice")
    pictures.take(phone, "sign-in-too-late-phone")

    go_to_dhan(world, phone)
    phone.get_by_role("button", name="Sign in", exact=True).tap()
    shows(phone, "Signed in")
    pictures.take(phone, "signed-in-phone")
    world.is_ready()

    phone.goto(link)
    shows(phone, "This link is over")
    pictures.take(phone, "sign-in-link-over-phone")


def test_who_does_not_finish_at_dhan_and_whose_desk_is_away_are_told_what_to_do(
    world: World, phone: Page, pictures: Pictures
) -> None:
    link = find_link(world, phone)
    phone.goto(link)
    expect(phone.get_by_role("heading", name="Paper Dhan")).to_be_visible(timeout=PATIENCE * 1000)
    phone.goto(f"{world.settings.web_url}/auth/callback?status=cancelled")
    shows(phone, "Dhan did not sign you in")
    pictures.take(phone, "sign-in-not-finished-phone")
    world.phone.ask("/login")
    unopened = find_link(world, phone)
    world.desk.stop()
    phone.goto(unopened)
    shows(phone, "The desk does not answer")
    pictures.take(phone, "sign-in-desk-away-phone")


def test_the_calls_are_explained_on_a_phone(world: World, phone: Page) -> None:
    phone.goto(f"{world.settings.web_url}/docs")
    shows(phone, "Calls")
    shows(phone, "POST /webhook")


def test_a_stray_visitor_learns_nothing(world: World, phone: Page) -> None:
    phone.goto(f"{world.settings.web_url}/auth/callback?tokenId=somebody-elses")
    shows(phone, "Not begun in this browser")
    phone.goto(f"{world.settings.web_url}/auth/login/1-guessed")
    shows(phone, "This is no sign-in link")
