"""What a chat asked for or wrote in, what the admins of the bot are told of it out. Pure; names are hostile text."""

from datetime import datetime

from bot.messages.lines import isolated, one_line
from bot.messages.message import Button, Message, notice
from models import SubscriberState


def join_request(who: str, subscriber_id: int) -> Message:
    """An admin's question with two buttons; `who` is made by `describe`."""
    buttons = (_answers(subscriber_id, SubscriberState.PENDING),)
    return notice(f"Somebody asks to subscribe:\n{who}", title="Request to subscribe", buttons=buttons)


def request_answered(who: str, subscriber_id: int, state: SubscriberState) -> Message:
    """What the question becomes once answered, with the button for a change of mind."""
    word = "Refused" if state is SubscriberState.REFUSED else "Approved"
    return notice(f"{word}:\n{who}", buttons=(_answers(subscriber_id, state),))


def answered_before(who: str, subscriber_id: int, state: SubscriberState, by: str, at: datetime) -> Message:
    """What a question becomes that somebody else (`by`, "" when no admin) answered first; nothing was changed."""
    how = f", {by}" if by else ""
    text = f"Nothing was changed: it is {state.value} since {at:%d %b %H:%M} UTC{how}.\n{who}"
    return notice(text, buttons=(_answers(subscriber_id, state),))


def many_requests(number: int) -> Message:
    """Instead of further questions in one day."""
    return notice(
        f"More than {number} chats asked to subscribe within a day. You are not asked about further ones today; "
        "they can ask again tomorrow."
    )


def describe(name: str, kind: str, chat_id: int, thread_id: int = 0) -> str:
    """Who asks, in one line that starts and ends in our own words, whichever way the name is written."""
    topic = f", topic {thread_id}" if thread_id else ""
    return f"{kind} chat “{isolated(one_line(name))}” (id {chat_id}{topic})"


def test_message() -> Message:
    """To try the way to a chat."""
    return notice("This is a test message. Alerts arrive here like this one.", "Tocsin: test")


def unreachable(who: str, why: str, paused: bool) -> Message:
    """No message reaches a chat, and why; `who` is made by `describe`."""
    then = "It is paused; /start there brings it back." if paused else "Its alerts are lost until then."
    return notice(f"No message reaches {who}: {why}. {then}", title="Not delivered")


def feedback(who: str, text: str) -> Message:
    """What somebody wrote, to the admins; `who` is made by `describe`."""
    return notice(f"Feedback of {who}:\n“{isolated(one_line(text, 1000))}”", title="Feedback")


def _answers(subscriber_id: int, state: SubscriberState) -> tuple[Button, ...]:
    """What an admin can say to a chat that stands so; the state goes along, so that a stale press is known as one."""
    shown = "" if state is SubscriberState.PENDING else f":{state.value}"
    admit = Button("Approve", f"join:yes:{subscriber_id}{shown}")
    refuse = Button("Refuse", f"join:no:{subscriber_id}{shown}")
    if state is SubscriberState.PENDING:
        return admit, refuse
    return (admit,) if state is SubscriberState.REFUSED else (refuse,)
