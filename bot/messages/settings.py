"""What a chat has chosen in, the pages of /settings with their buttons out. Pure.

The first page says all of it and leads to the others; a button's data is "set:PAGE:KEY:VALUE", and PAGE is shown next.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from bot.messages.alert import signal_name
from bot.messages.message import Button, Message, notice
from config.schema import WEEKDAYS, Settings, SignalName
from models import Level, Subscriber

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
    """Whose choices are shown, and what there is to choose from: the feeds' regions, and pairs in the news."""

    subscriber: Subscriber
    settings: Settings
    regions: Sequence[str]
    dyads: Sequence[str]


def settings_page(page: str, offer: Offer, note: str = "") -> Message:
    """One page; an unknown one is the first. `note` is shown above, for instance why something was not changed."""
    text, rows = _PAGES.get(page, _main)(offer)
    if page == DONE:
        rows = ()
    elif page in _PAGES:
        rows = (*rows, (Button("‹ Back", f"set:{MAIN}"), Button("Done", f"set:{DONE}")))
    return notice(f"{note}\n\n{text}" if note else text, title="Settings", buttons=rows)


def summary(subscriber: Subscriber, settings: Settings) -> str:
    """Everything a chat has chosen, a line each."""
    quiet = f"{subscriber.quiet_from} to {subscriber.quiet_until}" if subscriber.quiet_from else "none"
    through = Level(subscriber.break_through).word if subscriber.break_through <= Level.CRITICAL else "nothing"
    zone = subscriber.timezone or f"{settings.digest.timezone} (default)"
    budget = subscriber.daily_budget or f"{settings.alerts.telling.daily_budget} (default)"
    return "\n".join(
        (
            f"Escalation from: {Level(subscriber.level_escalation).word}",
            f"Easing from: {Level(subscriber.level_deescalation).word}",
            f"Regions: {', '.join(subscriber.regions) or 'all'}",
            f"Pairs: {', '.join(subscriber.dyads) or 'all'}",
            *([f"Muted pairs: {', '.join(subscriber.muted_dyads)}"] if subscriber.muted_dyads else []),
            f"Signals: {', '.join(map(signal_name, subscriber.signals)) or 'all'}",
            f"Quiet hours: {quiet}" + (f", broken by {through}" if subscriber.quiet_from else ""),
            *([f"Muted until: {subscriber.muted_until:%d %b %H:%M} UTC"] if subscriber.muted_until else []),
            f"Time zone: {zone}",
            f"Alerts a day: at most {budget}",
            f"Digest: {_digest_words(subscriber, settings)}",
            f"Sound: {'off' if subscriber.silent else 'on'}",
            f"Link previews: {'on' if subscriber.link_previews else 'off'}",
        )
    )


def _digest_words(subscriber: Subscriber, settings: Settings) -> str:
    if not subscriber.digest:
        return "off"
    day = WEEKDAYS[subscriber.digest_weekday] if subscriber.digest_weekday is not None else settings.digest.weekday
    return f"{day}s at {subscriber.digest_at or format(settings.digest.at, '%H:%M')}"


def _main(offer: Offer) -> tuple[str, Rows]:
    names = {
        "levels": "Levels",
        "regions": "Regions",
        "pairs": "Pairs",
        "signals": "Signals",
        "quiet": "Quiet hours",
        "zone": "Time zone",
        "budget": "Alerts a day",
        "digest": "Digest",
        "looks": "Sound, previews",
    }
    buttons = [Button(name, f"set:{page}") for page, name in names.items()]
    return summary(offer.subscriber, offer.settings), (*_in_rows(buttons, 2), (Button("Done", f"set:{DONE}"),))


def _levels(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    rows = []
    for key, word, field in (("escalation", "⬆", "level_escalation"), ("easing", "⬇", "level_deescalation")):
        held = Level(getattr(subscriber, field)).word
        rows.append(tuple(_choice("levels", key, level, level == held, f"{word} {level}") for level in _LEVEL_WORDS))
    at = settings.alerts.levels
    return (
        f"From which level on are you told? watch is a score of {at.watch:g}, warning {at.warning:g}, "
        f"critical {at.critical:g}. ⬆ escalation, ⬇ easing.",
        tuple(rows),
    )


def _regions_page(offer: Offer) -> tuple[str, Rows]:
    return (
        "Which regions? With pairs chosen too, either will do. None chosen: all.",
        _many("regions", "regions", offer.regions, offer.subscriber.regions),
    )


def _pairs(offer: Offer) -> tuple[str, Rows]:
    return (
        "Which pairs of parties? These are in the news; /watch RU UA adds any other. None chosen: all.",
        _many("pairs", "pairs", offer.dyads, offer.subscriber.dyads),
    )


def _signals(offer: Offer) -> tuple[str, Rows]:
    subscriber = offer.subscriber
    names = get_args(SignalName)
    buttons = [_choice("signals", "signals", name, name in subscriber.signals, signal_name(name)) for name in names]
    return (
        "Which kinds of event? None chosen: all.",
        (*_in_rows(buttons, 2), (_choice("signals", "signals", "all", not subscriber.signals, "all"),)),
    )


def _quiet(offer: Offer) -> tuple[str, Rows]:
    subscriber = offer.subscriber
    held = f"{subscriber.quiet_from} {subscriber.quiet_until}" if subscriber.quiet_from else "off"
    spans = ("off", "22:00 07:00", "23:00 07:00", "00:00 08:00")
    through = Level(subscriber.break_through).word if subscriber.break_through <= Level.CRITICAL else "never"
    return (
        "In quiet hours alerts wait until they end, unless they reach the level below. "
        "Other hours: /settings quiet 22:30 06:30",
        (
            *_in_rows([_choice("quiet", "quiet", span, span == held, span.replace(" ", "–")) for span in spans], 2),
            tuple(_choice("quiet", "through", word, word == through, word) for word in (*_LEVEL_WORDS[1:], "never")),
        ),
    )


def _zone(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    buttons = [_choice("zone", "timezone", zone, zone == subscriber.timezone, zone.rsplit("/")[-1]) for zone in _ZONES]
    default = _choice("zone", "timezone", "default", not subscriber.timezone, f"default ({settings.digest.timezone})")
    return "Whose clock for quiet hours and digest? Any other: /settings timezone Asia/Seoul", (
        *_in_rows(buttons, 3),
        (default,),
    )


def _budget(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    held = str(subscriber.daily_budget) if subscriber.daily_budget else "default"
    default = settings.alerts.telling.daily_budget
    words = {str(number): str(number) for number in (1, 3, 5, 10, 20)} | {"default": f"default ({default})"}
    return (
        "At most how many alerts in 24 hours? Greater ones go first; a story that becomes critical is told even so.",
        tuple(_in_rows([_choice("budget", "budget", key, key == held, word) for key, word in words.items()], 3)),
    )


def _digest(offer: Offer) -> tuple[str, Rows]:
    subscriber, settings = offer.subscriber, offer.settings
    at = subscriber.digest_at or f"{settings.digest.at:%H:%M}"
    day = WEEKDAYS[subscriber.digest_weekday] if subscriber.digest_weekday is not None else settings.digest.weekday
    return f"The weekly digest comes {_digest_words(subscriber, settings)}. Any time: /settings time 18:45", (
        tuple(_choice("digest", "digest", word, (word == "on") == subscriber.digest, word) for word in ("on", "off")),
        *_in_rows([_choice("digest", "day", name, name == day, name[:3]) for name in WEEKDAYS], 4),
        tuple(_choice("digest", "time", clock, clock == at, clock) for clock in ("07:00", "08:00", "18:00", "20:00")),
    )


def _looks(offer: Offer) -> tuple[str, Rows]:
    subscriber = offer.subscriber
    rows = []
    for key, name, held in (
        ("silent", "silent", subscriber.silent),
        ("previews", "previews", subscriber.link_previews),
    ):
        rows.append(
            tuple(_choice("looks", key, word, (word == "on") == held, f"{name} {word}") for word in ("on", "off"))
        )
    return "Silent messages arrive without a sound. Link previews show the first article's picture.", tuple(rows)


def _in_rows(buttons: Sequence[Button], width: int) -> Rows:
    return tuple(tuple(buttons[start : start + width]) for start in range(0, len(buttons), width))


def _many(page: str, key: str, there: Iterable[str], chosen: Sequence[str]) -> Rows:
    names = list(dict.fromkeys([*chosen, *there]))[:_MOST_CHOICES]
    buttons = [_choice(page, key, name, name in chosen, name) for name in names]
    fitting = [button for button in buttons if len(button.data.encode()) <= _DATA_LIMIT]
    return (*_in_rows(fitting, 3), (_choice(page, key, "all", not chosen, "all"),))


def _choice(page: str, key: str, value: str, chosen: bool, words: str) -> Button:
    return Button(f"● {words}" if chosen else words, f"set:{page}:{key}:{value}")


def _done(offer: Offer) -> tuple[str, Rows]:
    return f"Saved. /settings opens this again.\n\n{summary(offer.subscriber, offer.settings)}", ()


_PAGES: dict[str, Callable[[Offer], tuple[str, Rows]]] = {
    "levels": _levels,
    "regions": _regions_page,
    "pairs": _pairs,
    "signals": _signals,
    "quiet": _quiet,
    "zone": _zone,
    "budget": _budget,
    "digest": _digest,
    "looks": _looks,
    DONE: _done,
}
