"""The chat as a whole: what is kept, who takes part, who hears of changes."""

from pathlib import Path

from core.clock import Clock, SystemClock
from core.sandbox.telegram.errors import BotApiError, bad_request
from core.sandbox.telegram.faults import Faults
from core.sandbox.telegram.feed import Feed
from core.sandbox.telegram.files import Files
from core.sandbox.telegram.floods import FloodGate
from core.sandbox.telegram.messages import Messages
from core.sandbox.telegram.people import People
from core.sandbox.telegram.store import open_store
from core.sandbox.telegram.updates import Updates
from core.sandbox.telegram.wire import Parameters

CHAT_FILE = "sandbox-telegram.db"


class Chat:
    """`clock` is the desk's (paper) time, which dates messages; `machine` times queues and taps."""

    def __init__(self, data_dir: Path, clock: Clock, machine: Clock | None = None) -> None:
        machine = machine or SystemClock()
        self._clock = clock
        self.store = open_store(data_dir / CHAT_FILE)
        self.feed = Feed()
        self.messages = Messages(self.store, self.feed)
        self.updates = Updates(self.store, machine, self.messages)
        self.people = People(self.store, clock, machine, self.messages, self.updates)
        self.files = Files(self.store)
        self.faults = Faults(on_change=self.updates.interrupt)
        self.floods = FloodGate(machine)

    def seconds(self) -> int:
        """Now, as Telegram dates messages."""
        return int(self._clock.now().timestamp())

    def known(self, parameters: Parameters) -> int:
        """The call's chat. Raises BotApiError for one that never wrote to the bot."""
        wanted = parameters.text("chat_id") or ""
        if not wanted:
            raise bad_request("chat_id is empty")
        chat = self.people.chat(int(wanted)) if wanted.removeprefix("-").isdecimal() else None
        if chat is None:
            raise bad_request("chat not found")
        return chat["chat_id"]

    def open_to_bot(self, parameters: Parameters, *, counted: bool = True) -> int:
        """The call's chat, if the bot may write there now; raises 403 when blocked, 429 when too fast."""
        chat_id = self.known(parameters)
        chat = self.people.chat(chat_id)
        if chat is not None and chat["blocked"]:
            raise BotApiError(403, "Forbidden: bot was blocked by the user")
        if counted:
            self.floods.pass_through(chat_id)
        return chat_id

    def close(self) -> None:
        """Let every waiting call return, so that the server can stop at once."""
        self.feed.close()
        self.updates.interrupt()
