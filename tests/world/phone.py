"""The operator's telephone: what the chat shows and has ever shown, and what a person may write and tap."""

import contextlib
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import sleep
from typing import Any

import httpx

from core.clock import monotonic
from core.settings import PaperAccount
from tests.patience import PATIENCE
from tests.world.processes import LOOK_AGAIN, T, client, until

OPERATOR = PaperAccount.OPERATOR_ID
_REACTION = 0.1  # seconds that a person needs to find a button
_MANY = 12  # messages in a second; Telegram bears some 20
_STANDINGS = (
    *("Refused", "Waiting for your tap", "Queued", "Held", "Being sent", "In doubt", "Needs you", "Placed at Dhan"),
    *("Partly filled", "Filled", "Cancelled", "Expired", "Dropped", "Rejected", "Lapsed", "Received"),
)
_MARKS = "🔴🟡🔵🟠⚪🟢"


@dataclass(frozen=True)
class Card:
    """One alert's message. `buttons` maps what stands on them to what a tap sends."""

    message_id: int
    text: str
    buttons: dict[str, str]


class Phone:
    """Listens to the chat's feed from the start, so that no text which was ever shown is missed."""

    def __init__(self, url: str) -> None:
        self._http = client(url)
        self._seen = ("", list[dict[str, Any]]())
        self._texts: defaultdict[int, list[str]] = defaultdict(list)
        self._answers: dict[str, str] = {}
        self._changed_at: dict[int, float] = {}
        self._heard_at: deque[float] = deque([-1.0] * _MANY, maxlen=_MANY)
        self._is_on = True
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._hears = threading.Event()

    def switch_on(self) -> None:
        """Once the stand-in answers; again after it was away."""
        if not self._listener.is_alive():
            self._listener.start()
        assert self._hears.wait(5), "the chat's feed says nothing"

    def switch_off(self) -> None:
        """Once the stand-in has ended, and the feed with it."""
        self._is_on = False
        if self._listener.is_alive():
            self._listener.join(timeout=5)
        self._http.close()

    @property
    def is_calm(self) -> bool:
        """So few messages of late that Telegram bears a test's worth more."""
        return monotonic() - self._heard_at[0] > 1

    def messages(self, chat: int = OPERATOR) -> list[dict[str, Any]]:
        """What the bot wrote into a chat, oldest first."""
        state, listed = self._seen
        answer = self._http.get("/telegram/sandbox/messages", headers={"If-None-Match": state})
        if answer.status_code != HTTPStatus.NOT_MODIFIED:
            listed = answer.json()["messages"]
            self._seen = answer.headers["ETag"], listed
        return [message for message in listed if message["from_bot"] and message["chat_id"] == chat]

    def card(self, alert: int) -> Card | None:
        """The newest card of the alert."""
        for message in reversed(self.messages()):
            if _is_card(message["text"], alert):
                buttons = {button["text"]: button["callback_data"] for button in message["buttons"]}
                return Card(message["message_id"], message["text"], buttons)
        return None

    def card_shows(self, alert: int, *words: str, seconds: float = PATIENCE) -> Card:
        """Wait until the card shows all these words."""

        def shown() -> Card | None:
            card = self.card(alert)
            return card if card and all(word in card.text for word in words) else None

        return self._until(shown, f"the card of alert {alert} shows {words}", alert, seconds)

    def has_shown(self, alert: int, word: str) -> None:
        """Wait until the card gives this standing, or gave it meanwhile."""
        self._until(lambda: word in self.standings(alert), f"the card of alert {alert} shows or showed {word}", alert)

    def rings(self, alert: int) -> list[str]:
        """The messages about the alert's orders that made a sound."""
        return [m["text"] for m in self.messages() if f"· {alert}." in m["text"]]

    def standings(self, alert: int) -> list[str]:
        """What the alert's card has said of its (first) order from the beginning, without repetitions."""
        card = self.card(alert)
        texts = list(self._texts[card.message_id]) if card else []
        if card and card.text not in texts:  # the feed may be a moment behind
            texts.append(card.text)
        told: list[str] = []
        for text in texts:
            line = next((line for line in text.splitlines() if line and line[0] in _MARKS), "")
            told += [word for word in _STANDINGS if word in line and word not in told[-1:]]
        return told

    def tap(self, alert: int, button: str) -> str:
        """Tap the button that begins so, when it is there; what the desk answers."""
        return self.answer_to(self.press(alert, button))

    def press(self, alert: int, button: str) -> str:
        """Tap it without waiting for the answer, since the desk may die first; the query's id."""

        def found() -> tuple[Card, str] | None:
            card = self.card(alert)
            if card is None or monotonic() - self._changed_at.get(card.message_id, 0) < _REACTION:
                return None
            return next(((card, data) for text, data in card.buttons.items() if text.startswith(button)), None)

        card, data = self._until(found, f"the card of alert {alert} has a button {button}", alert)
        return self.touch(card.message_id, data)

    def _until(self, condition: Callable[[], T | None], words: str, alert: int, seconds: float = PATIENCE) -> T:
        """Wait for the condition; when it does not come, say so with the alert's card."""
        try:
            return until(condition, words, seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {self.card(alert)}, after {self.standings(alert)}") from None

    def confirm(self, button: str) -> str:
        """Tap the button below the newest message that has one so named; what the desk answers."""
        return self.answer_to(self.press_newest(button))

    def press_newest(self, button: str) -> str:
        """Tap it without waiting for the answer; the query's id."""
        message = next(m for m in reversed(self.messages()) if any(b["text"] == button for b in m["buttons"]))
        data = next(b["callback_data"] for b in message["buttons"] if b["text"] == button)
        return self.touch(message["message_id"], data)

    def touch(self, message: int, data: str, **who: int) -> str:
        """Send a tap without waiting for anything; the query's id."""
        return self.act(kind="tap", message_id=message, data=data, **who)["query_id"]

    def answer_to(self, query: str) -> str:
        until(lambda: query in self._answers, "the tap is answered")
        return self._answers[query]

    def was_answered(self, query: str) -> bool:
        return query in self._answers

    def ask(self, command: str, *words: str) -> str:
        """Write to the desk; its reply, which has all these words, whatever else it tells meanwhile."""
        mine = self.act(text=command)["message"]["message_id"]

        def replied() -> str | None:
            later = (m["text"] for m in self.messages() if m["message_id"] > mine)
            return next((text for text in later if all(word in text for word in words)), None)

        reply = until(replied, f"{command} is answered")
        assert reply
        return reply

    def act(self, **action: Any) -> dict[str, Any]:
        """Anything that anybody can do in Telegram."""
        answer = self._http.post("/telegram/sandbox/updates", json=action)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _listen(self) -> None:
        """Until switched off; a stand-in that is started again is heard again."""
        while self._is_on:
            with (
                contextlib.suppress(httpx.TransportError),
                self._http.stream("GET", "/chat/events", timeout=None) as feed,
            ):
                self._follow(feed)
            sleep(LOOK_AGAIN)

    def _follow(self, feed: httpx.Response) -> None:
        kind = ""
        self._hears.clear()
        for line in feed.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                self._note(kind, json.loads(value))

    def _note(self, kind: str, news: Any) -> None:
        match kind:
            case "hello":
                self._hears.set()
            case "message" | "edit":
                self._heard_at.append(monotonic())
                self._changed_at[news["message_id"]] = monotonic()
                self._texts[news["message_id"]].append(news.get("text", ""))
            case "answer":
                self._answers[news["query_id"]] = news["text"]
            case _:
                pass


def _is_card(text: str, alert: int) -> bool:
    return text.startswith(f"PAPER · alert {alert} ·") and "What happened" not in text
