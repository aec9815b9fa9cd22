"""Where the desk is put together, once per process. Nothing happens at import; tests call the same function."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core import controls, journal, notifications, offers
from core.addresses import AddressBook
from core.bootstrap import build_clock, open_database
from core.broker.account import Account
from core.broker.dhan.account import DhanAccount
from core.broker.dhan.adapter import Dhan
from core.broker.dhan.client import DhanClient
from core.broker.dhan.instrument_counts import LEAST_AT_DHAN, LEAST_ON_PAPER, Counts
from core.broker.dhan.instruments import InstrumentList
from core.broker.dhan.quotes import DhanQuotes
from core.broker.dhan.updates import OrderUpdates
from core.broker.port import Broker
from core.calendar import load_calendar
from core.clock import Clock, SystemClock
from core.controls import Hold
from core.db.engine import Database
from core.domain.sessions import Calendar
from core.engine.brakes import heed_address
from core.engine.changer import Changer
from core.engine.checkup import Checkup
from core.engine.clock_watch import ClockWatch
from core.engine.daily import Daily
from core.engine.decide import Decider
from core.engine.desk import Desk
from core.engine.dispatch import Dispatcher
from core.engine.limiter import ORDER_CALLS, Limiter, Window
from core.engine.pnl_watch import PnlWatch
from core.engine.readiness import Readiness
from core.engine.relay import Relay
from core.engine.rounds import Rounds
from core.instruments import InstrumentKeeper
from core.logins import Session
from core.mailbox import Mailbox
from core.notifications import Messenger
from core.settings import Settings


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
    checkup: Checkup

    async def close(self) -> None:
        self.desk.close()
        await self.client.close()
        self.database.close()


def build_desk(
    settings: Settings,
    messenger: Messenger,
    *,
    windows: Iterable[Window] = ORDER_CALLS,
    least: Counts | None = None,
) -> Parts:
    """Everything that the desk's process needs, wired and not yet started.

    `least`: what an instrument file must have in it, where it is neither Dhan's nor paper mode's.
    """
    clock = build_clock(settings)
    database = open_database(settings)
    client = DhanClient()
    session = Session(database, client, settings, clock, keep_copy=_token_copies(settings))
    broker = Dhan(
        client,
        url=settings.dhan_api,
        client_id=settings.client_id,
        token=session.token,
        address_refused=heed_address(database, clock),
    )
    account = DhanAccount(broker)
    listed = InstrumentList(settings.instruments_file, least=least or _least_listed(settings))
    calendar = load_calendar()
    addresses = AddressBook(database, broker, clock)
    watch = ClockWatch(SystemClock(), client.clock_skew, ask=lambda: client.has_reply(f"{settings.dhan_api}/profile"))
    checkup = Checkup(
        database=database,
        account=account,
        addresses=addresses,
        calendar=calendar,
        settings=settings,
        clock=clock,
        skew=client.clock_skew,
    )
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
            account=account,
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
        calendar=calendar,
        decider=Decider(resolve=listed.resolve),
        dispatcher=Dispatcher(
            database=database,
            broker=broker,
            account=account,
            session=session,
            calendar=calendar,
            clock=clock,
            limiter=limiter,
            clock_is_sure=watch.is_sure,
            quotes=DhanQuotes(broker),
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
        rounds=Rounds(
            database=database,
            daily=Daily(database=database, checkup=checkup, calendar=calendar, clock=clock),
            pnl_watch=PnlWatch(database=database, account=account, calendar=calendar, clock=clock),
            clock=clock,
        ),
    )
    return Parts(desk, database, clock, client, session, addresses, calendar, listed, broker, account, checkup)


def _token_copies(settings: Settings) -> Callable[[str], None] | None:
    if settings.secrets_backend != "gcp" or settings.paper:  # a stand-in's token must not hide the real one there
        return None
    from core.secrets.google import keep_token  # noqa: PLC0415 - its libraries are for those who use it

    return lambda token: keep_token(settings.gcp_project, token)


def _least_listed(settings: Settings) -> Counts:
    return LEAST_ON_PAPER if settings.paper else LEAST_AT_DHAN


def _apply_settings(connection: Connection, settings: Settings, at: datetime) -> None:
    told = [(user, role.value) for user, role in settings.operators.items()]
    told += [(settings.telegram_group, "group")] if settings.telegram_group else []
    notifications.enrol(connection, told)
    if settings.paper or controls.fetch(connection, "live_confirmed"):
        controls.lift_hold(connection, Hold.NOT_LIVE, at=at, actor=journal.DESK)
    else:
        words = "Live mode was not confirmed in the chat yet: send /golive."
        controls.set_hold(connection, Hold.NOT_LIVE, words, at=at, actor=journal.DESK)
