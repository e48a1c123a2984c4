"""Parameters of a send in, Telegram's complaint about its text or buttons out, or None."""

import re
from html import unescape
from typing import Any

_TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote", "tg-spoiler"}
_TAG = re.compile(r"(/?)([a-z-]+)((?:\s+[a-z-]+=\"[^\"<>]*\")*)\s*>")


def complaint(method: str, params: dict[str, Any]) -> str | None:
    """Why Telegram would answer 400."""
    name, limit = ("caption", 1024) if method in ("sendPhoto", "sendDocument") else ("text", 4096)
    text = params.get(name, "")
    if params.get("parse_mode") == "HTML":
        try:
            text = parse_html(text)
        except ValueError as error:
            return f"can't parse entities: {error}"
    if name == "text" and not text.strip():
        return "message text is empty"
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > limit:
        return "message caption is too long" if name == "caption" else "message is too long"
    for row in (params.get("reply_markup") or {}).get("inline_keyboard", []):
        if any(len(button.get("callback_data", "").encode()) > 64 for button in row):
            return "BUTTON_DATA_INVALID"
    return None


def parse_html(html: str) -> str:
    """The text a reader sees of Telegram's HTML; raises ValueError when tags are unknown, unbalanced or not closed."""
    text, opened, rest = "", list[str](), html
    while rest:
        before, bracket, rest = rest.partition("<")
        text += unescape(before)
        if not bracket:
            break
        tag = _TAG.match(rest)
        if tag is None or tag[2] not in _TAGS:
            raise ValueError(f'Unsupported start tag "{rest[:8]}"')
        rest = rest[tag.end() :]
        if not tag[1]:
            opened.append(tag[2])
        elif not opened or opened.pop() != tag[2]:
            raise ValueError(f'Unexpected end tag "{tag[2]}"')
    if opened:
        raise ValueError(f'Can\'t find end tag corresponding to start tag "{opened[-1]}"')
    return text
