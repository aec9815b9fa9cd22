"""The stand-in's own database, so that the chat survives a restart of the sandbox."""

import sqlite3
from pathlib import Path

from core.db.driver import sqlite_driver

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chats (
    chat_id INTEGER PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, blocked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS messages (
    chat_id INTEGER NOT NULL, message_id INTEGER NOT NULL, body TEXT NOT NULL, html TEXT NOT NULL,
    silent INTEGER NOT NULL, edits INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (chat_id, message_id)
) STRICT;
CREATE TABLE IF NOT EXISTS updates (
    update_id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL, queued_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS queries (
    query_id TEXT PRIMARY KEY, chat_id INTEGER NOT NULL, tapped_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS files (
    file_id TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, name TEXT NOT NULL, mime_type TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS shown_before (text TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


def open_store(file: Path) -> sqlite3.Connection:
    """Each statement commits by itself; a killed process loses nothing that was answered."""
    driver = sqlite_driver()  # the Dhan stand-in's too: one SQLite in the process
    connection: sqlite3.Connection = driver.connect(str(file), isolation_level=None)
    connection.row_factory = driver.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_SCHEMA)
    return connection


def keep_shown(store: sqlite3.Connection, text: str) -> None:
    """What the bot showed for a while, an answer to a tap or a text that it rewrote: it has been seen all the same."""
    store.execute("INSERT INTO shown_before (text) VALUES (?)", (text,))


def remember(store: sqlite3.Connection, name: str, value: str) -> None:
    store.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))


def recall(store: sqlite3.Connection, name: str) -> str | None:
    row = store.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else row["value"]
