"""The readiness card, the pictures and an export, as a phone shows them."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Pictures
from tests.patience import PATIENCE
from tests.world import World

_SOON = PATIENCE * 1000
_DRAWN = 60_000


@pytest.fixture
def phone(browser: Browser, world: World) -> Generator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True)
    page.goto(world.settings.sandbox_url)
    yield page
    page.close()


@pytest.fixture
def desktop(browser: Browser, world: World) -> Generator[Page]:
    """The same chat beside it, at a desk."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(world.settings.sandbox_url)
    yield page
    page.close()


def last(page: Page) -> Locator:
    return page.get_by_test_id("message").last


def write(page: Page, text: str) -> None:
    box = page.get_by_test_id("composer").get_by_role("textbox")
    box.fill(text)
    box.press("Enter")


def test_the_queue_and_the_reasons_are_seen_on_a_phone_and_at_a_desk(
    phone: Page, desktop: Page, world: World, pictures: Pictures
) -> None:
    world.jump("2026-11-28T14:00")
    alerts = [world.fire(world.leg(symbol))["alert_id"] for symbol in ("RELIANCE", "INFY", "TCS")]
    world.phone.card_shows(alerts[-1], "Waiting for your tap")
    world.phone.tap(alerts[0], "Approve")
    for command, words, name in (("/queue", "TCS", "queue"), (f"/why {alerts[0]}", "Step by step", "why")):
        write(phone, command)
        for page, width in ((phone, "phone"), (desktop, "desktop")):
            expect(last(page)).to_contain_text(words, timeout=_SOON)
            expect(last(page)).to_be_in_viewport()
            pictures.take(page, f"{name}-{width}")


def test_the_morning_the_curve_and_the_day_are_seen_on_a_phone(
    phone: Page, desktop: Page, world: World, pictures: Pictures
) -> None:
    world.until(lambda: not world.health()["holds"], "orders go out")
    alert = world.fire(world.leg("NIFTY1!", instrument="FUT", productType="M"))["alert_id"]
    world.phone.card_shows(alert, "Filled 65 at ₹")
    world.fire(world.leg("NOSUCH"))
    world.phone.ask("/pnl", "Today ")
    world.pass_time(40 * 60)
    world.phone.ask("/pnl", "Today ")
    for command, name in (("/status day", "day"), ("/pnl day", "profit")):
        before = phone.locator("img").count()
        write(phone, command)
        expect(phone.locator("img")).to_have_count(before + 1, timeout=_DRAWN)
        for page, width in ((phone, "phone"), (desktop, "desktop")):
            expect(last(page).locator("img")).to_be_visible(timeout=_SOON)
            pictures.take(page, f"{name}-{width}")

    write(phone, "/export")
    expect(last(phone)).to_contain_text("munshi verify", timeout=_SOON)
    pictures.take(phone, "export-phone")

    world.phone.ask("/pause", "Paused")
    world.jump("2026-12-02T08:45")
    card = phone.get_by_test_id("message").filter(has_text="to see to")
    expect(card).to_contain_text("Funds ₹", timeout=_SOON)
    expect(card.get_by_role("button", name="Send again")).to_be_visible()
    pictures.take(phone, "readiness-phone")
    expect(desktop.get_by_test_id("message").filter(has_text="to see to")).to_contain_text("Funds ₹", timeout=_SOON)
    pictures.take(desktop, "readiness-desktop")
    card.get_by_role("button", name="Send again").tap()
    expect(phone.get_by_text("Orders go out again")).to_be_visible(timeout=_SOON)
    card.get_by_role("button", name="Look again").tap()
    expect(card.get_by_role("button", name="Send again")).to_have_count(0, timeout=_SOON)
