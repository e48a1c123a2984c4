"""Words typed after /settings, or carried by its buttons, in; what they name out. Pure.

Codes do, and names as the pages show them, in English and in the chat's language; case and accents count for nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from typing import TypeVar

from bot.chat.pairs import BETWEEN, Parties, folded, parties_of
from bot.messages import pair_replies
from bot.messages.language import Say
from bot.messages.names import pair_name, party_names
from config.schema import WEEKDAYS, Actors

T = TypeVar("T")
SWITCH = {"on": True, "off": False}


class BadChoice(Exception):
    """A value that cannot be chosen; the message says in the chat's language what can."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to choose from: regions of the feeds, pairs in the news ("RU-UA"), all signals; what the chat's
    language calls them, and the admin's own parties."""

    regions: Sequence[str]
    dyads: Sequence[str]
    signals: Sequence[str]
    say: Say
    actors: Actors


def one_of(choices: Mapping[str, T], values: Sequence[str], say: Say) -> T:
    """The choice that the words name. Raises BadChoice."""
    text = " ".join(values)
    spelled = {folded(each): value for word, value in choices.items() for each in (word, say(word))}
    if folded(text) not in spelled:
        names = ", ".join(map(say, choices))
        said = say("“{name}” cannot be chosen here; choose {names}.") if text else say("Choose {names}.")
        raise BadChoice(said.format(name=text[:40], names=names))
    return spelled[folded(text)]


def is_off(values: Sequence[str], say: Say) -> bool:
    """Whether nothing of one's own is wished."""
    words = ("off", "no", "none", "default", say("off"), say("no"), say("none"), say("default"))
    return folded(" ".join(values)) in map(folded, words)


def is_all(values: Sequence[str], say: Say) -> bool:
    """Whether a list is to be emptied, which filters nothing."""
    return folded(" ".join(values)) in ("all", folded(say("all")))


def without_switch(values: Sequence[str], say: Say) -> tuple[str, bool]:
    """The words before a last "on" or "off", and whether what they name is wished."""
    switches = {folded(each): wish for word, wish in SWITCH.items() for each in (word, say(word))}
    wish = switches.get(folded(values[-1])) if values else None
    return (" ".join(values), True) if wish is None else (" ".join(values[:-1]), wish)


def weekday_of(word: str, say: Say) -> int | None:
    """ "fri", "Fridays" or "vendredi" -> 4, or None."""
    beginning = folded(word).removesuffix("s")
    names = [(folded(day), folded(say(day))) for day in WEEKDAYS]
    found = (index for index, name in enumerate(names) if any(each.startswith(beginning) for each in name))
    return next(found, None) if len(beginning) > 2 else None


def clock_of(text: str, say: Say) -> str:
    """ "7", "7:30", "7h30" or "07:30" -> "07:30". Raises BadChoice."""
    hours, _, minutes = text.lower().replace("h", ":").partition(":")
    try:
        if not re.fullmatch(r"[0-9]+ [0-9]*", f"{hours} {minutes}"):
            raise ValueError
        return f"{time(int(hours[:3]), int(minutes[:3] or 0)):%H:%M}"
    except ValueError:
        said = say("“{name}” is no time of the day; write it like 22:30.")
        raise BadChoice(said.format(name=text[:20])) from None


def codes_in(text: str, there: Sequence[str], name_of: Callable[[str], str], unknown: str, say: Say) -> list[str]:
    """The codes of `there` that a list of codes and names names, with commas or without. Raises BadChoice, which says
    with `unknown` what was not understood, and what there is."""
    exact = {code.lower(): code for code in there}
    if text.lower() in exact:
        return [exact[text.lower()]]
    spelled = {folded(each): code for code in there for each in (code, name_of(code), say(name_of(code)))}
    words, codes, at = folded(text).split(), list[str](), 0
    while at < len(words):
        widths = range(len(words) - at, 0, -1)
        width = next((width for width in widths if " ".join(words[at : at + width]) in spelled), 0)
        if width:
            codes.append(spelled[" ".join(words[at : at + width])])
        elif words[at] not in BETWEEN or not codes:
            break
        at += width or 1
    if at == len(words) and codes:
        return codes
    rest = " ".join(words[at:]) if codes else text
    raise BadChoice(_not_understood(rest, spelled, lambda code: say(name_of(code)), unknown, say))


def _not_understood(text: str, spelled: Mapping[str, str], name: Callable[[str], str], unknown: str, say: Say) -> str:
    near = [
        get_close_matches(each[:40], spelled, n=1, cutoff=0.5) for each in (folded(text), *folded(text).split()[:1])
    ]
    close = next((name(spelled[found[0]]) for found in near if found), None)
    first = f"{unknown.format(name=text[:40])} " if text else ""
    if close:
        return first + say("Did you mean {names}?").format(names=close)
    names = ", ".join(dict.fromkeys(map(name, spelled.values())))
    return first + (say("There are: {names}.").format(names=names) if names else say("There is none to choose yet."))


def pairs_in(key: str, known: Known, text: str, there: Sequence[str]) -> list[str]:
    """The pairs that a list typed after `key` names, by codes or as /watch reads them, with commas or without. Raises
    BadChoice."""
    parties = parties_of(known.actors)
    if named := _pairs_named(text, {code.lower(): code for code in there}, parties):
        return named
    found = parties.pair(text)
    names = party_names(known.actors)
    said = pair_replies.no_pair(text, f"settings {key}", [names[code] for code in found.codes], found.meant, known.say)
    shown = ", ".join(f"{pair_name(pair, names)} ({pair})" for pair in there)
    in_the_news = known.say("In the news: {names}.").format(names=shown) if there else ""
    raise BadChoice(f"{said.plain} {in_the_news}".strip())


def _pairs_named(text: str, exact: Mapping[str, str], parties: Parties) -> list[str]:
    """Each word a pair, or what stands between commas, else all of it one; empty where nothing fits."""
    for split in (text.replace(",", " ").split(), text.split(","), [text]):
        parts = [part.strip() for part in split if part.strip()]
        pairs = [exact.get(part.lower()) or parties.pair(part).dyad for part in parts]
        if pairs and all(pairs):
            return [pair for pair in pairs if pair]
    return []
