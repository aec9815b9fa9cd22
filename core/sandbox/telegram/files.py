"""Documents and pictures that went through the chat."""

import sqlite3
import struct
from dataclasses import dataclass
from pathlib import PurePath
from secrets import token_urlsafe

from core.sandbox.telegram.errors import bad_request
from core.sandbox.telegram.wire import Upload

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_PHOTO = 10 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    file_id: str
    path: str
    name: str
    mime_type: str
    content: bytes

    def as_json(self) -> dict[str, str | int]:
        return {"file_id": self.file_id, "file_unique_id": self.file_id[:12], "file_size": len(self.content)}


class Files:
    def __init__(self, store: sqlite3.Connection) -> None:
        self._store = store

    def keep(self, upload: Upload, folder: str) -> StoredFile:
        if not upload.content:
            raise bad_request("file must be non-empty")
        file_id = token_urlsafe(24)
        name = PurePath(upload.name.replace("\\", "/")).name or "file"
        path = f"{folder}/{file_id[:12]}{PurePath(name).suffix}"
        self._store.execute(
            "INSERT INTO files (file_id, path, name, mime_type, content) VALUES (?, ?, ?, ?, ?)",
            (file_id, path, name, upload.mime_type, upload.content),
        )
        return StoredFile(file_id=file_id, path=path, name=name, mime_type=upload.mime_type, content=upload.content)

    def by_id(self, file_id: str) -> StoredFile | None:
        return self._one("SELECT * FROM files WHERE file_id = ?", file_id)

    def by_path(self, path: str) -> StoredFile | None:
        return self._one("SELECT * FROM files WHERE path = ?", path)

    def _one(self, query: str, key: str) -> StoredFile | None:
        row = self._store.execute(query, (key,)).fetchone()
        return None if row is None else StoredFile(**dict(row))


def picture_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG or JPEG. Raises BotApiError for anything that Telegram would not show as a photo."""
    size = _png_size(content) or _jpeg_size(content)
    if size is None or len(content) > _MAX_PHOTO:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = size
    if width + height > 10000 or max(size) > 20 * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return size


def _png_size(content: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", content[16:24]) if content.startswith(_PNG) and len(content) >= 24 else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk the JPEG's segments to the frame header, which holds height and width."""
    at = 2 if content.startswith(b"\xff\xd8") else len(content)
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
