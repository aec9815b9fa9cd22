"""The three ways in which a bot may send parameters: query or form, JSON, and multipart with files."""

import json
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any, cast
from urllib.parse import parse_qsl

from starlette.requests import Request

from core.sandbox.telegram.errors import BotApiError, bad_request

_MAX_UPLOAD = 50 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Upload:
    name: str
    mime_type: str
    content: bytes


@dataclass(frozen=True)
class Parameters:
    """One call's parameters; every reader answers None (or its default) for what was left out."""

    values: dict[str, Any]
    uploads: dict[str, Upload]

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else str(value)

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in {"true", "1"}

    def number(self, name: str, default: int | None = None) -> int | None:
        value = self.values.get(name)
        if value in (None, ""):
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise bad_request(f"{name} must be a number") from None

    def json(self, name: str) -> Any:
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad_request(f"can't parse {name}: Can't parse JSON") from None

    def upload(self, name: str) -> Upload | None:
        value = self.text(name) or ""
        return self.uploads.get(value.removeprefix("attach://") if value.startswith("attach://") else name)


async def read_parameters(request: Request) -> Parameters:
    """Raises BotApiError for a body that Telegram would not understand."""
    values: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "")
    body = await request.body()
    if len(body) > _MAX_UPLOAD:
        raise BotApiError(413, "Request Entity Too Large")
    if kind.startswith("multipart/form-data"):
        fields, uploads = _split(body, kind)
        return Parameters(values | fields, uploads)
    if kind.startswith("application/json"):
        return Parameters(values | _json_object(body), {})
    return Parameters(values | dict(parse_qsl(body.decode(), keep_blank_values=True)), {})


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise bad_request("can't parse request body")
    return cast("dict[str, Any]", value)


def _split(body: bytes, content_type: str) -> tuple[dict[str, str], dict[str, Upload]]:
    """Form fields and files of a multipart body (RFC 7578)."""
    header = Message()
    header["content-type"] = content_type
    boundary = b"\r\n--" + str(header.get_param("boundary", "")).encode()
    fields: dict[str, str] = {}
    uploads: dict[str, Upload] = {}
    for part in (b"\r\n" + body).split(boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = BytesHeaderParser().parsebytes(head)
        name = str(headers.get_param("name", "", "content-disposition"))
        file_name = headers.get_filename()
        if file_name is None:
            fields[name] = content.decode()
        else:
            uploads[name] = Upload(name=file_name, mime_type=headers.get_content_type(), content=content)
    return fields, uploads
