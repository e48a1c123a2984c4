"""What Telegram shows of the bot before anybody writes: its commands and what it is, in English."""

#: As people say it, and type it.
COMMANDS = {
    "start": "subscribe this chat",
    "stop": "stop everything sent here",
    "settings": "levels, regions, pairs, quiet hours, digest: /settings quiet 22:30 06:30",
    "threshold": "from which level on to be told: /threshold warning",
    "watch": "hear only of the pairs you name: /watch RU UA",
    "unwatch": "take a watched pair back: /unwatch RU UA",
    "mute": "hear nothing of a pair, or no alerts for hours: /mute RU UA, /mute 3h",
    "unmute": "hear of a muted pair again, or end the quiet: /unmute RU UA",
    "latest": "the last alerts of what this chat chose: /latest 10",
    "why": "why the last alert rang, or one of a story: /why RU UA",
    "story": "how a story went on: /story border convoy",
    "feedback": "say what you think of the last alert or of this bot: /feedback wrong",
    "missed": "what nearly rang, or was kept back",
    "status": "what this chat chose, and how tense its pairs are: /status RU UA",
    "digest": "the last weekly digest",
    "privacy": "what is stored about this chat",
    "forget": "delete what is stored about this chat",
    "help": "what this bot does: /help mute",
}

#: What decides for a chat: in a group its admins' only.
FOR_CHAT_ADMINS = frozenset(("start", "stop", "settings", "threshold", "watch", "unwatch", "mute", "unmute", "forget"))

#: In the menu of the bot's admins besides.
ADMIN_COMMAND = {"admin": "run this bot"}

#: What a chat shows before /start (512 characters at most), and the bot's profile (120).
DESCRIPTION = (
    "Tocsin reads news feeds for signs that a conflict heats up or cools down, and tells you when a story crosses your "
    "level: which way, who says so, who disputes it, how many independent sources, and why it rang. A digest comes "
    "every week.\n\n/start asks to subscribe."
)

SHORT_DESCRIPTION = "Early warning from news feeds: which conflicts heat up or cool down, who says so, and why it rang."
