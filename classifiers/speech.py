"""sentences -> who speaks in each, and where one sentence holds the words of two.

Rules find the verb or noun of speech and whose it is; the gazetteer names the party ("the Kremlin" is Russia), and
referents.py whoever is only described ("the ministry").
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from classifiers.actors import Gazetteer, Mention
from classifiers.referents import Heard

_SPEAKS = re.compile(
    r"\b(?:sa(?:id|ys?)|t(?:old|ells?)|announce[sd]?|claim(?:s|ed)?|insist(?:s|ed)?|confirm(?:s|ed)?|report(?:s|ed)|"
    r"alleg(?:es?|ed)|accus(?:es?|ed)|blam(?:es?|ed)|warn(?:s|ed)?|vow(?:s|ed)?|pledg(?:es?|ed)|promis(?:es?|ed)|"
    r"declar(?:es?|ed)|assert(?:s|ed)|maintain(?:s|ed)?|admit(?:s|ted)?|acknowledg(?:es?|ed)|stat(?:es that|ed)|"
    r"add(?:s|ed)|charg(?:es|ed)|call(?:s|ed)?(?! off| forward| up| in\b)|"
    r"boast(?:s|ed)|repeat(?:s|ed)|describ(?:es?|ed)|"
    r"complain(?:s|ed)|sees?|saw no|wr(?:ote|ites?)|argu(?:es|ed)|contend(?:s|ed)|suggest(?:s|ed)|swore|swears?|"
    r"urg(?:es?|ed)|answer(?:s|ed)(?! at| with)|repl(?:ies|ied)|offer(?:s|ed)|"
    r"condemn(?:s|ed)?|denounc(?:es?|ed)|voic(?:es|ed)|regret(?:s|ted)|express(?:es|ed)|growl(?:s|ed)|"
    r"estimat(?:es|ed)|explain(?:s|ed)|retort(?:s|ed)|scoff(?:s|ed)|not(?:es|ed)|remark(?:s|ed)|indicat(?:es|ed)|"
    r"continued|w(?:ent|ould go) on|goes on|sp(?:oke|eaks?) of|puts? (?:[\w']+ ){1,4}at|proclaim(?:s|ed)|"
    r"caution(?:s|ed)|assur(?:es|ed)|observ(?:es|ed)|thunder(?:s|ed)|let it be known|count(?:s|ed)|logged|"
    r"certif(?:ies|ied)|reckon(?:s|ed)?|holds?(?=,| that)|kn(?:ows?|ew) of no|makes? no mention|has it that|"
    r"attribut(?:es|ed)|found that|ha(?:s|ve) found|turn(?:s|ed) (?:[\w']+ ){0,3}down|thinks?|hopes?|believes?|"
    r"proposes?|wants?|deplores?|counsels?|accuse|recalled(?=[,.])|"
    r"(?:say|claim|insist|accus|add|alleg|warn)ing|"
    r"object(?:s|ed)|respond(?:s|ed)|counter(?:s|ed)|remind(?:s|ed)|"
    r"brush(?:es|ed) (?:[\w']+ ){0,3}(?:aside|off)|takes? (?:[\w']+ ){1,3}for|"
    r"(?:puts?|lays?|laid) (?:[\w']+ ){1,4}(?:down to|at the door of)|hold(?:s|ing)? (?:[\w']+ ){1,3}responsible|"
    r"m(?:akes?|ade) (?:it )?clear|h(?:olds|eld) to|st(?:ands|ood) by|points to|pointed (?:to|out)|"
    r"congratulat(?:es|ed)|prais(?:es|ed)|thank(?:s|ed)|encourag(?:es|ed)|deplored|"
    r"trac(?:es|ed)|thought that|supposes|put it|invok(?:es|ed)|has invoked|"
    r"den(?:y|ies|ied)|reject(?:s|ed)?|dismiss(?:es|ed)?|disput(?:es?|ed)|refut(?:es?|ed)|contradict(?:s|ed)?|"
    r"refus(?:es?|ed)|rul(?:es?|ed) out|disown(?:s|ed)?|disavow(?:s|ed)?)\b",
    re.IGNORECASE,
)
_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+|also\s+|already\s+)?$")
_BY = re.compile(r"\s+(?:[\w']+\s+){0,4}?by\b")
_ACCORDING = re.compile(
    r"\b(?:[Aa]ccording to|[Ii]n the (?:words|view) of|[Bb]y the (?:count|account) of|"
    r"[Bb]y(?= [A-Z][\w.]{1,20}(?: [A-Z]\w{1,20})?'s (?:own )?(?:count|account|version))\b)"
)
_WORD_BY = re.compile(r"\b(?:statements?|claims?|denials?|accusations?|allegations?|warnings?) (?:by|from)\b")
_WORD_OF = re.compile(
    r"(?:'s?)? (?:own )?(?:statement|claim|denial|accusation|allegation|account|version)s? (?:that|of|to)\b"
)
_COLON = re.compile(r"^[^:,\"“]{2,40}:\s")
_CLAUSE = re.compile(r"[,;:\"“”()]|\bthat\b|\bwhile\b|\bbut\b|\band\b|\bwhat\b")
_PAUSE = re.compile(r"[,;:\"“”()]")
_OWN = re.compile(r"\b(?:its|their|his|her)\b", re.IGNORECASE)
_SELF = re.compile(r"\b(?:its?|their|they|his|we|our|own)\b", re.IGNORECASE)
_HELPING = re.compile(r"(?:has|had|have|also|then|later|again|in turn|ha[sd] (?:also|since|now))\s*", re.IGNORECASE)
_INVERTED = re.compile(r"\s+(?:(?:an?|the|its|one|two|his|her|their)\s|[A-Z])")
_FINITE = re.compile(
    r"\s+(?:has|had|have|is|was|are|were|will|would|does|did|do|may|might|can|could|must|should|shall|never|took|"
    r"means)\b"
)
_CAPITAL = re.compile(r"\b[A-Z]")
_IN_PLACE = re.compile(
    r"(?: (?:reporters|journalists|correspondents|a news conference|a briefing|parliament))? in (?=[A-Z])"
)
_SPLIT = re.compile(r";\s+|,\s+(?:(?:but|while|whereas|and|although|though|yet)\s+)?|\s+(?:but|while|whereas)\s+")
_LEAST_WORDS = 3
MOST_PARTS = 3


def speakers_in(texts: Sequence[str], gazetteer: Gazetteer) -> list[str]:
    """Who speaks in each text ("" for nobody known); "he" or "the ministry" is the party that spoke last."""
    heard = Heard(kinds={gazetteer.names[code]: kind for code, kind in gazetteer.kinds.items()})
    speakers = []
    for text in texts:
        mentions = gazetteer.find(text)
        heard.read(text, mentions)
        speakers.append(claimant_of(text, mentions, heard))
        heard.close(mentions, speakers[-1], _leading(text, mentions))
    return speakers


def claimant_of(text: str, mentions: Sequence[Mention], heard: Heard | None = None) -> str:
    """Name of the party whose word a sentence rests on; "" when it reports no speech or the speaker is unknown."""
    heard = heard or Heard()
    colon = _COLON.match(text)
    if colon and (inside := _first(mentions, 0, colon.end())):
        return inside
    source = _ACCORDING.search(text)
    if source:
        return _named(text, source.end(), _pause(text, source.end()), mentions, heard)
    spoken = next((name for _, _, name in _spoken(text, mentions, heard)), "")
    return spoken or _whose_word(text, mentions, heard)


def _whose_word(text: str, mentions: Sequence[Mention], heard: Heard) -> str:
    """Whose a noun of speech is ("a statement by the rebels", "Pakistan's claim to have")."""
    for word in _WORD_BY.finditer(text):
        if name := _named(text, word.end(), _pause(text, word.end()), mentions, heard):
            return name
    return next((mention.actor.name for mention in mentions if _WORD_OF.match(text, mention.end)), "")


def parts_of(text: str, mentions: Sequence[Mention]) -> tuple[str, ...]:
    """A sentence cut where somebody else begins to speak ("Moscow announced X, NATO sees none"); most are whole."""
    verbs = list(_spoken(text, mentions, Heard()))
    parts: list[str] = []
    start = 0
    for (_, end, name), (subject, _, following) in pairwise(verbs):
        if name == following or len(parts) == MOST_PARTS - 1:
            continue
        cut = _last_cut(text, end, subject)
        if cut and _long_enough(text[start : cut.start()]) and _long_enough(text[cut.end() :]):
            parts.append(text[start : cut.start()])
            start = cut.end()
    return (*parts, text[start:])


def subject_of(text: str, mentions: Sequence[Mention], speaker: str, matter: str = "") -> str:
    """Whose act a claim tells of: the first party it names beside its speaker, unless "its" or "they" mean the speaker
    before that; where it names nobody, whoever `matter` says, else the speaker."""
    named = next((each for each in mentions if not each.venue and each.actor.name != speaker), None)
    own = _SELF.search(text)
    if own and (named is None or own.start() < named.start):
        return speaker
    return named.actor.name if named else matter or speaker


def _spoken(text: str, mentions: Sequence[Mention], heard: Heard) -> Iterable[tuple[int, int, str]]:
    """Where a speech verb and its subject begin and end, and who that is; verbs of nobody known are left out."""
    for verb in _SPEAKS.finditer(text):
        start, end, name = _subject(text, verb, mentions, heard)
        if name:
            yield start, end, name


def _subject(text: str, verb: re.Match[str], mentions: Sequence[Mention], heard: Heard) -> tuple[int, int, str]:
    """The party that governs a speech verb: before it in its clause, meant by a pronoun or role, or right after it."""
    start = _clause_start(text, verb.start())
    if _PASSIVE.search(text, start, verb.start()):
        by = _BY.match(text, verb.end())
        return (start, by.end(), _named(text, by.end(), _pause(text, by.end()), mentions, heard)) if by else _NOBODY
    bare = not _HELPING.sub("", text[start : verb.start()]).strip(' "”,')
    apposed = _apposition_start(text, start)
    reaches = [(apposed if bare else start, verb.start()), (_before_and(text, start), verb.start())]
    if bare and not text[:start].endswith("and") and _INVERTED.match(text, verb.end()):
        pause = _pause(text, verb.end())
        reaches.insert(_is_short(text, apposed), (verb.end(), _apposition_end(text, verb.end(), pause, mentions)))
    for begin, end in dict.fromkeys(reaches):
        if name := _seat(text, begin, verb, mentions) or _named(text, begin, end, mentions, heard):
            return min(begin, start), max(end, verb.end()), name
    return _NOBODY


_NOBODY = (0, 0, "")


def _named(text: str, start: int, end: int, mentions: Sequence[Mention], heard: Heard) -> str:
    """Who is meant between two places: a party by name, else by role, else people who are no party."""
    words = text[start:end]
    here = [mention for mention in mentions if start <= mention.start < end]
    named = next((mention.actor.name for mention in here if not mention.venue), "")
    meant = named or heard.meant_by(words, here, _antecedent(text, mentions, start, words))
    if meant:
        heard.meet(words, meant)
    return meant


def _antecedent(text: str, mentions: Sequence[Mention], start: int, words: str) -> str:
    """The party that words of a sentence point back to: whom it opened with, or whom "its" means."""
    before = (mention.actor.name for mention in mentions if mention.start < start and not mention.venue)
    return _leading(text, mentions, start) or (next(before, "") if _OWN.search(words) else "")


def _leading(text: str, mentions: Sequence[Mention], end: int = 600) -> str:
    """The party that a sentence opens with as its subject ("Turkey would not hesitate"), before `end`."""
    first = next(iter(mentions), None)
    if first and first.start < min(end, 5) and _FINITE.match(text, first.end):
        return first.actor.name
    return ""


def _apposition_start(text: str, start: int) -> int:
    """Where the subject begins when a comma stands between it and its verb ("Mr Lavrov, in Geneva, said")."""
    before = _clause_start(text, start - 1) if start > 1 and text[start - 1] == "," else start
    return _clause_start(text, before - 1) if before > 1 and text[before - 1] == "," else before


def _apposition_end(text: str, start: int, pause: int, mentions: Sequence[Mention]) -> int:
    """Where the subject after its verb ends: a person is explained after a comma ("said Mr Lu, an envoy of China")."""
    if text[pause : pause + 1] != "," or not _CAPITAL.search(text, start, pause) or _first(mentions, start, pause):
        return pause
    return _pause(text, pause + 1)


def _seat(text: str, start: int, verb: re.Match[str], mentions: Sequence[Mention]) -> str:
    """The party in whose seat a nameless official speaks ("the colonel told reporters in Baku")."""
    subject = text[start : verb.start()]
    if not subject.strip() or _CAPITAL.search(subject.strip(), 1) or _first(mentions, start, verb.start()):
        return ""
    place = _IN_PLACE.match(text, verb.end())
    return _first(mentions, place.end(), place.end() + 1) if place else ""


def _is_short(text: str, start: int) -> bool:
    """Whether what stands before an apposition is a subject and no sentence ("Indian officials, shown the film, ")."""
    comma = text.find(",", start)
    second = text.find(",", comma + 1)
    return 0 < comma - start < 40 and second > 0 and len(text[start:comma].split()) <= 5


def _before_and(text: str, start: int) -> int:
    """Where the subject begins when it is two joined by "and" ("families and officials said")."""
    return _clause_start(text, start - 4) if text[:start].endswith(" and") else start


def _first(mentions: Sequence[Mention], start: int, end: int) -> str:
    return next((mention.actor.name for mention in mentions if start <= mention.start < end), "")


def _clause_start(text: str, end: int) -> int:
    return max((boundary.end() for boundary in _CLAUSE.finditer(text, 0, end)), default=0)


def _pause(text: str, start: int) -> int:
    found = _PAUSE.search(text, start)
    return min(found.start() if found else len(text), start + 80)


def _last_cut(text: str, start: int, end: int) -> re.Match[str] | None:
    """Where a sentence may be cut between two speakers: at the last semicolon, else at the last of the others."""
    cuts = _SPLIT.finditer(text, start, min(len(text), end + 2))
    return max(cuts, key=lambda cut: (cut.group()[0] == ";", cut.start()), default=None)


def _long_enough(part: str) -> bool:
    return len(part.split()) >= _LEAST_WORDS
