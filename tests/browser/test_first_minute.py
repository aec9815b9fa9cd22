"""What a newcomer sees in the first minute, in a real browser, on a desk and on a phone."""

import json
import re
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from core.settings import PaperAccount
from tests.browser.conftest import Pictures
from tests.patience import PATIENCE
from tests.world import World
from tests.world.processes import client

_SOON = PATIENCE * 1000


@pytest.fixture
def desktop(browser: Browser, world: World) -> Generator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=2)
    page.goto(world.settings.sandbox_url)
    yield page
    page.close()


@pytest.fixture
def phone(browser: Browser, world: World) -> Generator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True)
    page.goto(world.settings.sandbox_url)
    yield page
    page.close()


def card(page: Page, alert: int) -> Locator:
    return page.get_by_test_id("message").filter(has_text=re.compile(rf"PAPER · alert {alert} ·"))


def fire_sample(page: Page, name: str) -> None:
    page.get_by_test_id("samples").get_by_role("button", name=name).click()


def jump(page: Page, to: str) -> None:
    page.get_by_test_id("clock-chips").get_by_role("button", name=to).click()


def upper_edge(shown: Locator) -> float:
    box = shown.bounding_box()
    assert box
    return box["y"]


def lower_edge(shown: Locator) -> float:
    box = shown.bounding_box()
    assert box
    return box["y"] + box["height"]


def answered_as(mode: str) -> re.Pattern[str]:
    """What the webhook said; on a machine that is very busy, that the desk is still deciding."""
    return re.compile(f"{mode}|The desk is deciding")


def publish(world: World, **command: str) -> None:
    """Another menu, as the desk publishes its own."""
    scope = {"type": "chat", "chat_id": PaperAccount.OPERATOR_ID}
    body = {"commands": json.dumps([command]), "scope": json.dumps(scope)}
    with client(world.settings.sandbox_url) as http:
        reply = http.post(f"/telegram/bot{PaperAccount.BOT_TOKEN}/setMyCommands", data=body)
    assert reply.json() == {"ok": True, "result": True}


def test_the_story_of_the_first_minute(desktop: Page, phone: Page, world: World, pictures: Pictures) -> None:
    expect(desktop.get_by_test_id("empty-state")).to_be_visible()
    expect(desktop.get_by_test_id("desk-clock")).to_contain_text("10:30")

    fire_sample(desktop, "Buy 1 RELIANCE")
    expect(card(desktop, 1)).to_contain_text("Filled 1 at ₹", timeout=_SOON)
    expect(desktop.get_by_test_id("webhook-answer")).to_contain_text(answered_as("immediate"))

    jump(desktop, "Sat 14:00")
    expect(desktop.get_by_test_id("desk-clock")).to_contain_text("Sat")
    fire_sample(desktop, "Buy 1 RELIANCE")
    expect(card(desktop, 2)).to_contain_text("Waiting for your tap", timeout=_SOON)
    expect(desktop.get_by_test_id("webhook-answer")).to_contain_text(answered_as("queue"))
    pictures.take(desktop, "first-minute")

    expect(card(phone, 2)).to_contain_text("Waiting for your tap", timeout=_SOON)
    pictures.take(phone, "approve-phone")
    phone.get_by_role("button", name="Approve").tap()
    toast = phone.get_by_test_id("toast")
    expect(toast).to_have_text("Approved", timeout=_SOON)
    assert lower_edge(toast) <= upper_edge(phone.get_by_test_id("chat-log")), "it covers no card"
    toast.tap()
    expect(toast).to_be_hidden(timeout=1000)
    expect(card(phone, 2)).to_contain_text("Queued", timeout=_SOON)
    expect(card(phone, 2)).to_contain_text("Goes out Mon 7 Dec 17:00")
    expect(card(phone, 2)).to_contain_text("At the exchange Tue 8 Dec 09:45")
    pictures.take(phone, "queued-phone")

    jump(desktop, "Mon 17:00")
    expect(card(phone, 2)).to_contain_text("Placed at Dhan", timeout=_SOON)
    jump(desktop, "Tue 09:45")
    expect(card(phone, 2)).to_contain_text("Filled 1 at ₹", timeout=_SOON)
    pictures.take(phone, "filled-phone")
    assert [order["orderStatus"] for order in world.ledger()] == ["TRADED", "TRADED"]


def test_the_trace_of_an_alert_is_one_link_away(phone: Page, desktop: Page, pictures: Pictures) -> None:
    fire_sample(desktop, "Buy 1 RELIANCE")
    expect(card(phone, 1)).to_contain_text("Filled", timeout=_SOON)
    phone.goto(desktop.get_by_test_id("webhook-answer").get_by_role("link", name="Trace").get_attribute("href") or "")
    expect(phone.get_by_role("heading", name="Alert 1")).to_be_visible()
    expect(phone.locator("ol")).to_contain_text("working → filled")
    pictures.take(phone, "trace-phone", full_page=True)


def test_commands_are_offered_also_where_they_come_late_and_answered(phone: Page, world: World) -> None:
    box = phone.get_by_test_id("composer").get_by_role("textbox")
    menu = phone.get_by_test_id("command-menu")
    box.fill("/")
    expect(menu).to_contain_text("/status", timeout=_SOON)
    publish(world, command="later", description="A command that comes while the menu is open")
    expect(menu).to_contain_text("/later", timeout=_SOON)
    expect(menu).not_to_contain_text("/status")
    box.fill("/status")
    box.press("Enter")
    expect(phone.get_by_test_id("message").last).to_contain_text("Waiting for your tap: 0", timeout=_SOON)


def test_a_typed_command_is_sent_also_where_a_longer_one_stands_above_it(phone: Page) -> None:
    box = phone.get_by_test_id("composer").get_by_role("textbox")
    rows = phone.get_by_test_id("command-menu").get_by_role("option")
    box.fill("/kil")
    expect(rows).to_contain_text(["/killswitch", "/kill"], timeout=_SOON)
    box.press_sequentially("l")
    box.press("Enter")
    sent = phone.get_by_test_id("message").filter(has_text=re.compile(r"^/kill"))
    expect(sent).to_contain_text(re.compile(r"^/kill(?!s)"), timeout=_SOON)
    expect(phone.get_by_test_id("message").last).to_contain_text("Killed: nothing is sent", timeout=_SOON)

    box.fill("/kill")
    box.press("ArrowUp")
    box.press("Enter")
    expect(phone.get_by_test_id("message").last).to_contain_text("kill switch is off", timeout=_SOON)


def test_words_that_nobody_took_stay_in_the_box_until_somebody_does(phone: Page) -> None:
    box = phone.get_by_test_id("composer").get_by_role("textbox")
    phone.route("**/chat/messages", lambda route: route.abort())
    box.fill("/status")
    box.press("Enter")
    expect(phone.get_by_test_id("toast")).to_contain_text("The sandbox does not answer", timeout=_SOON)
    expect(box).to_have_value("/status")
    phone.unroute("**/chat/messages")
    box.press("Enter")
    expect(box).to_have_value("")
    expect(phone.get_by_test_id("message").last).to_contain_text("Waiting for your tap: 0", timeout=_SOON)


def test_words_on_their_way_make_no_room_for_a_command_that_would_be_lost(phone: Page) -> None:
    box = phone.get_by_test_id("composer").get_by_role("textbox")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    phone.route("**/chat/messages", hold)
    box.fill("/status")
    with phone.expect_request("**/chat/messages"):
        box.press("Enter")
    phone.locator(".open-menu").click()
    expect(phone.get_by_test_id("command-menu")).to_be_hidden()
    held[0].continue_()
    expect(box).to_have_value("")
    phone.locator(".open-menu").click()
    expect(phone.get_by_test_id("command-menu")).to_be_visible()


def test_a_mistake_in_an_alert_is_told_in_the_chat(desktop: Page) -> None:
    fire_sample(desktop, "A mistake")
    expect(card(desktop, 1)).to_contain_text("Refused", timeout=_SOON)
    expect(card(desktop, 1)).to_contain_text("is not traded on NSE")


def test_a_phone_shows_why_a_time_cannot_be_jumped_to(phone: Page) -> None:
    phone.get_by_role("button", name="Open the panel").tap()
    own_time = phone.get_by_test_id("clock-form").get_by_role("textbox")
    own_time.fill("rubbish")
    own_time.press("Enter")
    expect(phone.get_by_test_id("clock-problem")).to_contain_text("“rubbish” is no time")
    expect(phone.get_by_test_id("clock-problem")).to_be_in_viewport(ratio=0.9)


def test_the_same_alert_twice_trades_once_and_the_second_waits_for_a_tap(desktop: Page, world: World) -> None:
    fire_sample(desktop, "The same alert twice")
    expect(card(desktop, 1)).to_contain_text("The same alert came 1 more time", timeout=_SOON)
    expect(card(desktop, 1)).to_contain_text("Filled", timeout=_SOON)
    assert len(world.ledger()) == 1
    desktop.get_by_role("button", name="Execute the copy too (1)").click()
    expect(card(desktop, 2)).to_contain_text("Filled", timeout=_SOON)
    assert len(world.ledger()) == 2


def test_nothing_on_the_page_is_wider_than_a_phone(phone: Page, desktop: Page) -> None:
    fire_sample(desktop, "Two legs")
    expect(card(phone, 1)).to_contain_text("2. BUY 1 HDFCBANK", timeout=_SOON)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
