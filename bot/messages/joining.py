"""Who asks to be let in, leaves, or asks what is stored, in; the answer to their chat as a `Message` out. Pure."""

from collections.abc import Mapping, Sequence

from bot.messages.language import Say
from bot.messages.message import Button, Message, notice
from models import Direction, Level


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
