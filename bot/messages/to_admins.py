"""What a chat asked for or wrote in, what the admins of the bot are told of it out. Pure; names are hostile text."""

from bot.messages.lines import one_line
from bot.messages.message import Button, Message, notice


def join_request(who: str, subscriber_id: int) -> Message:
    """An admin's question with two buttons; `who` is made by `describe`."""
    buttons = ((_admit(subscriber_id), _refuse(subscriber_id)),)
    return notice(f"Somebody asks to subscribe:\n{who}", title="Request to subscribe", buttons=buttons)


def request_answered(who: str, subscriber_id: int, admitted: bool) -> Message:
    """What the question becomes once answered, with the button for a change of mind."""
    button = _refuse(subscriber_id) if admitted else _admit(subscriber_id)
    return notice(f"{'Approved' if admitted else 'Refused'}:\n{who}", buttons=((button,),))


def many_requests(number: int) -> Message:
    """Instead of further questions in one day."""
    return notice(
        f"More than {number} chats asked to subscribe within a day. You are not asked about further ones today; "
        "they can ask again tomorrow."
    )


def describe(name: str, kind: str, chat_id: int, thread_id: int = 0) -> str:
    """Who asks, in one line that starts and ends in our own words."""
    topic = f", topic {thread_id}" if thread_id else ""
    return f"{kind} chat “{one_line(name)}” (id {chat_id}{topic})"


def unreachable(who: str, why: str, paused: bool) -> Message:
    """No message reaches a chat, and why; `who` is made by `describe`."""
    then = "It is paused; /start there brings it back." if paused else "Its alerts are lost until then."
    return notice(f"No message reaches {who}: {why}. {then}", title="Not delivered")


def feedback(who: str, text: str) -> Message:
    """What somebody wrote, to the admins; `who` is made by `describe`."""
    return notice(f"Feedback of {who}:\n“{one_line(text, 1000)}”", title="Feedback")


def _admit(subscriber_id: int) -> Button:
    return Button("Approve", f"join:yes:{subscriber_id}")


def _refuse(subscriber_id: int) -> Button:
    return Button("Refuse", f"join:no:{subscriber_id}")
