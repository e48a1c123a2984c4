"""The edge to people on Telegram.

Updates come in by `receiver` (`poller` or `webhook`), are handled by `handlers` and `buttons` and answered by `desk`.
What a chat asks for is in `commands`, `stories`, `verdicts`; what it chooses in `choices` (`typed` words, pages of
`settings`, `mutes`, `pairs`); who may in `access`; the bot's admins' part in `admin*`. Messages go out by `sender`, at
the pace of `limiter`, with Telegram's errors translated by `failures`.
"""
