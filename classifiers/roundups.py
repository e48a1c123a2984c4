"""A title -> what it tells: without the label of a live blog or briefing, in items where it tells of several things.

"Morning briefing: A, B and C" and "A; B; C" are several stories under one title. Each item is read by itself.
"""

import re

_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_LIVE_BEFORE = re.compile(
    r"^(?:live(?: updates?| blog| coverage)?|(?:[^\s:]+ ){1,6}live(?: updates?| blog| coverage)?|as it happened|"
    r"(?:breaking|latest|just in|developing))\s?(?::|\s[-–—|])\s+",
    re.IGNORECASE,
)
_LIVE_AFTER = re.compile(
    r"\s[-–—|]\s(?:live(?: updates?| blog)?|as it happened|(?:\w+ )?latest)$|,? as it happened$", re.I
)
_ROUNDUP = re.compile(
    rf"^(?:(?:the|your|our|{_DAY}|morning|evening|afternoon|midday|daily|weekly|weekend|world|global|news|first|"
    rf"{_DAY}['’]s|today['’]s|\d+-minute)\s){{0,4}}"
    r"(?:briefing|briefs?|round-?up|digest|bulletin|headlines|wrap(?:-up)?|newsletter|edition|top stories|"
    r"(?:news )?at a glance|in brief|news in brief|what (?:you need )?to know(?: today| this \w+)?|"
    r"(?:\w+ )?things to know(?: today| this \w+)?|what we['’]re (?:reading|watching)|the day in \w+ stories)"
    r"\s?(?::|\s[-–—|])\s+",
    re.IGNORECASE,
)
_AND = re.compile(r",?\s+(?:and|plus|&)\s+")
_LEAST_ITEMS = 3
_LEAST_WORDS = 3
MOST_ITEMS = 12


def told(title: str) -> tuple[str, ...]:
    """What a title tells, without its label: one text, or 2 to 12 items of a round-up; () for an empty title.

    Items stand between semicolons, or after a briefing's label between commas; without a label three are needed, each
    of three words, because "A says; B denies" is one story.
    """
    label = _ROUNDUP.match(title)
    bare = _LIVE_AFTER.sub("", _LIVE_BEFORE.sub("", title[label.end() :] if label else title)).strip()
    if not bare:
        return (title,) if title else ()
    items = [item.strip(" .") for item in bare.split(";") if item.strip(" .")]
    if label:
        items = items if len(items) > 1 else _between_commas(bare)
    elif len(items) < _LEAST_ITEMS or any(len(item.split()) < _LEAST_WORDS for item in items):
        items = [bare]
    return tuple(items[:MOST_ITEMS]) or (bare,)


def _between_commas(text: str) -> list[str]:
    """Items "A, B and C", each of two words or more; otherwise the text as it stands."""
    *items, last = (item.strip() for item in text.split(","))
    items += _AND.split(last, maxsplit=1) if items else [last]
    items = [re.sub(r"^(?:and|plus) ", "", item) for item in items]
    return items if all(len(item.split()) > 1 for item in items) else [text]
