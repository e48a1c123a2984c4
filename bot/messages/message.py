"""What is sent, before anybody decides where: HTML for Telegram, plain text for the terminal and as a fallback."""

from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Self

#: Telegram's limits, in UTF-16 code units after entities are parsed: https://core.telegram.org/bots/api#sendmessage
TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Button:
    """An inline button; `data` is at most 64 bytes: https://core.telegram.org/bots/api#inlinekeyboardbutton"""

    text: str
    data: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `html` uses Telegram's tags; `plain` says the same without; `title` and `tone` are for the terminal.

    `tone` is the level's word ("watch", "warning", "critical"), "easing", or "" for notices and digests.
    """

    html: str
    plain: str
    title: str = ""
    tone: str = ""
    silent: bool = False
    buttons: tuple[tuple[Button, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For a JSON column; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`; unknown keys are dropped, so that rows of a newer version can be sent."""
        rows = tuple(tuple(Button(**button) for button in row) for row in data.get("buttons", ()))
        known = {key: data[key] for key in ("html", "plain", "title", "tone", "silent") if key in data}
        return cls(**known, buttons=rows)


def notice(text: str, title: str = "Tocsin", buttons: tuple[tuple[Button, ...], ...] = ()) -> Message:
    """A message made of plain text only; whatever it quotes cannot become markup."""
    return Message(html=escape(clip(text), quote=False), plain=clip(text), title=title, buttons=buttons)


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clip(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` cut at a word to at most `limit` UTF-16 units, with an ellipsis when something was cut."""
    if units(text) <= limit:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    cut = kept.rsplit(maxsplit=1)[0] if " " in kept[-80:] else kept
    return cut.rstrip() + "…"
