"""/admin, Feeds, Edit: a value pressed or typed in; a feed of another publisher, family, region, weight or pace out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bot import changes
from bot.chat.admin_call import Call, Reply, page
from bot.chat.feed_lines import Line, entry_key, feed_named
from bot.feeds.newcomer import LONGEST_NAME, of_same_site, offered_regions, regions_in, slug
from bot.messages.lines import one_line
from bot.messages.message import Button
from bot.messages.names import region_name
from bot.messages.settings import in_rows
from config.errors import ConfigError
from config.load import load_file
from config.schema import FeedEntry, Feeds
from config.sites import site_of

LONGEST_REGION = 24
MOST_CHOICES = 24
SHORT = 14  # letters of a button of which a phone shows three a row
LONGEST_DATA = 64
NOTHING = "none"
WEIGHTS = (0.5, 0.8, 0.9, 1.0, 1.2, 1.5)
PACES = (5, 10, 15, 30, 60, 120)


@dataclass(frozen=True, slots=True)
class Trait:
    """Something of a feed to edit: its key in feeds.toml, what is asked, values to press, and how a value is read.

    `read` gives what the file is to hold, None for nothing. Raises ConfigError.
    """

    key: str
    question: str
    choices: Callable[[FeedEntry, Feeds], Sequence[tuple[str, str]]]  # words, value
    read: Callable[[str, FeedEntry, Feeds], Any]


def edit_button(entry: FeedEntry) -> Button:
    """Leads to the page."""
    return Button("Edit", f"adm:feeds:edit:{entry_key(entry.url)}")


def traits(entry: FeedEntry) -> list[str]:
    """What can be edited, a line each."""
    heard = ", ".join(region_name(region) for region in entry.regions)
    pace = f"{entry.interval_minutes} minutes or more" if entry.interval_minutes else "as service.toml says"
    return [
        f"publisher: {one_line(entry.publisher) or NOTHING}",
        f"family: {entry.family or NOTHING}",
        f"regions: {one_line(heard, 300) or 'none; whoever chose regions does not hear it'}",
        f"weight: {entry.weight:g}",
        f"interval: {pace}",
    ]


# Pages ----------------------------------------------------------------------------------------------------------------


async def _edit(call: Call) -> Reply:
    return _edit_page(await feed_named(call))


def _edit_page(line: Line, head: str = "", undo: int | None = None) -> Reply:
    text = [head, line.name, line.entry.url, "", *traits(line.entry)]
    buttons = [Button(name.capitalize(), f"adm:feeds:trait:{line.key}:{name}") for name in TRAITS]
    back = [Button("Undo", f"adm:log:undo:{undo}")] if undo is not None else []
    shown = "\n".join(text if head else text[1:])
    return page(shown, (*in_rows(buttons, 3), back), back=f"feeds:one:{line.key}")


async def _trait(call: Call) -> Reply:
    """One trait, with what can be pressed for it."""
    return _trait_page(call, await feed_named(call), _named(call))


def _trait_page(call: Call, line: Line, name: str) -> Reply:
    trait, feeds = TRAITS[name], load_file(call.tools.folder, "feeds")
    buttons = [
        Button(words, data)
        for words, value in trait.choices(line.entry, feeds)
        if len((data := f"adm:feeds:put:{line.key}:{name}:{value}").encode()) <= LONGEST_DATA
    ]
    a_row = 3 if all(len(button.text) <= SHORT for button in buttons) else 2  # a phone cuts longer ones off
    rows = (*in_rows(buttons[:MOST_CHOICES], a_row), [Button("Type it", f"adm:feeds:type:{line.key}:{name}")])
    now = next(text for text in traits(line.entry) if text.startswith(f"{name}:"))
    return page(f"{line.name}\n{now}\n\n{trait.question}", rows, back=f"feeds:edit:{line.key}")


def _named(call: Call) -> str:
    name = call.args[1] if len(call.args) > 1 else ""
    if name not in TRAITS:
        raise ConfigError(f"a feed has no {one_line(name, 30)!r} to edit")
    return name


async def _type(call: Call) -> Reply:
    line, name = await feed_named(call), _named(call)
    text = f"{line.name}\n{TRAITS[name].question}\n\nSend me the value, or: {NOTHING}"
    return await call.ask("feeds", "put", text, (line.key, name), back=f"feeds:edit:{line.key}")


async def _put(call: Call) -> Reply:
    """A value that was pressed or typed."""
    line, name, folder = await feed_named(call), _named(call), call.tools.folder
    trait, typed = TRAITS[name], ":".join(call.args[2:]).strip()
    if not typed:
        raise ConfigError("a value is needed")
    value = None if typed.lower() == NOTHING else trait.read(typed, line.entry, load_file(folder, "feeds"))
    done = await call.desk.decide(
        lambda s, _cfg, now: changes.change_feed(s, folder, call.who, line.entry.url, {trait.key: value}, now)
    )
    await call.tools.reload()
    line = await feed_named(call)
    if name == "regions" and done is not None:  # several are chosen one after the other
        return _trait_page(call, line, name)
    return _edit_page(line, "Done." if done else "It was so already.", done.id if done else None)


# Values ---------------------------------------------------------------------------------------------------------------


def _publishers(entry: FeedEntry, feeds: Feeds) -> list[tuple[str, str]]:
    names = [each.publisher for each in of_same_site(entry.url, feeds.feeds)] + [site_of(entry.url)]
    return [(name, name) for name in dict.fromkeys(names) if name and name != entry.publisher]


def _publisher(text: str, _entry: FeedEntry, _feeds: Feeds) -> str:
    return one_line(text, LONGEST_NAME)


def _families(entry: FeedEntry, feeds: Feeds) -> list[tuple[str, str]]:
    """Those of the same site first: there may be too many to show."""
    near = [each.family for each in of_same_site(entry.url, feeds.feeds) if each.family]
    keys = [key for key in dict.fromkeys([*near, *feeds.families]) if key != entry.family]
    none = [(NOTHING, NOTHING)] if entry.family else []
    return [*none, *((feeds.families[key].name, key) for key in keys)]


def _family(text: str, _entry: FeedEntry, feeds: Feeds) -> str:
    """By key or by name."""
    for key, family in feeds.families.items():
        if text.casefold() in (key.casefold(), family.name.casefold()):
            return key
    raise ConfigError(
        f"feeds.toml has no family {one_line(text, 60)!r}; feeds with the same publisher count as one source as well"
    )


def _regions(entry: FeedEntry, feeds: Feeds) -> list[tuple[str, str]]:
    """A press adds one or takes it out."""
    chosen = entry.regions
    regions = [(f"● {region_name(code)}" if code in chosen else region_name(code), f"±{code}") for code in _all(feeds)]
    return [*regions, *([(NOTHING, NOTHING)] if chosen else [])]


def _all(feeds: Feeds) -> list[str]:
    return offered_regions(feeds.feeds)


def _regions_of(text: str, entry: FeedEntry, feeds: Feeds) -> list[str] | None:
    """Typed: all of them. One that no feed names yet is taken as it is written."""
    if text.startswith("±"):
        pressed = text[1:]
        kept = [region for region in entry.regions if region != pressed]
        return (kept if pressed in entry.regions else [*entry.regions, pressed]) or None
    found = [(regions_in(part, _all(feeds)) or (slug(part),))[0] for part in text.split(",")]
    for region in found:
        if not 0 < len(region) <= LONGEST_REGION:
            raise ConfigError(f"a region is 1 to {LONGEST_REGION} letters, digits and hyphens, got {region[:60]!r}")
    return list(dict.fromkeys(found))


def _weight(text: str, _entry: FeedEntry, _feeds: Feeds) -> float | None:
    try:
        weight = float(text.replace(",", "."))
    except ValueError:
        raise ConfigError(f"a weight is a number from 0.1 to 2, got {one_line(text, 30)!r}") from None
    return None if weight == 1 else weight


def _interval(text: str, _entry: FeedEntry, _feeds: Feeds) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise ConfigError(f"an interval is whole minutes from 5 to 1440, got {one_line(text, 30)!r}")
    return int(text)


TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "publisher": Trait(
            "publisher",
            "Who publishes it? Feeds with the same publisher count as one source.",
            _publishers,
            _publisher,
        ),
        "family": Trait(
            "family",
            "Which publisher family? All outlets of a family count as one source.",
            _families,
            _family,
        ),
        "regions": Trait(
            "regions",
            "Which regions is it about? Whoever chose regions hears only feeds that name one. Typed: europe, caucasus",
            _regions,
            _regions_of,
        ),
        "weight": Trait(
            "weight",
            "How much do its reports count? 0.1 to 2; 1 is usual.",
            lambda _entry, _feeds: [(f"{weight:g}", f"{weight:g}") for weight in WEIGHTS],
            _weight,
        ),
        "interval": Trait(
            "interval_minutes",
            "How often at most is it asked, in minutes? 5 to 1440.",
            lambda _entry, _feeds: [*((f"{pace}", f"{pace}") for pace in PACES), ("as usual", NOTHING)],
            _interval,
        ),
    }
)
EDITING: Mapping[str, Callable[[Call], Awaitable[Reply]]] = MappingProxyType(
    {"edit": _edit, "trait": _trait, "type": _type, "put": _put}
)
