"""How log lines look: one line per outcome, event first, then key=value that grep finds.

Secrets: whoever holds the bot's token calls `bot.chat.api.keep_out_of_logs`, which blots it out of every handler.
"""

import logging

FORMAT = "%(asctime)s %(levelname)s %(message)s"
#: Libraries that speak at INFO of what our own lines already say, or print addresses.
CHATTY = ("httpx", "httpcore", "telegram", "apscheduler", "aiohttp", "asyncio", "alembic", "matplotlib", "PIL")


def set_up_logging(verbose: bool = False) -> None:
    """Log to stderr from INFO, or from DEBUG when `verbose`."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format=FORMAT, datefmt="%Y-%m-%dT%H:%M:%S%z", force=True
    )
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A round that is still under way when the next is due is normal (coalesced), and warned of every time.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
