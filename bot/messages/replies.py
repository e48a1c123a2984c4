"""What somebody asked in, the answer to their chat as a `Message` out. Pure; what it quotes is hostile text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.messages.alert import EASING_MARK, MARKS
from bot.messages.language import Say
from bot.messages.lines import Line, is_linkable, linked, one_line
from bot.messages.message import TEXT_LIMIT, Button, Message, notice
from bot.messages.names import Names, pair_name
from bot.pipeline.levels import threshold
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Level

if TYPE_CHECKING:
    from bot.pipeline.index import Point

_FACTS = 80  # what stands before a headline, and between two
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


# Joining and leaving --------------------------------------------------------------------------------------------------


def welcome(levels: Mapping[Direction, Level], say: Say, is_admin: bool = False) -> Message:
    """For a chat that is subscribed from now on, with the way to its choices, and an admin of the bot to the bot's."""
    told = say(
        "You are subscribed: a story is told once it reaches your levels (escalation from {up}, easing from {down}), "
        "and a digest comes every week."
    ).format(up=levels[Direction.ESCALATION].word, down=levels[Direction.DEESCALATION].word)
    more = say(
        "/settings chooses levels, regions, pairs and quiet hours, /latest shows the last alerts, /stop ends it, "
        "/help says more."
    )
    buttons = ((Button(say("Choose what you hear"), "set:main"),),)
    return notice(f"{told}\n{more}{_for_admin(is_admin, say)}", buttons=buttons)


def already_subscribed(is_admin: bool) -> Message:
    """For /start by a subscriber."""
    said = "This chat is subscribed already. /threshold shows your levels, /help the commands."
    return notice(f"{said}{_for_admin(is_admin, str)}")


def _for_admin(is_admin: bool, say: Say) -> str:
    rest = say("You are an admin of this bot: /admin opens its feeds, thresholds and subscribers.")
    return f"\n{rest}" if is_admin else ""


def asked(user_id: int | None, somebody_answers: bool) -> Message:
    """For a chat whose request waits for an admin; without any admin, how to become one."""
    if somebody_answers:
        return notice(
            f"Your request was passed to the admins of this bot; you will hear from it here.{_your_id(user_id)}"
        )
    return notice(
        "Your request is noted, but nobody is set up to answer it.\n"
        f"If you run this bot: put admins = [{user_id or 'your user id'}] into config/telegram.toml, "
        f"then send /start again.{'' if user_id else ' In a private chat with me it tells you yours.'}"
    )


def many_ask_today(say: Say) -> Message:
    """For a chat that asks when the admins have been asked enough for one day."""
    return notice(say("Many ask today; send /start again tomorrow."))


def needs_code(user_id: int | None, was_wrong: bool) -> Message:
    """For a chat that has no invite code, or another one."""
    first = "That is not the invite code." if was_wrong else "This bot is by invitation."
    return notice(
        f"{first} Ask whoever told you of it for the code or the link, then send /start CODE, capitals as given."
        f"{_your_id(user_id)}"
    )


def refused() -> Message:
    """For /start by a chat an admin said no to."""
    return notice("An admin of this bot has declined this chat. Only an admin can change that.")


def stopped(is_admin: bool) -> Message:
    """For /stop."""
    rest = "\nAs an admin you still get requests and notices of trouble." if is_admin else ""
    return notice(f"Stopped: no more alerts and digests here. /start brings them back, with your levels.{rest}")


def stopped_before() -> Message:
    """For any command but /start by a chat that stopped."""
    return notice("This chat gets nothing from this bot. /start brings alerts and digests back.")


def still_waiting() -> Message:
    """For /stop and others by a chat whose request is not answered."""
    return notice("Your request to subscribe is not answered yet; until then nothing is sent here.")


def how_to_ask() -> Message:
    """All that a stranger is told."""
    return notice("This bot answers subscribers only. /start asks to become one.")


def in_another_topic(say: Say) -> Message:
    """For a topic that is not subscribed, in a group of which another is."""
    return notice(say("Another topic of this group is subscribed; write it there."))


def may_not_decide(is_admin: bool | None, say: Say) -> Message:
    """For an ordinary member of a group, or (`is_admin` is None) one of whom Telegram does not tell what they are."""
    if is_admin is None:
        return notice(say("I cannot see who is an admin here; make me one, or write as the group."))
    return notice("Only admins of this chat can do that.")


def _your_id(user_id: int | None) -> str:
    return "" if user_id is None else f"\nYour Telegram user id is {user_id}."


# Commands -------------------------------------------------------------------------------------------------------------


def help_text(say: Say, named: Sequence[str] = (), in_group: bool = False, is_admin: bool = False) -> Message:
    """What a subscriber can do, and an admin of the bot; of the commands `named` alone where there are such. In a group
    it says what only its admins may do."""
    marks = {command: f" ({say('admins of this group only')})" if in_group else "" for command in FOR_CHAT_ADMINS}
    commands = COMMANDS | ADMIN_COMMAND if is_admin else COMMANDS
    lines = {command: f"/{command} – {say(what)}{marks.get(command, '')}" for command, what in commands.items()}
    if wanted := [lines[command] for command in named if command in lines]:
        return notice("\n".join(wanted))
    what = say(
        "Tocsin reads news feeds for signs that a conflict heats up or cools down, and tells you when a story crosses "
        "your level."
    )
    return notice("\n".join([what, "", *lines.values()]))


def no_words(command: str, say: Say) -> Message:
    """For words after a command that takes none."""
    return notice(say("/{command} takes no words.").format(command=command))


def how_many(most: int, say: Say) -> Message:
    """For /latest with words that are no number."""
    return notice(say("How many? /latest 10 shows the last ten, {most} at most.").format(most=most))


def unknown_command() -> Message:
    """For a command there is none of."""
    return notice("That is no command of this bot. /help lists them.")


def did_you_mean(close: Sequence[str]) -> Message:
    """For a command that is nearly one of ours, or one of some."""
    meant = " or ".join(f"/{command}" for command in close)
    return notice(f"That is no command of this bot. Did you mean {meant}? /help lists them.")


def pair_watched(
    pair: str, code: str, was_muted: bool, watched: Sequence[str], regions: Sequence[str], say: Say
) -> Message:
    """For /watch; `code` is what takes it back. To watch a first pair is to lose all others, which is said."""
    said = [say("{pair} is watched here.").format(pair=pair), say("Its mute has ended.") if was_muted else ""]
    said.append(_chosen_pairs(watched, regions, say))
    if len(watched) == 1:
        only = say("From now on only it is told here; /unwatch {code}: all again.")
        both = say("Besides it you hear of the regions chosen: {names}.")
        said.append(both.format(names=", ".join(regions)) if regions else only.format(code=code))
    return notice(" ".join(filter(None, said)))


def pair_unwatched(pair: str, was_watched: bool, watched: Sequence[str], regions: Sequence[str], say: Say) -> Message:
    """For /unwatch."""
    said = say("{pair} is no longer watched here.") if was_watched else say("{pair} was not watched here.")
    return notice(f"{said.format(pair=pair)} {_chosen_pairs(watched, regions, say)}")


def _chosen_pairs(watched: Sequence[str], regions: Sequence[str], say: Say) -> str:
    if watched:
        return say("Pairs chosen: {names}.").format(names=", ".join(watched))
    if regions:
        return say("No pair is chosen: you hear of the regions chosen, {names}.").format(names=", ".join(regions))
    return say("No pair is chosen: you hear of all.")


def narrowed(key: str, names: Sequence[str], say: Say) -> str:
    """Above a page of /settings where something is chosen first: everything else is told no longer."""
    said = say("From now on you hear only of {names}; /settings {key} all: of everything again.")
    return said.format(names=", ".join(names), key=key)


def stop_of_pair(pair: str, code: str, say: Say) -> Message:
    """For /stop RU UA."""
    said = say("Nothing was stopped. /mute {code} mutes {pair}; /stop alone ends everything here.")
    return notice(said.format(pair=pair, code=code))


def pair_muted(pair: str, code: str, say: Say) -> Message:
    """For /mute RU UA; `code` is what brings it back."""
    said = say("{pair} is muted here until /unmute {code} brings it back; what waited of it is not sent.")
    return notice(said.format(pair=pair, code=code))


def pair_unmuted(pair: str, was_muted: bool, still: Sequence[str], say: Say) -> Message:
    """For /unmute RU UA."""
    said = say("{pair} is no longer muted here.") if was_muted else say("{pair} was not muted here.")
    rest = say("Still muted: {names}.").format(names=", ".join(still)) if still else ""
    return notice(f"{said.format(pair=pair)} {rest}".strip())


def pair_for_no_time(pair: str, code: str, span: str, say: Say) -> Message:
    """For /mute RU UA 3h: nothing was changed, and what to type. Without a `span` the time was not understood."""
    said = say("Nothing was changed: a pair is muted until you end it, and a time holds back all alerts.")
    how = say("/mute {code} mutes {pair}; /mute {span} holds alerts back for so long.")
    return notice(f"{said}\n{how.format(code=code, pair=pair, span=span or '3h')}")


def how_to_mute(most_days: int, say: Say) -> Message:
    """For /mute alone, or with a time that is not understood."""
    said = say(
        "Which two parties, or for how long? /mute RU UA mutes a pair until /unmute RU UA. /mute 3h or /mute 2 days "
        "holds alerts back for so long, {most} days at most; the digest still comes."
    )
    return notice(said.format(most=most_days))


def muted_until(until: str, through: str, old_hours: float | None, say: Say) -> Message:
    """For /mute 3h; `through` is the level told even so, or empty, `old_hours` the age from which all is summed up."""
    waits = say("Until {until} alerts wait here unless they reach {level}; then they come.") if through else ""
    waits = waits or say("Until {until} alerts wait here; then they come.")
    old = say("Those older than {hours:g} h then come as one summary.") if old_hours else ""
    said = [waits.format(until=until, level=through), old.format(hours=old_hours), say("/unmute ends it at once.")]
    return notice(" ".join(filter(None, said)))


def time_out_of_range(most_days: int, say: Say) -> Message:
    """For /mute 100 days."""
    said = say("Alerts can wait 1 hour to {most} days: /mute 12h, /mute {most} days. /stop ends them.")
    return notice(said.format(most=most_days))


def unmuted(pairs: Sequence[str], names: Names, say: Say) -> Message:
    """For /unmute without a pair; `pairs` are codes, because that is what brings one back."""
    said = say("Alerts come at once again, those that waited too; quiet hours still hold.")
    muted = ", ".join(pair_name(pair, names) for pair in pairs)
    still = say("Still muted: {names}; /unmute {code} brings it back.") if pairs else ""
    return notice(f"{said} {still.format(names=muted, code=pairs[0] if pairs else '')}".strip())


def no_story() -> Message:
    """For /story that finds none."""
    return notice("No story of the last 30 days fits. /story alone shows the one of the last alert, /latest others.")


def no_alert_fits(say: Say) -> Message:
    """For /why WORDS that finds nothing that rang."""
    said = say("No story that rang in the last 30 days fits. /why alone explains the last alert, /story finds others.")
    return notice(said)


def how_to_feedback() -> Message:
    """For /feedback alone."""
    return notice(
        "Write /feedback and what you think of the last alert, or of this bot; its admins read it. "
        "/feedback useful and /feedback wrong are the buttons under the last alert."
    )


def feedback_taken(is_new: bool) -> Message:
    """For /feedback TEXT."""
    if is_new:
        return notice("Thank you. The admins of this bot will read it.")
    return notice("You have said so today, or said much today; please write again tomorrow.")


def nobody_reads_feedback(say: Say) -> Message:
    """For /feedback TEXT to a bot without admins."""
    return notice(say("Nobody is set up to read it: this bot has no admins. Nothing was stored."))


def no_pair(text: str, command: str, named: Sequence[str], meant: Sequence[str], say: Say) -> Message:
    """For a pair that cannot be made out: the parties that were, and names spelled like the rest."""
    said = [say("“{text}” does not name two parties.").format(text=one_line(text, 60)) if text else ""]
    said.append(say("Understood: {names}.").format(names=", ".join(named)) if named else "")
    said.append(say("Did you mean {names}?").format(names=", ".join(meant)) if meant else "")
    how = say("Write the codes or names of two parties, such as /{command} RU UA or /{command} Israel Hezbollah.")
    return notice(" ".join([*filter(None, said), how.format(command=command)]))


def missed(lines: Sequence[tuple[float, str, str, str]]) -> Message:
    """Stories not told here: score, direction, why, headline."""
    if not lines:
        return notice("Nothing came near in the last seven days.")
    told = [f"{score:.0f} {way}, {why}\n{one_line(title, 200)}" for score, way, why, title in lines]
    return notice("Not told here in the last seven days, the loudest first:\n\n" + "\n\n".join(told), "Missed")


def status(chosen: str, pairs: "Sequence[tuple[str, Point]]", more: int, say: Say) -> Message:
    """What a chat chose, and for its pairs today's tension, the loudest first; `more` are not shown."""
    lines = [_tension_line(pair, today, say) for pair, today in pairs]
    if more:
        lines.append(say("and {number} more, quieter; /settings lists the pairs chosen.").format(number=more))
    none = say("No pair was in the news for a day.")
    tension = "\n".join([say("Tension in the last 24 hours:"), *lines]) if lines else none
    return notice(f"{tension}\n\n{chosen}\n\n{say('/settings changes it.')}", "Status")


def status_of_pair(pair: str, today: "Point", say: Say) -> Message:
    """For /status RU UA."""
    return notice(f"{say('Tension in the last 24 hours:')}\n{_tension_line(pair, today, say)}", "Status")


def _tension_line(pair: str, today: "Point", say: Say) -> str:
    usual = say(" (usually {usual:.0f})").format(usual=today.usual) if today.usual is not None else ""
    if not today.escalation and not today.deescalation:
        return say("{pair}: calm").format(pair=pair) + usual
    up = say("{pair}: escalation {up:.0f}").format(pair=pair, up=today.escalation)
    return up + usual + say(", easing {down:.0f}").format(down=today.deescalation)


def no_digest_yet() -> Message:
    """For /digest before the first one."""
    return notice("There is no digest yet; the first comes within a week.")


def nothing_to_explain() -> Message:
    """For /why where nothing was told yet."""
    return notice("No alert was sent here yet, so there is nothing to explain. /latest shows what would have been.")


def privacy() -> Message:
    """For /privacy."""
    return notice(
        "Stored about this chat: its id, its name or title, its language (at first that of your Telegram), what you "
        "chose in /settings, which messages were sent here and when, what you said of alerts (Useful, Wrong), and the "
        "words you sent with /feedback, in the messages its admins got. Not stored: who reads, who is in a group, what "
        "else is written here. Messages are forgotten with the news they were about. Nothing is passed on, "
        "except to Telegram, which carries it.\n/forget deletes all of it; what you said of alerts stays without your "
        "chat, and of a request that waits or was declined the id of the chat."
    )


def ask_forget(others: Sequence[int], say: Say) -> Message:
    """For /forget: it cannot be undone. `others` are the topics of the group (0: none) that go as well."""
    buttons = ((Button(say("Delete everything"), "forget:yes"), Button(say("Keep it"), "forget:no")),)
    said = say("Delete what is stored about this chat, and send nothing more here?")
    topics = ", ".join(say("topic {number}").format(number=topic) if topic else say("General") for topic in others)
    whole = say("It goes for the whole group, with {topics}.").format(topics=topics) if others else ""
    return notice(f"{said} {whole}".strip(), "Forget", buttons)


def forgotten() -> Message:
    """Once a chat is deleted."""
    return notice("Deleted. /start asks to subscribe again.")


def forgotten_but_for_the_answer() -> Message:
    """Once a chat is deleted that waits for an admin's answer, or was refused."""
    return notice("Deleted, but for the id of this chat and how far its request came; these stay so that it holds.")


def kept() -> Message:
    """For a change of mind."""
    return notice("Nothing was deleted.")


def something_went_wrong() -> Message:
    """For a command that failed on our side."""
    return notice("That did not work, and the fault is here, not with you. It is logged; please try again later.")


def nothing_to_show(anything_rang: bool, say: Say) -> Message:
    """For /latest that has nothing: because nothing rang at all, or nothing that the chat chose."""
    if not anything_rang:
        return notice(say("Nothing has rung yet."))
    return notice(
        say("Nothing that this chat chose has rung yet. /settings shows what it chose, /missed what was kept back.")
    )


def latest(alerts: Sequence[Alert]) -> Message:
    """The alerts given, each a line of facts and its headline as a link; of many the headlines are cut to fit."""
    longest = min(300, TEXT_LIMIT // len(alerts) - _FACTS)
    html, plain = zip(*(_alert_lines(alert, longest) for alert in alerts), strict=True)
    return Message(html="\n\n".join(html), plain="\n\n".join(plain), title="Latest alerts")


def _alert_lines(alert: Alert, longest: int) -> Line:
    level = Level(alert.level)
    easing = alert.direction is Direction.DEESCALATION
    kind = "" if alert.kind is AlertKind.NEW else f", {alert.kind.word}"
    what = f"{'easing, ' if easing else ''}{level.word}{kind} · {alert.score:.0f} · {alert.created_at:%d %b %H:%M} UTC"
    head = f"{EASING_MARK if easing else MARKS[level]} {what}"
    url = str(alert.facts.get("url") or "")
    html, plain = linked(f"{head}\n", one_line(str(alert.facts.get("title") or "(no headline)"), longest), url)
    return html, f"{plain}\n{url}" if is_linkable(url) else plain


def thresholds(levels: Mapping[Direction, Level], alerts: Alerts, changed: bool = False) -> Message:
    """The levels a chat has, with their scores, and how to change them."""
    lines = [
        f"{way.word}: {level.word} (score {threshold(level, alerts.levels_for(way)):g})"
        for way, level in levels.items()
    ]
    head = (
        "Done. You are told of a story from these levels on:"
        if changed
        else "You are told of a story from these levels on:"
    )
    return notice("\n".join([head, *lines, "", how_to_set(alerts)]))


def not_a_threshold(word: str, suggestion: str, alerts: Alerts) -> Message:
    """For an argument of /threshold that means nothing; `suggestion` is a word that does, or empty."""
    hint = f" Did you mean {suggestion}?" if suggestion else ""
    return notice(f"“{one_line(word, 30)}” is no level and no direction.{hint}\n{how_to_set(alerts)}")


def number_is_no_level(alerts: Alerts) -> Message:
    """For /threshold 70."""
    return notice(f"Scores have names here, the same for everybody.\n{how_to_set(alerts)}")


def how_to_set(alerts: Alerts) -> str:
    """The choices of /threshold."""
    choices = ", ".join(_choice(level, alerts) for level in Level if level is not Level.NONE)
    return (
        f"Levels: {choices}.\n"
        "To change both directions: /threshold LEVEL. To change one: /threshold LEVEL escalation (or easing)."
    )


def _choice(level: Level, alerts: Alerts) -> str:
    up, down = (threshold(level, alerts.levels_for(way)) for way in (Direction.ESCALATION, Direction.DEESCALATION))
    return f"{level.word} ({up:g})" if up == down else f"{level.word} ({up:g}, easing {down:g})"
