"""What somebody asked in, the answer to their chat as a `Message` out. Pure; what it quotes is hostile text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.messages.alert import EASING_MARK, MARKS
from bot.messages.language import Say
from bot.messages.lines import Line, is_linkable, linked, one_line
from bot.messages.menu import ADMIN_COMMAND, COMMANDS, FOR_CHAT_ADMINS
from bot.messages.message import TEXT_LIMIT, Message, notice
from bot.pipeline.levels import threshold
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Level

if TYPE_CHECKING:
    from bot.pipeline.index import Point


_FACTS = 80  # what stands before a headline, and between two


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
