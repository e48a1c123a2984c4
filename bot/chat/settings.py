"""What a chat chooses: the pages of /settings, what each button and each typed choice changes. Pure but for the row.

A button's data is "set:PAGE:KEY:VALUE" (at most 64 bytes); typed as "/settings KEY VALUE ..." it comes to the same.
Buttons carry the state that is wanted, never "the other one": after a crash Telegram sends a press again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from typing import TypeVar
from zoneinfo import available_timezones

from bot.messages.language import LANGUAGES
from config.schema import WEEKDAYS
from models import Level, Subscriber

T = TypeVar("T")
LEVELS = {level.word: level for level in Level if level is not Level.NONE}
BREAK_THROUGH = LEVELS | {"never": 4}
MOST_BUDGET = 100
SWITCH = {"on": True, "off": False}
OFF = ("off", "no", "none", "default")


class BadChoice(Exception):
    """A value that cannot be chosen; the message says what can."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to choose from: regions of the feeds, pairs in the news ("RU-UA"), all signals."""

    regions: Sequence[str]
    dyads: Sequence[str]
    signals: Sequence[str]


def values_of(key: str, data: str) -> list[str]:
    """What a button carries after its key, as somebody would type it: in lists the wanted state is the last word."""
    if key == "quiet":
        return data.split(" ")
    name, _, switch = data.rpartition(":")
    return [name, switch] if key in _LISTS and name and switch in SWITCH else [data]


def choose(subscriber: Subscriber, known: Known, key: str, values: Sequence[str]) -> None:
    """Change one choice of a subscriber. Raises BadChoice, and then changes nothing."""
    change = _CHANGES.get(key)
    if change is None:
        close = get_close_matches(key[:30], _CHANGES, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise BadChoice(f"There is no setting “{key[:30]}”.{hint} There are: {', '.join(_CHANGES)}.")
    change(subscriber, known, values)


def _level(field: str) -> Callable[[Subscriber, Known, Sequence[str]], None]:
    def change(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
        setattr(subscriber, field, _one_of(LEVELS, values))

    return change


def _break_through(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    subscriber.break_through = _one_of(BREAK_THROUGH, values)


def _switch(field: str) -> Callable[[Subscriber, Known, Sequence[str]], None]:
    def change(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
        setattr(subscriber, field, _one_of(SWITCH, values))

    return change


def _listed(field: str, choices: Callable[[Known], Sequence[str]], what: str) -> Callable[..., None]:
    """A list into which the values named are put, or with a last "off" taken out: an update that comes twice changes it
    once. "all" empties it, which filters nothing."""

    def change(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
        chosen = list(getattr(subscriber, field))
        if [value.lower() for value in values] == ["all"]:
            setattr(subscriber, field, [])
            return
        wanted = not values or values[-1].lower() != "off"
        there = {name.lower(): name for name in (*choices(known), *chosen)}
        named = [_found(value, there, what) for value in _without_switch(values) or ("",)]
        kept = [each for each in chosen if wanted or each not in named]
        setattr(subscriber, field, list(dict.fromkeys([*kept, *(named if wanted else ())])))

    return change


def _without_switch(values: Sequence[str]) -> Sequence[str]:
    return values[:-1] if values and values[-1].lower() in SWITCH else values


def _found(value: str, there: Mapping[str, str], what: str) -> str:
    """A value as it is spelled. Raises BadChoice, which says what there is."""
    if value.lower() in there:
        return there[value.lower()]
    close = get_close_matches(value.lower()[:40], there, n=1, cutoff=0.5)
    hint = f"Did you mean {there[close[0]]}?" if close else f"There are: {', '.join(there.values())}."
    raise BadChoice(f"“{value[:40]}” is no {what} here. {hint if there else 'There is none to choose yet.'}")


def _pairs(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    """To choose a pair ends its mute: it is to want to hear of it."""
    _listed("dyads", lambda known: known.dyads, "pair")(subscriber, known, values)
    if values[-1].lower() != "off":
        heard = {value.upper() for value in values}
        subscriber.muted_dyads = [pair for pair in subscriber.muted_dyads if pair.upper() not in heard]


def _quiet(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    if len(values) == 1 and values[0].lower() in OFF:
        subscriber.quiet_from = subscriber.quiet_until = None
        return
    if len(values) != 2:
        raise BadChoice("Quiet hours are two times of the day, such as 22:30 06:30, or off.")
    begins, ends = (_time(value) for value in values)
    if begins == ends:
        raise BadChoice("Quiet hours need a beginning and another end, such as 22:30 06:30.")
    subscriber.quiet_from, subscriber.quiet_until = begins, ends


def _timezone(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    name = "_".join(values)
    if name.lower() in OFF:
        subscriber.timezone = ""
        return
    zones = {zone.lower(): zone for zone in available_timezones()}
    if name.lower() not in zones:
        cities = {zone.rsplit("/")[-1]: zone for zone in sorted(zones)}
        close = [cities[city] for city in get_close_matches(name.lower()[:40].rsplit("/")[-1], cities, n=1)]
        hint = f" Did you mean {zones[close[0]]}?" if close else " Name it like Europe/Kyiv or Asia/Tokyo."
        raise BadChoice(f"“{name[:40]}” is no time zone.{hint}")
    subscriber.timezone = zones[name.lower()]


def _language(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    names = {name: code for code, name in LANGUAGES.items()}
    subscriber.language = _one_of({code: code for code in LANGUAGES} | names, values)


def _budget(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    word = values[0].lower() if len(values) == 1 else ""
    if word in OFF:
        subscriber.daily_budget = None
    elif word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= MOST_BUDGET:
        subscriber.daily_budget = int(word)
    else:
        raise BadChoice(f"The daily budget is a number of alerts from 1 to {MOST_BUDGET}, or default.")


def _digest_day(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    word = values[0].lower() if len(values) == 1 else ""
    if word in OFF:
        subscriber.digest_weekday = None
        return
    days = [index for index, day in enumerate(WEEKDAYS) if len(word) > 2 and day.startswith(word)]
    if not days:
        raise BadChoice(f"The digest comes on a day of the week: {', '.join(WEEKDAYS)}; or default.")
    subscriber.digest_weekday = days[0]


def _digest_time(subscriber: Subscriber, _known: Known, values: Sequence[str]) -> None:
    word = values[0].lower() if len(values) == 1 else ""
    subscriber.digest_at = None if word in OFF else _time(word)


def _one_of(choices: Mapping[str, T], values: Sequence[str]) -> T:
    word = values[0].lower() if len(values) == 1 else ""
    if word not in choices:
        raise BadChoice(f"“{' '.join(values)[:40]}” cannot be chosen here; choose {', '.join(choices)}.")
    return choices[word]


def _time(text: str) -> str:
    """ "7", "7:30" or "07:30" -> "07:30"."""
    hours, _, minutes = text.partition(":")
    if not (hours + minutes).isascii() or not hours.isdigit() or not (minutes or "0").isdigit():
        raise BadChoice(f"“{text[:20]}” is no time of the day; write it like 22:30.")
    try:
        return f"{time(int(hours[:3]), int(minutes[:3] or 0)):%H:%M}"
    except ValueError:
        raise BadChoice(f"“{text[:20]}” is no time of the day; write it like 22:30.") from None


_CHANGES: dict[str, Callable[[Subscriber, Known, Sequence[str]], None]] = {
    "escalation": _level("level_escalation"),
    "easing": _level("level_deescalation"),
    "regions": _listed("regions", lambda known: known.regions, "region"),
    "pairs": _pairs,
    "muted": _listed("muted_dyads", lambda known: known.dyads, "pair"),
    "signals": _listed("signals", lambda known: known.signals, "signal"),
    "quiet": _quiet,
    "through": _break_through,
    "timezone": _timezone,
    "language": _language,
    "budget": _budget,
    "digest": _switch("digest"),
    "day": _digest_day,
    "time": _digest_time,
    "silent": _switch("silent"),
    "previews": _switch("link_previews"),
}
"""Setting -> what changes it; the keys are what people type and what buttons carry."""
_LISTS = ("regions", "pairs", "muted", "signals")
