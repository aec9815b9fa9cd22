"""Telegram's HTML, read as Telegram reads it: plain text and entities, offsets in UTF-16 units.

Bot API, Formatting options; the error texts are those of Telegram's own server.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from core.sandbox.telegram.errors import BotApiError, bad_request

Entity = dict[str, Any]

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
}
_TAG = re.compile(r"""<(/?)([^\s>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>""")
_ATTRIBUTE = re.compile(r"""([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([\w.-]+)))?""")
_ESCAPE = re.compile(r"&(?:(lt|gt|amp|quot)|#(?:x([0-9a-fA-F]{1,6})|(\d{1,7})));?")
_ESCAPED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_DETECTED = re.compile(
    r"(?P<url>https?://[\w-]+(?:\.[\w-]+)+(?::\d+)?[^\s<>\"']*)|(?<![\w/])(?P<bot_command>/\w{1,32})\b"
)
_VERBATIM = {"code", "pre", "text_link"}


@dataclass(frozen=True, kw_only=True)
class Formatted:
    """Text as the reader sees it, and what is bold, linked, hidden … in it."""

    text: str
    entities: list[Entity]


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def read_html(source: str) -> Formatted:
    """Parse the tags that Telegram allows. Raises BotApiError with Telegram's "can't parse entities" texts."""
    reader = _Reader(source)
    at = 0
    while (opening := source.find("<", at)) >= 0:
        reader.write(source[at:opening])
        tag = _TAG.match(source, opening)
        if tag is None:
            kind = "end" if source.startswith("</", opening) else "start"
            raise _unparsable(f"Unclosed {kind} tag at byte offset {reader.byte_offset(opening)}")
        reader.take_tag(tag)
        at = tag.end()
    reader.write(source[at:])
    return trim(reader.finish())


def trim(formatted: Formatted) -> Formatted:
    """Drop white space around the text, as Telegram does, and move the entities along."""
    text = formatted.text.strip()
    lead = utf16_length(formatted.text) - utf16_length(formatted.text.lstrip())
    size = utf16_length(text)
    entities: list[Entity] = []
    for entity in formatted.entities:
        start = max(entity["offset"] - lead, 0)
        end = min(entity["offset"] - lead + entity["length"], size)
        if end > start:
            entities.append(entity | {"offset": start, "length": end - start})
    return Formatted(text=text, entities=entities)


def detect(formatted: Formatted) -> Formatted:
    """Add the links and /commands that Telegram finds by itself outside code and links."""
    found = list(formatted.entities)
    taken = [(e["offset"], e["offset"] + e["length"]) for e in found if e["type"] in _VERBATIM]
    for match in _DETECTED.finditer(formatted.text):
        start = utf16_length(formatted.text[: match.start()])
        length = utf16_length(match[0])
        if not any(start < end and begin < start + length for begin, end in taken):
            found.append({"type": match.lastgroup, "offset": start, "length": length})
    return Formatted(text=formatted.text, entities=sorted(found, key=lambda e: (e["offset"], -e["length"])))


@dataclass
class _Reader:
    source: str
    text: list[str] = field(default_factory=list[str])
    size: int = 0
    entities: list[Entity] = field(default_factory=list[Entity])
    open_tags: list[tuple[str, Entity]] = field(default_factory=list[tuple[str, Entity]])

    def byte_offset(self, position: int) -> int:
        return len(self.source[:position].encode())

    def write(self, escaped: str) -> None:
        plain = _unescape(escaped)
        self.text.append(plain)
        self.size += utf16_length(plain)

    def take_tag(self, tag: re.Match[str]) -> None:
        name = tag[2].lower()
        if tag[1]:
            self._close(name, self.byte_offset(tag.start()))
        else:
            self._open(name, _attributes(tag[3]), self.byte_offset(tag.start()))

    def _open(self, name: str, attributes: dict[str, str], offset: int) -> None:
        if name == "span" and attributes.get("class") == "tg-spoiler":
            kind = "spoiler"
        elif name == "span":
            raise _unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
        elif name not in _TYPES:
            raise _unparsable(f'Unsupported start tag "{name}" at byte offset {offset}')
        else:
            kind = _TYPES[name]
        entity: Entity = {"type": kind, "offset": self.size, "length": 0}
        if kind == "blockquote" and "expandable" in attributes:
            entity["type"] = "expandable_blockquote"
        if kind == "text_link":
            entity["url"] = attributes.get("href", "")
        if name == "code" and attributes.get("class", "").startswith("language-"):
            entity["language"] = attributes["class"].removeprefix("language-")
        self.open_tags.append((name, entity))

    def _close(self, name: str, offset: int) -> None:
        if not self.open_tags:
            raise _unparsable(f"Unexpected end tag at byte offset {offset}")
        expected, entity = self.open_tags.pop()
        if name and name != expected:
            raise _unparsable(f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{name}>"')
        entity["length"] = self.size - entity["offset"]
        if expected == "code" and self.open_tags and self.open_tags[-1][0] == "pre":
            self.open_tags[-1][1].update({key: entity[key] for key in ("language",) if key in entity})
        elif entity["length"] and entity.get("url") != "":
            entity.pop("language", None) if expected == "code" else None
            self.entities.append(entity)

    def finish(self) -> Formatted:
        if self.open_tags:
            raise _unparsable(f'Can\'t find end tag corresponding to start tag "{self.open_tags[-1][0]}"')
        ordered = sorted(self.entities, key=lambda entity: (entity["offset"], -entity["length"]))
        return Formatted(text="".join(self.text), entities=ordered)


def _attributes(source: str) -> dict[str, str]:
    found = _ATTRIBUTE.finditer(source)
    return {match[1].lower(): _unescape(match[2] or match[3] or match[4] or "") for match in found}


def _unescape(source: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return _ESCAPED[match[1]]
        code = int(match[2], 16) if match[2] else int(match[3])
        return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else match[0]

    return _ESCAPE.sub(plain, source)


def _unparsable(detail: str) -> BotApiError:
    return bad_request(f"can't parse entities: {detail}")
