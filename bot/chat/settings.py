"""What a chat chooses: the pages of /settings, what each button and each typed choice changes. Pure but for the row.

A button's data is "set:PAGE:KEY:VALUE" (at most 64 bytes); typed as "/settings KEY VALUE ..." it comes to the same.
Buttons carry the state that is wanted, never "the other one": after a crash Telegram sends a press again.
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from zoneinfo import available_timezones

from bot.chat.typed import (
    SWITCH,
    BadChoice,
    Known,
    clock_of,
    codes_in,
    is_all,
    is_off,
    one_of,
    pairs_in,
    weekday_of,
    without_switch,
)
from bot.messages.alert import signal_name
from bot.messages.language import LANGUAGES, Say
from bot.messages.names import region_name
from config.schema import WEEKDAYS
from models import Level, Subscriber

LEVELS = {level.word: level for level in Level if level is not Level.NONE}
BREAK_THROUGH = LEVELS | {"never": 4}
MOST_BUDGET = 100
Change = Callable[[Subscriber, Known, Sequence[str]], None]


def values_of(key: str, data: str) -> list[str]:
    """What a button carries after its key, as somebody would type it: in lists the wanted state is the last word."""
    if key == "quiet":
        return data.split(" ")
    name, _, switch = data.rpartition(":")
    return [name, switch] if key in _LISTS and name and switch in SWITCH else [data]


def choose(subscriber: Subscriber, known: Known, key: str, values: Sequence[str]) -> None:
    """Change one choice of a subscriber. Raises BadChoice, and then changes nothing."""
    change, say = _CHANGES.get(key), known.say
    if change is None:
        close = get_close_matches(key[:30], _CHANGES, n=1, cutoff=0.5)
        said = [say("There is no setting “{name}”.").format(name=key[:30])]
        said.append(say("Did you mean {names}?").format(names=close[0]) if close else "")
        said.append(say("There are: {names}.").format(names=", ".join(_CHANGES)))
        raise BadChoice(" ".join(filter(None, said)))
    change(subscriber, known, values)


def _level(field: str) -> Change:
    def change(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
        setattr(subscriber, field, one_of(LEVELS, values, known.say))

    return change


def _break_through(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    subscriber.break_through = one_of(BREAK_THROUGH, values, known.say)


def _switch(field: str) -> Change:
    def change(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
        setattr(subscriber, field, one_of(SWITCH, values, known.say))

    return change


def _digest(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    try:
        subscriber.digest = one_of(SWITCH, values, known.say)
    except BadChoice as error:
        apart = known.say("Day and time are chosen apart: /settings day friday, /settings time 18:45")
        raise BadChoice(f"{error} {apart}") from None


def _regions(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    def named(text: str, there: Sequence[str]) -> list[str]:
        return codes_in(text, there, region_name, known.say("“{name}” is no region here."), known.say)

    _put(subscriber, "regions", known.regions, named, known.say, values)


def _signals(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    def named(text: str, there: Sequence[str]) -> list[str]:
        return codes_in(text, there, signal_name, known.say("“{name}” is no signal here."), known.say)

    _put(subscriber, "signals", known.signals, named, known.say, values)


def _pairs(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    """To choose a pair ends its mute: it is to want to hear of it."""
    heard = _put(subscriber, "dyads", known.dyads, partial(pairs_in, "pairs", known), known.say, values)
    subscriber.muted_dyads = [pair for pair in subscriber.muted_dyads if pair not in heard]


def _muted(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    _put(subscriber, "muted_dyads", known.dyads, partial(pairs_in, "muted", known), known.say, values)


def _put(
    subscriber: Subscriber,
    field: str,
    there: Sequence[str],
    named: Callable[[str, Sequence[str]], list[str]],
    say: Say,
    values: Sequence[str],
) -> list[str]:
    """Put those named into a list and return them, or with a last "off" take them out: an update that comes twice
    changes it once. "all" empties it, which filters nothing."""
    if is_all(values, say):
        setattr(subscriber, field, [])
        return []
    chosen, (text, wanted) = list(getattr(subscriber, field)), without_switch(values, say)
    meant = named(text, list(dict.fromkeys((*there, *chosen))))
    kept = [each for each in chosen if wanted or each not in meant]
    setattr(subscriber, field, list(dict.fromkeys([*kept, *(meant if wanted else ())])))
    return meant if wanted else []


def _quiet(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    """Two times, also as the pages show them: "22:30–06:30", "22:30 to 06:30"."""
    say = known.say
    if is_off(values, say):
        subscriber.quiet_from = subscriber.quiet_until = None
        return
    between = {*say("{begin} to {end}").split(), "to"}
    times = [each for each in re.split(r"[\s–-]+", " ".join(values)) if each and each.lower() not in between]
    if len(times) != 2:
        raise BadChoice(say("Quiet hours are two times of the day, such as 22:30 06:30, or off."))
    begins, ends = (clock_of(each, say) for each in times)
    if begins == ends:
        raise BadChoice(say("Quiet hours need a beginning and another end, such as 22:30 06:30."))
    subscriber.quiet_from, subscriber.quiet_until = begins, ends


def _timezone(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    name, say = "_".join(values), known.say
    if is_off(values, say):
        subscriber.timezone = ""
        return
    zones = {zone.lower(): zone for zone in available_timezones()}
    if name.lower() not in zones:
        cities = {zone.rsplit("/")[-1]: zone for zone in sorted(zones)}
        close = [cities[city] for city in get_close_matches(name.lower()[:40].rsplit("/")[-1], cities, n=1)]
        hint = say("Did you mean {names}?").format(names=zones[close[0]]) if close else ""
        hint = hint or say("Name it like Europe/Kyiv or Asia/Tokyo.")
        raise BadChoice(f"{say('“{name}” is no time zone.').format(name=name[:40])} {hint}")
    subscriber.timezone = zones[name.lower()]


def _language(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    names = {name: code for code, name in LANGUAGES.items()}
    subscriber.language = one_of({code: code for code in LANGUAGES} | names, values, known.say)


def _budget(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    word = " ".join(values)
    if is_off(values, known.say):
        subscriber.daily_budget = None
    elif word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= MOST_BUDGET:
        subscriber.daily_budget = int(word)
    else:
        said = known.say("The daily budget is a number of alerts from 1 to {most}, or default.")
        raise BadChoice(said.format(most=MOST_BUDGET))


def _digest_day(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    say, day = known.say, weekday_of(" ".join(values), known.say)
    if day is None and not is_off(values, say):
        said = say("The digest comes on a day of the week: {names}; or default.")
        raise BadChoice(said.format(names=", ".join(map(say, WEEKDAYS))))
    subscriber.digest_weekday = day


def _digest_time(subscriber: Subscriber, known: Known, values: Sequence[str]) -> None:
    subscriber.digest_at = None if is_off(values, known.say) else clock_of(" ".join(values), known.say)


_CHANGES: dict[str, Change] = {
    "escalation": _level("level_escalation"),
    "easing": _level("level_deescalation"),
    "regions": _regions,
    "pairs": _pairs,
    "muted": _muted,
    "signals": _signals,
    "quiet": _quiet,
    "through": _break_through,
    "timezone": _timezone,
    "language": _language,
    "budget": _budget,
    "digest": _digest,
    "day": _digest_day,
    "time": _digest_time,
    "silent": _switch("silent"),
    "previews": _switch("link_previews"),
}
"""Setting -> what changes it; the keys are what people type and what buttons carry."""
_LISTS = ("regions", "pairs", "muted", "signals")
