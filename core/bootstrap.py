"""Where the parts are put together, once per process. Nothing happens at import; tests call the same functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core import controls, journal, notifications, offers
from core.addresses import AddressBook
from core.broker.account import Account
from core.broker.dhan.account import DhanAccount
from core.broker.dhan.adapter import Dhan
from core.broker.dhan.client import DhanClient
from core.broker.dhan.instruments import InstrumentList
from core.broker.dhan.updates import OrderUpdates
from core.broker.port import Broker
from core.calendar import load_calendar
from core.clock import INDIA, Clock, PaperClock, SystemClock
from core.controls import Hold
from core.db.engine import Database
from core.db.schema import check_schema
from core.domain.sessions import Calendar
from core.engine.changer import Changer
from core.engine.clock_watch import ClockWatch
from core.engine.decide import Decider
from core.engine.desk import Desk
from core.engine.dispatch import Dispatcher
from core.engine.limiter import ORDER_CALLS, Limiter, Window
from core.engine.readiness import Readiness
from core.engine.relay import Relay
from core.errors import BadSettings
from core.instruments import InstrumentKeeper
from core.logins import Session
from core.mailbox import Mailbox
from core.notifications import Messenger
from core.settings import Settings


def build_clock(settings: Settings) -> Clock:
    return PaperClock(settings.clock_file) if settings.paper else SystemClock()


def set_clock(settings: Settings) -> None:
    """Start the paper clock at MUNSHI_CLOCK, when it is given. Raises BadSettings when it is no time."""
    if settings.munshi_clock is None:
        return
    try:
        instant = datetime.fromisoformat(settings.munshi_clock)
    except ValueError:
        raise BadSettings([f"MUNSHI_CLOCK: '{settings.munshi_clock}' is no time; write 2026-12-01T10:30"]) from None
    PaperClock(settings.clock_file).jump_to(instant if instant.tzinfo else instant.replace(tzinfo=INDIA))


def open_database(settings: Settings, *, busy_timeout: float = 5.0) -> Database:
    """The database at this version's schema and of this mode. Raises WrongSchema, BadSettings."""
    database = Database(settings.database, busy_timeout=busy_timeout)
    check_schema(database)
    _check_mode(database, settings)
    return database


def _check_mode(database: Database, settings: Settings) -> None:
    """A database stays in the mode it was first opened in: orders made for pretend money must never cost real money."""
    with database.snapshot() as connection:
        stored = controls.fetch(connection, "mode")
    if stored is None:
        with database.transaction() as connection:
            mode, at = {"mode": settings.munshi_mode}, build_clock(settings).now()
            controls.put(connection, "mode", mode, at=at, actor=journal.DESK)
    elif stored["mode"] != settings.munshi_mode:
        words = f"the database belongs to {stored['mode']} mode, and so do its orders"
        cure = f"give {settings.munshi_mode} mode a MUNSHI_DATA_DIR of its own"
        raise BadSettings([f"MUNSHI_MODE: {words}; {cure}"])


@dataclass(frozen=True)
class Parts:
    """What the desk's process shares with its console."""

    desk: Desk
    database: Database
    clock: Clock
    client: DhanClient
    session: Session
    addresses: AddressBook
    calendar: Calendar
    instruments: InstrumentList
    broker: Broker
    account: Account

    async def close(self) -> None:
        await self.client.close()
        self.database.close()


def build_desk(settings: Settings, messenger: Messenger, *, windows: Iterable[Window] = ORDER_CALLS) -> Parts:
    """Everything that the desk's process needs, wired and not yet started."""
    clock = build_clock(settings)
    database = open_database(settings)
    client = DhanClient()
    session = Session(database, client, settings, clock)
    broker = Dhan(client, url=settings.dhan_api, client_id=settings.client_id, token=session.token)
    account = DhanAccount(broker)
    listed = InstrumentList(settings.instruments_file)
    calendar = load_calendar()
    addresses = AddressBook(database, broker, clock)
    watch = ClockWatch(SystemClock(), client.clock_skew)
    with database.transaction() as connection:
        _apply_settings(connection, settings, clock.now())
    limiter = Limiter(windows)
    desk = Desk(
        database=database,
        clock=clock,
        broker=broker,
        session=session,
        mailbox=Mailbox(database=database, client=client, session=session, settings=settings, clock=clock),
        readiness=Readiness(
            database=database,
            broker=broker,
            addresses=addresses,
            calendar=calendar,
            settings=settings,
            clock=clock,
        ),
        instruments=InstrumentKeeper(
            database=database,
            client=client,
            listed=listed,
            url=settings.dhan_instruments,
            scratch=settings.munshi_data_dir / "instruments.csv",
            clock=clock,
        ),
        decider=Decider(resolve=listed.resolve, calendar=calendar),
        dispatcher=Dispatcher(
            database=database,
            broker=broker,
            account=account,
            session=session,
            calendar=calendar,
            clock=clock,
            limiter=limiter,
            clock_is_sure=watch.is_sure,
        ),
        changer=Changer(database=database, broker=broker, session=session, clock=clock, limiter=limiter),
        limiter=limiter,
        updates=OrderUpdates(settings.dhan_order_updates, client_id=settings.client_id, token=session.token),
        relay=Relay(
            database=database,
            messenger=messenger,
            clock=clock,
            offers=lambda connection, report: offers.find(connection, report, calendar),
        ),
        watch=watch,
    )
    return Parts(desk, database, clock, client, session, addresses, calendar, listed, broker, account)


def _apply_settings(connection: Connection, settings: Settings, at: datetime) -> None:
    notifications.enrol(connection, [(user, role.value) for user, role in settings.operators.items()])
    if settings.paper or controls.fetch(connection, "live_confirmed"):
        controls.lift_hold(connection, Hold.NOT_LIVE, at=at, actor=journal.DESK)
    else:
        words = "Live mode was not confirmed in the chat yet: send /golive."
        controls.set_hold(connection, Hold.NOT_LIVE, words, at=at, actor=journal.DESK)
