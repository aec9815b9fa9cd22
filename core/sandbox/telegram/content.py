"""The text or caption of a message: read from the call, kept as source, answered as fields."""

import html
from typing import Any

from core.sandbox.telegram.entities import Formatted, detect, read_html, utf16_length
from core.sandbox.telegram.errors import bad_request
from core.sandbox.telegram.wire import Parameters


def read_content(parameters: Parameters, name: str, limit: int) -> Formatted:
    """The text or caption after parsing; an empty caption is fine, an empty text is not."""
    source = parameters.text(name) or ""
    match (parameters.text("parse_mode") or "").lower():
        case "html":
            content = read_html(source)
        case "":
            entities = parameters.json("entities" if name == "text" else "caption_entities")
            content = Formatted(text=source.strip(), entities=entities or [])
        case _:
            raise bad_request("unsupported parse_mode")
    if not content.text and name == "text":
        raise bad_request("message text is empty")
    if utf16_length(content.text) > limit:
        raise bad_request("message is too long" if name == "text" else "message caption is too long")
    return detect(content)


def source_of(parameters: Parameters) -> str:
    source = parameters.text("text") or parameters.text("caption") or ""
    return source if parameters.text("parse_mode") else html.escape(source, quote=False)


def as_fields(name: str, content: Formatted) -> dict[str, Any]:
    if not content.text:
        return {}
    entities = {"text": "entities", "caption": "caption_entities"}[name]
    return {name: content.text} | ({entities: content.entities} if content.entities else {})
