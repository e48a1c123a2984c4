"""What a chat chooses: the pages of /settings, what each button and each typed choice changes. Pure but for the row.

A button's data is "set:PAGE:KEY:VALUE" (at most 64 bytes); typed as "/settings KEY VALUE ..." it comes to the same.
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
OFF = ("off", "no", "none", "default")


class BadChoice(Exception):
    """A value that cannot be chosen; the message says what can."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to choose from: regions of the feeds, pairs in the news ("RU-UA"), all signals."""

    regions: Sequence[str]
    dyads: Sequence[str]
    signals: Sequence[str]


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
        setattr(subscriber, field, _one_of({"on": True, "off": False}, values))

    return change


def _toggled(field: str, choices: Callable[[Known], Sequence[str]], what: str) -> Callable[..., None]:
    """A list of which each value named is put in or taken out; "all" empties it, which filters nothing."""

    def change(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
        chosen = list(getattr(subscriber, field))
        if [value.lower() for value in values] == ["all"]:
            setattr(subscriber, field, [])
            return
        there = {name.lower(): name for name in (*choices(known), *chosen)}
        for value in values or ("",):
            name = there.get(value.lower())
            if name is None:
                close = get_close_matches(value.lower()[:40], there, n=1, cutoff=0.5)
                hint = f" Did you mean {there[close[0]]}?" if close else f" There are: {', '.join(there.values())}."
                raise BadChoice(f"“{value[:40]}” is no {what} here.{hint}")
            chosen = [each for each in chosen if each != name] if name in chosen else [*chosen, name]
        setattr(subscriber, field, chosen)

    return change


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
    "regions": _toggled("regions", lambda known: known.regions, "region"),
    "pairs": _toggled("dyads", lambda known: known.dyads, "pair"),
    "muted": _toggled("muted_dyads", lambda known: known.dyads, "pair"),
    "signals": _toggled("signals", lambda known: known.signals, "signal"),
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
