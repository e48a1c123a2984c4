"""How log lines look: one line per outcome, event first, then key=value that grep finds. Secrets reach no handler."""

import logging
import re

FORMAT = "%(asctime)s %(levelname)s %(message)s"
#: A bot token as BotFather gives it, also inside an address: https://core.telegram.org/bots/api#authorizing-your-bot
_TOKEN = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}")


class RedactTokens(logging.Filter):
    """Replaces anything that looks like a bot token, whoever logged it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, without its secrets."""
        message = record.getMessage()
        if _TOKEN.search(message):
            record.msg, record.args = _TOKEN.sub("<token>", message), None
        if record.exc_info and record.exc_info[1] is not None and _TOKEN.search(str(record.exc_info[1])):
            record.exc_text = _TOKEN.sub("<token>", logging.Formatter().formatException(record.exc_info))
        return True


def set_up_logging(verbose: bool = False) -> None:
    """Log to stderr. httpx and the Telegram library print addresses, which hold the token: they speak from WARNING."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S%z"))
    handler.addFilter(RedactTokens())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in ("httpx", "httpcore", "telegram", "apscheduler", "aiohttp", "asyncio", "alembic", "matplotlib", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
