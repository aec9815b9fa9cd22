"""What the console does with what people write and tap: each handler knows one part of the desk."""

import re
from collections.abc import Callable
from typing import Any

from telegram.ext import BaseHandler, CallbackQueryHandler, MessageHandler, filters

from bot.access import Gate
from bot.callback_data import Verb
from bot.charts import Painter
from bot.handlers.account import AccountCommands
from bot.handlers.alerts import Alerts
from bot.handlers.cards import CardTaps
from bot.handlers.desk import DeskCommands
from bot.handlers.explanations import Explanations
from bot.handlers.export import ExportCommands
from bot.handlers.market import MarketCommands
from bot.handlers.messages import Messages
from bot.handlers.notices import NoticeCommands
from bot.handlers.orders import OrderCommands
from bot.handlers.pictures import Pictures
from bot.handlers.questions import Questions
from bot.handlers.queue import Queue
from bot.handlers.sign_in import SignInCommands
from bot.handlers.sources import SourceCommands
from bot.handlers.stops import Stops
from bot.handlers.tour import Tour
from bot.secrets import Secrets
from core.domain.question import Question
from core.engine.parts import Parts
from core.seal import Seal
from core.second_factor import SecondFactor
from core.settings import Settings

Handler = BaseHandler[Any, Any, Any]


class Handlers:
    """All of them, wired. `hearing` says how the ear at Telegram is."""

    def __init__(self, settings: Settings, parts: Parts, gate: Gate, hearing: Callable[[], str]) -> None:
        factor, secrets = SecondFactor(Seal(settings.token_keys)), Secrets(settings)
        database, desk, clock, find = parts.database, parts.desk, parts.clock, parts.instruments.named
        self._questions = questions = Questions(database, clock, gate, factor, {})
        explanations = Explanations(database=database, clock=clock, traces=settings.open_traces)
        self._cards = CardTaps(
            database=database,
            desk=desk,
            clock=clock,
            calendar=parts.calendar,
            gate=gate,
            questions=questions,
            explanations=explanations,
        )
        self._sign_in = SignInCommands(settings, parts, gate)
        self._market = MarketCommands(settings=settings, parts=parts, gate=gate, questions=questions)
        self._queue = Queue(database=database, desk=desk, clock=clock, gate=gate, questions=questions)
        self._sources = SourceCommands(settings=settings, parts=parts, gate=gate)
        self._tour = Tour(settings=settings, parts=parts, gate=gate)
        orders = OrderCommands(database=database, desk=desk, clock=clock, find=find)
        stops = Stops(
            settings=settings,
            database=database,
            account=parts.account,
            desk=desk,
            clock=clock,
            questions=questions,
        )
        self._pictures = pictures = Pictures(
            painter=Painter(settings.munshi_data_dir / "charts"),
            database=database,
            clock=clock,
            calendar=parts.calendar,
            mode=settings.munshi_mode,
        )
        self._notices = NoticeCommands(parts=parts, mode=settings.munshi_mode)
        account = AccountCommands(
            account=parts.account,
            broker=parts.broker,
            database=database,
            desk=desk,
            clock=clock,
            calendar=parts.calendar,
            find=find,
            pictures=pictures,
        )
        looking = DeskCommands(
            settings=settings, parts=parts, factor=factor, secrets=secrets, hearing=hearing, pictures=pictures
        )
        exports = ExportCommands(database=database, clock=clock)
        alerts = Alerts(settings=settings, parts=parts)
        questions.doings |= {
            Question.MODIFY: orders.change,
            Question.EDIT: orders.edit,
            Question.FLATTEN: account.exit_positions,
            Question.KILL_SWITCH: account.switch,
            Question.APPROVE_ALL: self._queue.approve_all,
            Question.CANCEL_ALL: self._queue.cancel_all,
            Question.LOOSEN: self._market.loosen,
            Question.GO_LIVE: stops.confirm_live,
            Question.UNKILL: stops.release,
            Question.SOURCE: self._sources.confirmed,
        }
        owners = (looking, self._tour, self._queue, explanations, orders, account, stops, alerts)
        owners = (*owners, self._market, self._sign_in, self._sources, self._notices, exports)
        self._messages = Messages(gate=gate, secrets=secrets, questions=questions, owners=owners)

    def all(self) -> list[Handler]:
        """In the order in which they are asked; the cards take what nobody else took."""
        return [
            MessageHandler(filters.TEXT | filters.Document.ALL, self._messages.handle),
            _taps(self._questions.handle, Verb.YES),
            _taps(self._sign_in.confirm_address, Verb.SET_IP),
            _taps(self._market.confirm, Verb.CALENDAR),
            _taps(self._market.more_days, Verb.MORE_DAYS),
            _taps(self._sources.tap, Verb.SOURCE),
            _taps(self._queue.turn, Verb.QUEUE, Verb.APPROVE_ALL, Verb.CANCEL_ALL),
            _taps(self._tour.handle, Verb.TOUR, Verb.TOUR_CLOCK),
            _taps(self._pictures.tap, Verb.PICTURE),
            _taps(self._notices.tap, Verb.NOTIFY),
            _taps(self._notices.cure, Verb.CURE),
            CallbackQueryHandler(self._cards.handle),
        ]


def _taps(handle: Any, *verbs: Verb) -> Handler:
    return CallbackQueryHandler(handle, pattern=f"^({'|'.join(re.escape(verb) for verb in verbs)}):")
