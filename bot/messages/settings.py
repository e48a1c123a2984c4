"""What a chat has chosen in, the pages of /settings with their buttons out. Pure.

The first page says all of it and leads to the others; a button's data is "set:PAGE:KEY:VALUE", and PAGE is shown next.
In lists VALUE ends with ":on" or ":off".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from bot.messages.alert import signal_name
from bot.messages.language import LANGUAGES, Say, in_language
from bot.messages.message import Button, Message, notice
from bot.messages.names import local_day, local_moment, pair_name, party_names, region_name
from config.schema import WEEKDAYS, Settings, SignalName
from models import Direction, Level, Subscriber

MAIN = "main"
DONE = "done"
_ZONES = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Kyiv",
    "Europe/Moscow",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Taipei",
    "Asia/Tokyo",
    "America/New_York",
    "America/Los_Angeles",
)
_LEVEL_WORDS = ("watch", "warning", "critical")
_DATA_LIMIT = 64
_MOST_CHOICES = 24
Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """Whose choices are shown, what there is to choose from, the feeds' regions and pairs in the news, and when their
    next digest comes."""

    subscriber: Subscriber
    settings: Settings
    regions: Sequence[str]
    dyads: Sequence[str]
    digest_at: datetime | None = None

    @property
    def say(self) -> Say:
        """Says an English text in the chat's language."""
        return in_language(self.subscriber.language)


def settings_page(page: str, offer: Offer, note: str = "") -> Message:
    """One page; an unknown one is the first. `note` is shown above, for instance why something was not changed."""
    text, rows = _PAGES.get(page, _main)(offer)
    if page == DONE:
        rows = ()
    elif page in _PAGES:
        rows = (*rows, (Button(offer.say("‹ Back"), f"set:{MAIN}"), Button(offer.say("Done"), f"set:{DONE}")))
    return notice(f"{note}\n\n{text}" if note else text, title="Settings", buttons=rows)


def summary(
    subscriber: Subscriber, settings: Settings, language: str | None = None, digest_at: datetime | None = None
) -> str:
    """Everything a chat has chosen, a line each, in its language unless another is named; `digest_at`: when its next
    digest comes."""
    say = in_language(language or subscriber.language)
    default = say("default")
    names = party_names(settings.actors)
    zone = subscriber.timezone or settings.digest.timezone
    budget = subscriber.daily_budget or f"{settings.alerts.telling.daily_budget} ({default})"
    lines = (
        (say("Escalation from"), Level(subscriber.level_escalation).word),
        (say("Easing from"), Level(subscriber.level_deescalation).word),
        (say("Regions"), ", ".join(say(region_name(region)) for region in subscriber.regions) or say("all")),
        (say("Pairs"), ", ".join(pair_name(pair, names) for pair in subscriber.dyads) or say("all")),
        (say("Muted pairs"), ", ".join(pair_name(pair, names) for pair in subscriber.muted_dyads)),
        (say("Signals"), ", ".join(say(signal_name(name)) for name in subscriber.signals) or say("all")),
        (say("Quiet hours"), _quiet_words(subscriber, say)),
        (say("Muted until"), local_moment(subscriber.muted_until, zone, say) if subscriber.muted_until else ""),
        (say("Time zone"), subscriber.timezone or f"{settings.digest.timezone} ({default})"),
        (say("Alerts a day"), say("at most {number}").format(number=budget)),
        (say("Digest"), _digest_words(subscriber, settings, digest_at, say)),
        (say("Sound"), say("off") if subscriber.silent else say("on")),
        (say("Link previews"), say("on") if subscriber.link_previews else say("off")),
    )
    return "\n".join(say("{name}: {value}").format(name=name, value=value) for name, value in lines if value)


def _quiet_words(subscriber: Subscriber, say: Say) -> str:
    if not subscriber.quiet_from:
        return say("none")
    through = Level(subscriber.break_through).word if subscriber.break_through <= Level.CRITICAL else say("nothing")
    hours = say("{begin} to {end}").format(begin=subscriber.quiet_from, end=subscriber.quiet_until)
    return f"{hours}, {say('broken by {level}').format(level=through)}"


def _digest_words(subscriber: Subscriber, settings: Settings, next_at: datetime | None, say: Say) -> str:
    if not subscriber.digest:
        return say("off")
    day = WEEKDAYS[subscriber.digest_weekday] if subscriber.digest_weekday is not None else settings.digest.weekday
    at = subscriber.digest_at or format(settings.digest.at, "%H:%M")
    when = say("{day}s at {time}").format(day=_day(day, say), time=at)
    if next_at is None:
        return when
    date = local_day(next_at, subscriber.timezone or settings.digest.timezone, say)
    return say("{when}, next on {date}").format(when=when, date=date)


def _day(name: str, say: Say) -> str:
    """A day of the week; only English begins it with a capital."""
    word = say(name)
    return name.capitalize() if word == name else word


def _main(offer: Offer) -> tuple[str, Rows]:
    say = offer.say
    names = {
        "levels": say("Levels"),
        "regions": say("Regions"),
        "pairs": say("Pairs"),
        "muted": say("Muted pairs"),
        "signals": say("Signals"),
        "quiet": say("Quiet hours"),
        "zone": say("Time zone"),
        "budget": say("Alerts a day"),
        "digest": say("Digest"),
        "looks": say("Sound, previews"),
        "language": "Language · Langue",  # for those who cannot read the present one
    }
    buttons = [Button(name, f"set:{page}") for page, name in names.items()]
    told = summary(offer.subscriber, offer.settings, digest_at=offer.digest_at)
    return told, (*in_rows(buttons, 2), (Button(say("Done"), f"set:{DONE}"),))


def _levels(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    rows = []
    for key, word, field in (("escalation", "⬆", "level_escalation"), ("easing", "⬇", "level_deescalation")):
        held = Level(getattr(subscriber, field)).word
        rows.append(tuple(_choice("levels", key, level, level == held, f"{word} {level}") for level in _LEVEL_WORDS))
    up, down = (settings.alerts.levels_for(way) for way in (Direction.ESCALATION, Direction.DEESCALATION))
    text = offer.say(
        "From which level on are you told? watch is a score of {watch:g}, warning {warning:g}, critical {critical:g}. "
        "⬆ escalation, ⬇ easing."
    ).format(**up.model_dump())
    of_easing = offer.say("Of easing watch is {watch:g}, warning {warning:g}, critical {critical:g}.")
    return text if up == down else f"{text} {of_easing.format(**down.model_dump())}", tuple(rows)


def _regions_page(offer: Offer) -> tuple[str, Rows]:
    text = offer.say(
        "Alerts about these parts of the world, by the feeds that report and the parties named. With pairs chosen "
        "too, either will do. None chosen: all."
    )
    return (
        text + _left_out("regions", offer.subscriber.regions, "/settings regions {} off", offer.say),
        _many("regions", offer.regions, offer.subscriber.regions, lambda region: offer.say(region_name(region)), offer),
    )


def _pairs(offer: Offer) -> tuple[str, Rows]:
    names = party_names(offer.settings.actors)
    text = offer.say("Which pairs of parties? These are in the news; /watch RU UA adds any other. None chosen: all.")
    return (
        text + _left_out("pairs", offer.subscriber.dyads, "/unwatch {}", offer.say),
        _many("pairs", offer.dyads, offer.subscriber.dyads, lambda pair: pair_name(pair, names), offer),
    )


def _muted(offer: Offer) -> tuple[str, Rows]:
    """The muted pairs, one tap each: here they are found again by who forgot their codes."""
    muted, names = offer.subscriber.muted_dyads, party_names(offer.settings.actors)
    text = offer.say("Nothing of these pairs is told here. Tap one to hear of it again.")
    text += _left_out("muted", muted, "/unmute {}", offer.say)
    shown = _with_button("muted", muted)
    buttons = [Button(f"🔇 {pair_name(pair, names)}", f"set:muted:muted:{pair}:off") for pair in shown]
    return text if muted else offer.say("No pair is muted. /mute RU UA mutes one."), in_rows(buttons, 2)


def _signals(offer: Offer) -> tuple[str, Rows]:
    subscriber = offer.subscriber
    names = get_args(SignalName)
    buttons = [
        _listed("signals", "signals", name, name in subscriber.signals, offer.say(signal_name(name))) for name in names
    ]
    return (
        offer.say("Which kinds of event? None chosen: all."),
        (*in_rows(buttons, 2), (_choice("signals", "signals", "all", not subscriber.signals, offer.say("all")),)),
    )


def _quiet(offer: Offer) -> tuple[str, Rows]:
    subscriber = offer.subscriber
    held = f"{subscriber.quiet_from} {subscriber.quiet_until}" if subscriber.quiet_from else "off"
    spans = dict.fromkeys(("off", "22:00 07:00", "23:00 07:00", "00:00 08:00", held))
    through = Level(subscriber.break_through).word if subscriber.break_through <= Level.CRITICAL else "never"
    words = {span: span.replace(" ", "–") for span in spans} | {"off": offer.say("off"), "never": offer.say("never")}
    zone = subscriber.timezone or offer.settings.digest.timezone
    return (
        offer.say(
            "In quiet hours alerts wait until they end, unless they reach the level below. They go by the clock of "
            "{zone}; /settings timezone Europe/Kyiv takes another. Other hours: /settings quiet 22:30 06:30"
        ).format(zone=zone),
        (
            *in_rows(
                [
                    _choice("quiet", "quiet", each, each == held, words.get(each, each.replace(" ", "–")))
                    for each in spans
                ],
                2,
            ),
            tuple(
                _choice("quiet", "through", word, word == through, words.get(word, word))
                for word in (*_LEVEL_WORDS[1:], "never")
            ),
        ),
    )


def _zone(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    zones = dict.fromkeys((*_ZONES, subscriber.timezone or _ZONES[0]))
    buttons = [_choice("zone", "timezone", zone, zone == subscriber.timezone, zone.rsplit("/")[-1]) for zone in zones]
    default = _choice(
        "zone", "timezone", "default", not subscriber.timezone, f"{offer.say('default')} ({settings.digest.timezone})"
    )
    return offer.say("Whose clock for quiet hours and digest? Any other: /settings timezone Asia/Seoul"), (
        *in_rows(buttons, 3),
        (default,),
    )


def _budget(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    held = str(subscriber.daily_budget) if subscriber.daily_budget else "default"
    default = settings.alerts.telling.daily_budget
    numbers = sorted({1, 3, 5, 10, 20, subscriber.daily_budget or 1})
    words = {str(number): str(number) for number in numbers} | {"default": f"{offer.say('default')} ({default})"}
    return (
        offer.say(
            "At most how many alerts in 24 hours? Greater ones go first; a story that becomes critical is told even so."
        ),
        tuple(in_rows([_choice("budget", "budget", key, key == held, word) for key, word in words.items()], 3)),
    )


def _digest(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    at = subscriber.digest_at or f"{settings.digest.at:%H:%M}"
    clocks = sorted({"07:00", "08:00", "18:00", "20:00", at})
    day = WEEKDAYS[subscriber.digest_weekday] if subscriber.digest_weekday is not None else settings.digest.weekday
    when = _digest_words(subscriber, settings, offer.digest_at, offer.say)
    return offer.say("The weekly digest: {when}. Any time: /settings time 18:45").format(when=when), (
        tuple(_choice("digest", "digest", key, held == subscriber.digest, word) for key, held, word in _switch(offer)),
        *in_rows([_choice("digest", "day", name, name == day, _day(name, offer.say)[:3]) for name in WEEKDAYS], 4),
        tuple(_choice("digest", "time", clock, clock == at, clock) for clock in clocks),
    )


def _looks(offer: Offer) -> tuple[str, Rows]:
    subscriber, rows = offer.subscriber, []
    for key, name, chosen in (
        ("silent", offer.say("silent"), subscriber.silent),
        ("previews", offer.say("previews"), subscriber.link_previews),
    ):
        rows.append(
            tuple(_choice("looks", key, on, held == chosen, f"{name}: {word}") for on, held, word in _switch(offer))
        )
    text = offer.say("Silent messages arrive without a sound. Link previews show the first article's picture.")
    return text, tuple(rows)


def _switch(offer: Offer) -> tuple[tuple[str, bool, str], ...]:
    return ("on", True, offer.say("on")), ("off", False, offer.say("off"))


def _language(offer: Offer) -> tuple[str, Rows]:
    chosen = offer.subscriber.language
    buttons = [_choice("language", "language", code, code == chosen, name) for code, name in LANGUAGES.items()]
    return offer.say("Settings, /help and /status speak this language; news and alerts are English."), (tuple(buttons),)


def in_rows(buttons: Sequence[Button], width: int) -> Rows:
    """Buttons side by side, `width` of them a row; the last row may have fewer."""
    return tuple(tuple(buttons[start : start + width]) for start in range(0, len(buttons), width))


def _many(page: str, there: Iterable[str], chosen: Sequence[str], name_of: Callable[[str], str], offer: Offer) -> Rows:
    """What is chosen and what there is besides, by name, two a row: a phone cuts longer ones off."""
    codes = _with_button(page, list(dict.fromkeys([*chosen, *there])))
    buttons = [_listed(page, page, code, code in chosen, name_of(code)) for code in codes]
    return (*in_rows(buttons, 2), (_choice(page, page, "all", not chosen, offer.say("all")),))


def _with_button(page: str, codes: Sequence[str]) -> list[str]:
    """As many as a page has room for, without those that a button cannot carry."""
    return [code for code in codes[:_MOST_CHOICES] if len(f"set:{page}:{page}:{code}:off".encode()) <= _DATA_LIMIT]


def _left_out(page: str, chosen: Sequence[str], command: str, say: Say) -> str:
    """How many of those chosen have no button, and the `command` that takes the first of them off; "" for none."""
    shown = _with_button(page, chosen)
    rest = [code for code in chosen if code not in shown]
    if not rest:
        return ""
    said = say("{number} more have no button here: /settings lists them, and {command} takes one off.")
    return "\n\n" + said.format(number=len(rest), command=command.format(rest[0]))


def _choice(page: str, key: str, value: str, chosen: bool, words: str) -> Button:
    return Button(f"● {words}" if chosen else words, f"set:{page}:{key}:{value}")


def _listed(page: str, key: str, value: str, chosen: bool, words: str) -> Button:
    """A press asks for the other state by its name: pressed twice, or delivered twice, it does not turn back."""
    return _choice(page, key, f"{value}:{'off' if chosen else 'on'}", chosen, words)


def _done(offer: Offer) -> tuple[str, Rows]:
    saved = offer.say("Saved. /settings opens this again.")
    if offer.subscriber.kind == "channel":  # it stays before the readers
        return saved, ()
    return f"{saved}\n\n{summary(offer.subscriber, offer.settings, digest_at=offer.digest_at)}", ()


_PAGES: dict[str, Callable[[Offer], tuple[str, Rows]]] = {
    "levels": _levels,
    "regions": _regions_page,
    "pairs": _pairs,
    "muted": _muted,
    "signals": _signals,
    "quiet": _quiet,
    "zone": _zone,
    "budget": _budget,
    "digest": _digest,
    "looks": _looks,
    "language": _language,
    DONE: _done,
}
