"""The desk's first tables"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from core.clock import SystemClock
from core.db import types
from migrations import first_triggers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


MOVES = {
    "awaiting_approval": "declined expired queued",
    "queued": "awaiting_approval declined expired submitting",
    "submitting": "queued rejected unknown working",
    "unknown": "cancelled filled lapsed needs_operator part_filled rejected working",
    "needs_operator": "dropped queued working",
    "working": "cancelled cancelling filled lapsed part_filled rejected",
    "part_filled": "cancelled cancelling filled lapsed rejected",
    "cancelling": "cancelled filled lapsed part_filled rejected working",
    "dropped": "working",
}


def upgrade() -> None:
    op.create_table(
        "broker_tokens",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.Text(), nullable=False),
        sa.Column("issued_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("died_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broker_tokens")),
        sqlite_strict=True,
    )
    op.create_table(
        "calendar_overrides",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("day", types.Day(), nullable=False),
        sa.Column("hours", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("confirmed_at", types.Instant(), nullable=True),
        sa.Column("withdrawn_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_overrides")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("calendar_overrides", schema=None) as batch_op:
        batch_op.create_index("ix_calendar_overrides_confirmed_at", ["confirmed_at", "expires_at"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("nudge_port", sa.Integer(), nullable=False),
        sa.Column("renewed_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        sqlite_strict=True,
    )
    op.create_table(
        "logins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", types.Instant(), nullable=False),
        sa.Column("opened_at", types.Instant(), nullable=True),
        sa.Column("asked_at", types.Instant(), nullable=True),
        sa.Column("consent_id", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("finished_at", types.Instant(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logins")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("logins", schema=None) as batch_op:
        batch_op.create_index("ix_logins_state", ["state", "id"], unique=False)

    op.create_table(
        "operators",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("chat_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_operators")),
        sqlite_strict=True,
    )
    op.create_table(
        "order_moves",
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("before", "after", name=op.f("pk_order_moves")),
        sqlite_strict=True,
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
        sqlite_strict=True,
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identical_alerts", sa.Text(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_sources_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", types.Instant(), nullable=False),
        sa.Column("answered_at", types.Instant(), nullable=True),
        sa.Column("fired_at", types.Instant(), nullable=True),
        sa.Column("decided_at", types.Instant(), nullable=True),
        sa.Column("repeat_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("folded", sa.Integer(), nullable=False),
        sa.Column("card_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["repeat_of"], ["alerts.id"], name=op.f("fk_alerts_repeat_of")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_alerts_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_digest", ["digest", "id"], unique=False)
        batch_op.create_index("ix_alerts_repeat_of", ["repeat_of"], unique=False, **_where("repeat_of IS NOT NULL"))
        batch_op.create_index("ix_alerts_state", ["state", "id"], unique=False)

    op.create_table(
        "cards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chat_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("shown_version", sa.Integer(), nullable=False),
        sa.Column("due_at", types.Instant(), nullable=True),
        sa.Column("not_before", types.Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_cards_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("alert_id", "chat_id", name=op.f("uq_cards_alert_id_chat_id")),
        sa.UniqueConstraint("nonce", name=op.f("uq_cards_nonce")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.create_index("ix_cards_due", ["due_at"], unique=False, **_where("due_at IS NOT NULL"))

    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("price", types.Money(), nullable=True),
        sa.Column("trigger_price", types.Money(), nullable=True),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("security_id", sa.Text(), nullable=False),
        sa.Column("tick", types.Money(), nullable=False),
        sa.Column("has_derivatives", types.Flag(), nullable=False),
        sa.Column("index_expiry", types.Day(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("as_amo", types.Flag(), nullable=False),
        sa.Column("into_auction", types.Flag(), nullable=False),
        sa.Column("amo_time", sa.Text(), nullable=False),
        sa.Column("release_at", types.Instant(), nullable=True),
        sa.Column("reaches_exchange_at", types.Instant(), nullable=True),
        sa.Column("window_ends_at", types.Instant(), nullable=True),
        sa.Column("expires_at", types.Instant(), nullable=True),
        sa.Column("remind_at", types.Instant(), nullable=True),
        sa.Column("retry_at", types.Instant(), nullable=True),
        sa.Column("approved_at", types.Instant(), nullable=True),
        sa.Column("closes", types.Flag(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("broker_order_id", sa.Text(), nullable=True),
        sa.Column("confirmed", types.Flag(), nullable=False),
        sa.Column("filled_quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("average_price", types.Money(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_orders_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("alert_id", "position", name=op.f("uq_orders_alert_id_position")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("ix_orders_state", ["state", "release_at", "id"], unique=False)
        batch_op.create_index("ix_orders_broker_order_id", ["broker_order_id"], unique=False)
        batch_op.create_index("ix_orders_closes", ["state"], unique=False, **_where("closes IS 1", "closes IS true"))

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chat_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("due_at", types.Instant(), nullable=True),
        sa.Column("not_before", types.Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("sent_at", types.Instant(), nullable=True),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_outbox_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_due", ["due_at"], unique=False, **_where("due_at IS NOT NULL"))

    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", types.Instant(), nullable=False),
        sa.Column("settled_at", types.Instant(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("lookups", sa.Integer(), nullable=False),
        sa.Column("absences", sa.Integer(), nullable=False),
        sa.Column("next_lookup_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_attempts_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("correlation_id", name=op.f("uq_attempts_correlation_id")),
        sa.UniqueConstraint("order_id", "number", name=op.f("uq_attempts_order_id_number")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_claimed_at", ["claimed_at"], unique=False)
        batch_op.create_index("ix_attempts_state", ["state", "next_lookup_at"], unique=False)

    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("price", types.Money(), nullable=True),
        sa.Column("trigger_price", types.Money(), nullable=True),
        sa.Column("wanted_by", sa.Text(), nullable=False),
        sa.Column("due_at", types.Instant(), nullable=True),
        sa.Column("sent_at", types.Instant(), nullable=True),
        sa.Column("answered_at", types.Instant(), nullable=True),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_changes_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.create_index("ix_changes_order_id", ["order_id"], unique=False)
        batch_op.create_index("ix_changes_state", ["state", "due_at"], unique=False)

    op.create_table(
        "questions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_at", types.Instant(), nullable=False),
        sa.Column("answered_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
        sa.UniqueConstraint("nonce", name=op.f("uq_questions_nonce")),
        sqlite_strict=True,
    )
    op.create_table(
        "hints",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("broker_order_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("received_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hints")),
        sqlite_strict=True,
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_events_alert_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_events_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_alert_id", ["alert_id"], unique=False)
    _fill()
    for trigger in first_triggers.MADE[op.get_bind().dialect.name]:
        op.execute(trigger)


def _where(on_sqlite: str, on_postgresql: str | None = None) -> dict[str, Any]:
    """Which rows an index is of."""
    return {"sqlite_where": sa.text(on_sqlite), "postgresql_where": sa.text(on_postgresql or on_sqlite)}


def _fill() -> None:
    order_moves = sa.table("order_moves", sa.column("before", sa.Text), sa.column("after", sa.Text))
    op.bulk_insert(
        order_moves,
        [{"before": before, "after": after} for before, afters in MOVES.items() for after in afters.split()],
    )
    sources = sa.table(
        "sources",
        sa.column("name", sa.Text),
        sa.column("identical_alerts", sa.Text),
        sa.column("created_at", types.Instant()),
    )
    first = {"name": "tradingview", "identical_alerts": "ask", "created_at": SystemClock().now()}
    op.bulk_insert(sources, [first])


def downgrade() -> None:
    """Newest first; their indexes go with them."""
    for table in _NEWEST_FIRST:
        op.drop_table(table)
    for function in first_triggers.LEFT_OVER[op.get_bind().dialect.name]:
        op.execute(f"DROP FUNCTION {function}()")


_NEWEST_FIRST = (
    *("hints", "questions", "changes", "events", "attempts", "outbox", "orders", "cards", "alerts", "sources"),
    *("settings", "order_moves", "operators", "logins", "leases", "calendar_overrides", "broker_tokens"),
)
