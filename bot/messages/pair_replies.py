"""What a chat chose of pairs, and what it mutes, in; the answer as a `Message` out. Pure; what it quotes is hostile."""

from collections.abc import Sequence

from bot.messages.language import Say
from bot.messages.lines import one_line
from bot.messages.message import Message, notice
from bot.messages.names import Names, pair_name


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


def no_pair(text: str, command: str, named: Sequence[str], meant: Sequence[str], say: Say) -> Message:
    """For a pair that cannot be made out: the parties that were, and names spelled like the rest."""
    said = [say("“{text}” does not name two parties.").format(text=one_line(text, 60)) if text else ""]
    said.append(say("Understood: {names}.").format(names=", ".join(named)) if named else "")
    said.append(say("Did you mean {names}?").format(names=", ".join(meant)) if meant else "")
    how = say("Write the codes or names of two parties, such as /{command} RU UA or /{command} Israel Hezbollah.")
    return notice(" ".join([*filter(None, said), how.format(command=command)]))
