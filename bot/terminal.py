"""Messages in, panels on the terminal out: where alerts go when no Telegram token is set."""

from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from bot.messages.message import Message
from bot.outlet import Envelope, SendFailure

COLOURS = {"watch": "yellow", "warning": "dark_orange", "critical": "red", "easing": "green", "": "cyan"}
PANEL_WIDTH = 100


class TerminalSender:
    """Prints each message as a panel; pictures are saved into `pictures` and named."""

    def __init__(self, console: Console, pictures: Path) -> None:
        self._console = console
        self._pictures = pictures

    async def send(self, envelope: Envelope) -> int | None:
        """Print it. Raises SendFailure when a picture cannot be saved."""
        message = envelope.message
        colour = COLOURS.get(message.tone, "cyan")
        body = message.plain.removeprefix(message.title).lstrip("\n")
        lines = [Text(body)]
        if envelope.photo is not None:
            lines.append(Text(f"\nChart: {self._save(message, envelope.photo)}", style="bold"))
        await envelope.begin()
        self._console.print(
            Panel(
                Text("\n").join(lines),
                title=Text(message.title, style=f"bold {colour}"),
                title_align="left",
                border_style=colour,
                width=min(PANEL_WIDTH, self._console.width),
            )
        )
        return None

    def _save(self, message: Message, photo: bytes) -> Path:
        name = "".join(letter if letter.isalnum() else "-" for letter in message.title.lower())
        path = self._pictures / f"{'-'.join(part for part in name.split('-') if part)}.png"
        try:
            self._pictures.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo)
        except OSError as error:
            raise SendFailure(f"the chart cannot be saved as {path}: {error}") from error
        return path
