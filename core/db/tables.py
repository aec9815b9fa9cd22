"""The desk's tables. Rows are the truth; whatever a process holds in memory can be rebuilt from them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from core.db.types import Day, Document, Flag, Instant, Money, Word
from core.domain.alert import AlertState, AmoTime, Exchange, OrderType, Product, Side, Validity
from core.domain.approval import ApprovalPolicy
from core.domain.attempt import AttemptState
from core.domain.change import ChangeKind, ChangeState, Verdict
from core.domain.instrument import Market, Segment
from core.domain.login import LoginRefusal, LoginState, Way
from core.domain.notice import Notice
from core.domain.order import Mode, OrderState
from core.domain.question import Question
from core.domain.source import IdenticalAlerts
from core.domain.trust import Trust

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Integer = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *parts: Column[Any] | UniqueConstraint | Index) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True)


def _id() -> Column[int]:
    return Column("id", _Integer, primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, _Integer, ForeignKey(target), nullable=nullable)


def _index_some(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> None:
    """An index of those rows only; the migrations tell PostgreSQL, whose dialect a word of it here would load."""
    Index(name, *columns, sqlite_where=where)


sources = _table(
    "sources",
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("identical_alerts", Word(IdenticalAlerts), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("paused_at", Instant),
    Column("removed_at", Instant),
    Column("approval", Word(ApprovalPolicy)),
    Column("limits", Document),
    Column("trust", Word(Trust)),
    Column("automatic_below", Money),
    Column("trust_set_at", Instant),
    Column("approved_on", Day),
    Column("watch", Document),
    Column("watched_since", Instant),
    Column("heard_at", Instant),
    Column("heard_alert_id", _Integer),
    Column("silent_told_at", Instant),
)

source_keys = _table(
    "source_keys",
    _id(),
    _ref("source_id", "sources.id"),
    Column("hash", Text, nullable=False, unique=True),
    Column("made_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("uses", _Integer, nullable=False),
    Column("used_at", Instant),
    Column("retired_at", Instant),
    Column("late_uses", _Integer, nullable=False),
    Column("late_told_at", Instant),
    Index("ix_source_keys_source_id", "source_id"),
)

alerts = _table(
    "alerts",
    _id(),
    Column("uid", Text, nullable=False),
    _ref("source_id", "sources.id"),
    Column("state", Word(AlertState), nullable=False),
    Column("digest", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("fired_at", Instant),
    Column("decided_at", Instant),
    _ref("repeat_of", "alerts.id", nullable=True),
    Column("folded", Integer, nullable=False),
    Column("card_version", Integer, nullable=False),
    Index("ix_alerts_digest", "digest", "id"),
)
Index("ix_alerts_state", alerts.c.state, alerts.c.id)
_index_some("ix_alerts_repeat_of", alerts.c.repeat_of, where=alerts.c.repeat_of.is_not(None))

orders = _table(
    "orders",
    _id(),
    _ref("alert_id", "alerts.id"),
    Column("position", Integer, nullable=False),
    Column("state", Word(OrderState), nullable=False),
    Column("version", Integer, nullable=False),
    Column("side", Word(Side), nullable=False),
    Column("order_type", Word(OrderType), nullable=False),
    Column("product", Word(Product), nullable=False),
    Column("exchange", Word(Exchange), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", _Integer, nullable=False),
    Column("price", Money),
    Column("trigger_price", Money),
    Column("segment", Word(Segment), nullable=False),
    Column("security_id", Text, nullable=False),
    Column("tick", Money, nullable=False),
    Column("has_derivatives", Flag, nullable=False),
    Column("index_expiry", Day),
    Column("mode", Word(Mode)),
    Column("as_amo", Flag, nullable=False),
    Column("into_auction", Flag, nullable=False),
    Column("amo_time", Word(AmoTime), nullable=False),
    Column("release_at", Instant),
    Column("reaches_exchange_at", Instant),
    Column("window_ends_at", Instant),
    Column("expires_at", Instant),
    Column("remind_at", Instant),
    Column("retry_at", Instant),
    Column("approved_at", Instant),
    Column("closes", Flag, nullable=False, server_default=text("false")),
    Column("reason", Text, nullable=False),
    Column("broker_order_id", Text),
    Column("confirmed", Flag, nullable=False),
    Column("filled_quantity", _Integer, nullable=False),
    Column("average_price", Money),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("alert_price", Money),
    Column("asked_at_price", Money),
    Column("validity", Word(Validity), nullable=False, server_default=text("'DAY'")),
    Column("expiry", Day),
    UniqueConstraint("alert_id", "position"),
)
Index("ix_orders_state", orders.c.state, orders.c.release_at, orders.c.id)
Index("ix_orders_broker_order_id", orders.c.broker_order_id)
Index("ix_orders_updated_at", orders.c.updated_at)
_index_some("ix_orders_closes", orders.c.state, orders.c.release_at, orders.c.id, where=orders.c.closes.is_(True))

order_moves = _table(
    "order_moves",
    Column("before", Text, primary_key=True),
    Column("after", Text, primary_key=True),
)

attempts = _table(
    "attempts",
    _id(),
    _ref("order_id", "orders.id"),
    Column("number", Integer, nullable=False),
    Column("correlation_id", Text, nullable=False, unique=True),
    Column("state", Word(AttemptState), nullable=False),
    Column("epoch", _Integer, nullable=False),
    Column("request", Document, nullable=False),
    Column("posts", Integer, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("refusal", Text),
    Column("code", Text),
    Column("words", Text),
    Column("lookups", Integer, nullable=False),
    Column("absences", Integer, nullable=False),
    Column("next_lookup_at", Instant),
    UniqueConstraint("order_id", "number"),
    Index("ix_attempts_claimed_at", "claimed_at"),
)
Index("ix_attempts_state", attempts.c.state, attempts.c.next_lookup_at)

changes = _table(
    "changes",
    _id(),
    _ref("order_id", "orders.id"),
    Column("kind", Word(ChangeKind), nullable=False),
    Column("state", Word(ChangeState), nullable=False),
    Column("verdict", Word(Verdict)),
    Column("quantity", _Integer),
    Column("price", Money),
    Column("trigger_price", Money),
    Column("wanted_by", Text, nullable=False),
    Column("due_at", Instant),
    Column("sent_at", Instant),
    Column("answered_at", Instant),
    Column("posts", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Index("ix_changes_order_id", "order_id"),
)
Index("ix_changes_state", changes.c.state, changes.c.due_at)

questions = _table(
    "questions",
    _id(),
    Column("nonce", Text, nullable=False, unique=True),
    Column("kind", Word(Question), nullable=False),
    Column("payload", Document, nullable=False),
    Column("user_id", _Integer, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("answered_at", Instant),
)

approvals = _table(
    "approvals",
    Column("order_id", _Integer, ForeignKey("orders.id"), primary_key=True, autoincrement=False),
    Column("user_id", _Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
)

updates = _table(
    "updates",
    Column("update_id", _Integer, primary_key=True, autoincrement=False),
    Column("chat_id", _Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("done_at", Instant),
)
Index("ix_updates_taken_at", updates.c.taken_at)

hints = _table(
    "hints",
    _id(),
    Column("broker_order_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
)

events = _table(
    "events",
    _id(),
    Column("at", Instant, nullable=False),
    _ref("alert_id", "alerts.id", nullable=True),
    _ref("order_id", "orders.id", nullable=True),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("reason", Text, nullable=False),
    Column("data", Document),
    Index("ix_events_alert_id", "alert_id"),
)

cards = _table(
    "cards",
    _id(),
    _ref("alert_id", "alerts.id"),
    Column("chat_id", _Integer, nullable=False),
    Column("nonce", Text, nullable=False, unique=True),
    Column("message_id", _Integer),
    Column("shown_version", Integer, nullable=False),
    Column("due_at", Instant),
    Column("not_before", Instant),
    Column("failures", Integer, nullable=False),
    UniqueConstraint("alert_id", "chat_id"),
)
_index_some("ix_cards_due", cards.c.due_at, where=cards.c.due_at.is_not(None))

outbox = _table(
    "outbox",
    _id(),
    Column("chat_id", _Integer, nullable=False),
    _ref("alert_id", "alerts.id", nullable=True),
    Column("kind", Word(Notice), nullable=False),
    Column("payload", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("not_before", Instant),
    Column("failures", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("message_id", _Integer),
    Column("error", Text),
    Column("told_in", _Integer),
    Column("left_out", Text),
)
_index_some("ix_outbox_due", outbox.c.due_at, where=outbox.c.due_at.is_not(None))

logins = _table(
    "logins",
    _id(),
    Column("state", Word(LoginState), nullable=False),
    Column("way", Word(Way), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("opened_at", Instant),
    Column("asked_at", Instant),
    Column("consent_id", Text),
    Column("sealed", Text),
    Column("finished_at", Instant),
    Column("refusal", Word(LoginRefusal)),
    Column("words", Text, nullable=False),
)
Index("ix_logins_state", logins.c.state, logins.c.id)

broker_tokens = _table(
    "broker_tokens",
    _id(),
    Column("client_id", Text, nullable=False),
    Column("source", Word(Way), nullable=False),
    Column("ciphertext", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("died_at", Instant),
)

settings = _table(
    "settings",
    Column("key", Text, primary_key=True),
    Column("value", Document, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Text, nullable=False),
)

operators = _table(
    "operators",
    Column("user_id", _Integer, primary_key=True, autoincrement=False),
    Column("chat_id", _Integer, nullable=False),
    Column("role", Text, nullable=False),
)

calendar_overrides = _table(
    "calendar_overrides",
    _id(),
    Column("batch", Text, nullable=False),
    Column("market", Word(Market), nullable=False),
    Column("day", Day, nullable=False),
    Column("hours", Document, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Column("withdrawn_at", Instant),
    Index("ix_calendar_overrides_confirmed_at", "confirmed_at", "expires_at"),
)

pnl_points = _table(
    "pnl_points",
    _id(),
    Column("at", Instant, nullable=False),
    Column("realised", Money, nullable=False),
    Column("unrealised", Money, nullable=False),
    Column("open_positions", Integer, nullable=False),
)
Index("ix_pnl_points_at", pnl_points.c.at)

leases = _table(
    "leases",
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", _Integer, nullable=False),
    Column("nudge_port", Integer, nullable=False),
    Column("renewed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
