"""How fast messages go into one chat: below what Telegram bears, with room left for answers to commands.

Telegram publishes no exact figures: some 30 messages a second in all, bursts to one chat pass, 20 a minute to a group
(Bot API FAQ, Broadcasting to users). A wish to wait that it voices all the same is obeyed apart from this.
"""

from collections import defaultdict, deque
from collections.abc import Callable

from core.clock import monotonic

A_SECOND = 15
A_MINUTE_IN_A_GROUP = 18


class Pace:
    """`clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._sent: defaultdict[int, deque[float]] = defaultdict(deque)

    def room(self, chat_id: int) -> int:
        """How many messages may go there now."""
        most, span = (A_MINUTE_IN_A_GROUP, 60.0) if chat_id < 0 else (A_SECOND, 1.0)
        sent, now = self._sent[chat_id], self._clock()
        while sent and sent[0] <= now - span:
            sent.popleft()
        return most - len(sent)

    def note(self, chat_id: int) -> None:
        """One message goes there now."""
        self._sent[chat_id].append(self._clock())

    def full(self) -> set[int]:
        """The chats that have to wait."""
        return {chat for chat in list(self._sent) if self.room(chat) <= 0}
