"""Signs that another program uses the bot's token in, one warning and one message when it is over out.

Each sign passes in a moment, and two programs that disagree give another every minute: only an hour without any says
that the other one is gone.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from bot.chat.desk import Desk
from bot.trouble import PATIENCE, StageWatch

CALM = timedelta(hours=1)
ADVICE = (
    "Stop the other one, or give this one a token of its own from BotFather. Alerts are sent all the same. "
    "You hear again when there has been none for an hour."
)


class Sign(StrEnum):
    """By what the other program is noticed."""

    POLLS = "poller-conflict"  #: Telegram answers getUpdates with 409
    WEBHOOK_SET = "poller-webhook"  #: the same, because of a webhook that was not ours
    WEBHOOK_REPLACED = "webhook-replaced"  #: our webhook is gone or leads elsewhere


BEGAN = {
    Sign.POLLS: "Another program polls Telegram with this bot's token (409 Conflict): each gets only some of the "
    "commands.",
    Sign.WEBHOOK_SET: "Another program set a webhook for this bot's token (409 Conflict) and got the commands; it was "
    "deleted.",
    Sign.WEBHOOK_REPLACED: "Another program deleted or replaced this bot's webhook; it is set again.",
}
OVER = {
    Sign.POLLS: "For an hour no other program polled Telegram with this bot's token: commands come here alone again.",
    Sign.WEBHOOK_SET: "For an hour no other program set a webhook for this bot's token: commands come here again.",
    Sign.WEBHOOK_REPLACED: "For an hour no other program touched this bot's webhook: commands come here again.",
}


class Rivals:
    """Told of signs and of rounds without any. After a start the hour begins anew."""

    def __init__(self, desk: Desk) -> None:
        self._clock = desk.parts.clock
        self._watch = StageWatch(desk.tell_trouble)
        self._last: datetime | None = None

    async def noticed(self, sign: Sign) -> None:
        """Warn the admins, of polling only when it lasts: the poll of a run that was just killed looks the same."""
        self._last = self._clock()
        patience = PATIENCE if sign is Sign.POLLS else 1
        await self._watch.began(sign, f"{BEGAN[sign]} {ADVICE}", patience)

    async def none(self) -> None:
        """A round went well."""
        now = self._clock()
        self._last = self._last or now
        if now - self._last >= CALM:
            for sign in Sign:
                await self._watch.ended(sign, OVER[sign])
