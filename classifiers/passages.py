"""Document -> the title and sentences worth reading, in order, without outlet names, datelines and page furniture.

Lines are cleaned whole (furniture.py), then split into sentences; a title may tell of several things (roundups.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from classifiers.furniture import is_caption, story_lines
from classifiers.judgement import Document
from classifiers.roundups import told

Place = Literal["title", "lead", "body"]

MOST_PASSAGES = 30
_MOST_TITLE = 400
_MOST_TEXT = 12_000
_MOST_SENTENCE = 600

_SPACE = re.compile(r"\s+")
_SUFFIX = re.compile(r"^(?P<title>.+\S)\s+(?P<mark>[-–—|»·])\s+(?P<tail>[^-–—|»·]{2,40})$")
_OUTLET = re.compile(
    r"\b(?:news|times|post|daily|gazette|wire|herald|tribune|guardian|telegraph|reuters|bbc|cnn|npr|afp|ap|upi|dw|"
    r"rfi|"
    r"journal|review|chronicle|observer|mirror|sun|mail|independent|standard|star|today|week|monitor|mercury|"
    r"online|tv|radio|press|agency|magazine|insider|report|bulletin|argus|echo|courier|tidende|zeitung|broadcasting|"
    r"bloomberg|politico|axios|euronews|euractiv|ukrinform|interfax|tass|ria|xinhua|kyodo|yonhap|al jazeera|anadolu|"
    r"france 24|sky|fox|nbc|abc|cbs|cbc|rte|haaretz|asia|ledger|examiner|globe|world|eye)\b|"
    r"\.(?:com|org|net|co|uk|ru)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"\b(?:kremlin|pentagon|white house|state (?:dep\w*|tv|media)|ministry|minister|president|pm|nato|un|eu|idf|"
    r"army|officials?|sources?|"
    r"mediators?|police|monitors?|analysts?|experts?|poll|study|spokes\w+|intelligence|moscow|kyiv|kiev|beijing|"
    r"washington|tehran|ankara|seoul|pyongyang|tokyo|delhi|islamabad|says?|confirms?|denies|warns?)\b",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    r"^(?:[A-Z][A-Z'’.\-]+(?:[ /][A-Z][A-Z'’.\-]+){0,3})(?:,\s[^()–—-]{2,30})?\s?(?:\([^)]{2,30}\)\s*)?[-–—]{1,2}\s+"
)
_FURNITURE = re.compile(
    r"^(?:sign up|subscribe|read (?:more|also|next|the full)|click here|watch(?: live)?:|listen:|follow us|share this|"
    r"advert|related:|see also|more on this|also read|recommended|photo(?:graph)?s?:|picture:|image:|file photo|video:|"
    r"getty|reuters/|caption|copyright|©|all rights reserved|download (?:the|our)|join (?:us|our)|get (?:the|our) |"
    r"newsletter|this (?:article|story) (?:was|has been|is) |the post .* appeared first|continue reading|"
    r"reporting by|editing by|writing by|additional reporting|log in|create an account|support our|donate|"
    r"accept (?:all )?cookies|enable javascript|loading|comments?\b$|\[?…\]?$)|"
    r"(?:getty images|file photo|/(?:reuters|afp|ap)\b|\((?:ap|afp|reuters) photo.*\)|photograph: .{3,60})\.?$|"
    r"\b(?:our|the|free|daily|weekly|morning|evening) newsletters?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One text that is read by itself: the title or an item of it, the first sentence after it (lead), or one of the
    body."""

    text: str
    place: Place


def well_formed(text: str) -> str:
    """Text without lone surrogates, which JSON can carry and most libraries refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")


def headline(title: str, source: str = "") -> str:
    """A title on one line, without the outlet's name that feeds and search engines append ("... - Example Post")."""
    text = _SPACE.sub(" ", well_formed(title[:_MOST_TITLE])).strip()
    found = _SUFFIX.match(text)
    if not found or len(found["title"].split()) < 3:
        return text
    return found["title"] if _names_outlet(found["tail"], found["mark"], source) else text


def _names_outlet(tail: str, mark: str, source: str) -> bool:
    words = tail.split()
    if source and tail.casefold().replace(" ", "") in source.casefold().replace(" ", ""):
        return True
    if _SPEAKER.search(tail) and not _OUTLET.search(tail):
        return False
    capitalised = sum(word[:1].isupper() for word in words) >= (len(words) + 1) // 2
    return capitalised and len(words) <= 5 and (mark == "|" or bool(_OUTLET.search(tail)) or len(words) == 1)


def is_furniture(sentence: str) -> bool:
    """Whether a sentence belongs to the page and not to the story: sign-up lines, captions, credits, links."""
    return bool(_FURNITURE.search(sentence)) or is_caption(sentence) or not re.search(r"\w{2,}\W+\w+\W+\w+", sentence)


def sentences_of(text: str) -> list[str]:
    """Sentences of running text, split by sentencex, furniture and datelines dropped, each cut to a bounded length."""
    from sentencex import segment

    out: list[str] = []
    for line in story_lines(well_formed(text[:_MOST_TEXT])):
        for piece in segment("en", line):
            sentence = _DATELINE.sub("", piece.strip())[:_MOST_SENTENCE].strip()
            if not is_furniture(sentence):
                out.append(sentence)
    return out


def passages_of(document: Document, most: int = MOST_PASSAGES) -> list[Passage]:
    """At most `most` passages, the title first; a sentence that summary and text share is read once."""
    title = headline(document.title, document.source)
    passages = [Passage(item, "title") for item in told(title)]
    seen = {_key(title), *(_key(passage.text) for passage in passages)}
    for sentence in [*sentences_of(document.summary), *sentences_of(document.text)]:
        key = _key(sentence)
        if key in seen or len(passages) >= most:
            continue
        seen.add(key)
        leads = all(passage.place == "title" for passage in passages)
        passages.append(Passage(sentence, "lead" if leads else "body"))
    return passages


def is_roundup(passages: Sequence[Passage]) -> bool:
    """Whether the title tells of several things."""
    return sum(passage.place == "title" for passage in passages) > 1


def _key(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())[:80]
