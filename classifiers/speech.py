"""sentences -> who speaks in each, and where one sentence holds the words of two.

Rules find the speech verb and its subject; the gazetteer names the party ("the Kremlin" is Russia). A speaker who is
described is whoever the article named last in that role ("the ministry", "the alliance"), or is called what the
sentence calls him ("residents").
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from classifiers.actors import Gazetteer, Mention

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
_COLON = re.compile(r"^[^:,\"“]{2,40}:\s")
_CLAUSE = re.compile(r"[,;:\"“”()]|\bthat\b|\bwhile\b|\bbut\b|\band\b|\bwhat\b")
_PAUSE = re.compile(r"[,;:\"“”()]")
_ROLE = re.compile(
    r"\b(?:he|she|it|they|(?:the|an?|its|their|his|her|one|two|another|this|that|same|military|own) (?:[\w-]+ ){0,3}"
    r"(?:ministry|minister|ministers|spokes\w+|general|army|president|presidency|premier|government|statement|"
    r"officials?|officers?|envoy|military|command|side|commander|foreign office|ambassador|aide|colonel|brigadier|"
    r"council|staff|mayor|deputy|navy|secretary|communiqu\w+|agency|lawmaker|coast ?guard|embassy|leadership|junta|"
    r"authorit\w+|commission|announcer|station|radio|television|mission|court|institute|capitals|forces)|"
    r"(?:an?|the) (?:man|woman|party)|one of them|officials|officers|commanders|"
    r"(?:(?:defen[cs]e|foreign|prime|interior|information) minister|president|general|colonel|brigadier))\b",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?:its|their|his|her)\b", re.IGNORECASE)
_SELF = re.compile(r"\b(?:its?|their|they|his|we|our|own)\b", re.IGNORECASE)
_COLLECTIVES = (
    ("NATO", re.compile(r"\bthe alliance\b", re.IGNORECASE)),
    ("European Union", re.compile(r"\bthe (?:twenty-seven|bloc)\b", re.IGNORECASE)),
    ("United States", re.compile(r"\bSecretary of State\b|\bFBI\b")),
    ("IAEA", re.compile(r"\b(?:nuclear|atomic) (?:watchdog|agency)\b", re.IGNORECASE)),
)
_GROUP = re.compile(
    r"\b(?:rebels?|guerrillas?|insurgents?|separatists?|militants?|the movement|the front|the group|paramilitaries|"
    r"fighters|militias?)\b",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"\b(?:residents|villagers|witnesses|eyewitnesses|survivors|farmers|fishermen|refugees|monitors|observers|"
    r"analysts|experts|rights workers|border guards|locals|people|researchers|investigators|aid workers|doctors|"
    r"activists|hackers|opposition|diplomats|western officials|Amnesty International|Human Rights Watch|Microsoft)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"(?<=[a-z.] )[A-Z][a-zà-ž]{2,20}(?:-[A-Z]?[a-z]{2,20})?(?=[,\s]|$)")
_HELPING = re.compile(r"(?:has|had|have|also|then|later|again|in turn|ha[sd] (?:also|since|now))\s*", re.IGNORECASE)
_INVERTED = re.compile(r"\s+(?:(?:an?|the|its|one|two|his|her|their)\s|[A-Z])")
_FINITE = re.compile(
    r"\s+(?:has|had|have|is|was|are|were|will|would|does|did|do|may|might|can|could|must|should|shall|never|took|"
    r"means)\b"
)
_SPLIT = re.compile(r";\s+|,\s+(?:(?:but|while|whereas|and|although|though|yet)\s+)?|\s+(?:but|while|whereas)\s+")
_LEAST_WORDS = 3
MOST_PARTS = 3


@dataclass(slots=True)
class Heard:
    """Whom an article has named so far: who spoke last, the armed group and the party named last, and persons by
    surname with the party for which they spoke."""

    speaker: str = ""
    group: str = ""
    party: str = ""
    people: dict[str, str] = field(default_factory=dict)

    def meet(self, words: str, party: str) -> None:
        """Remember the persons named in the subject of a speech verb, who speak for `party`."""
        for name in _PERSON.findall(words):
            self.people.setdefault(name, party)

    def known(self, words: str) -> str:
        """The party for which a person named in `words` spoke before, or nothing."""
        return next((self.people[name] for name in _PERSON.findall(words) if name in self.people), "")


def speakers_in(texts: Sequence[str], gazetteer: Gazetteer) -> list[str]:
    """Who speaks in each text ("" for nobody known); "he" or "the ministry" is the party that spoke last."""
    heard = Heard()
    speakers = []
    for text in texts:
        mentions = gazetteer.find(text)
        for mention in mentions:
            if gazetteer.kinds.get(mention.actor.code) == "group":
                heard.group = mention.actor.name
        speaker = claimant_of(text, mentions, heard)
        speakers.append(speaker)
        heard.speaker = speaker or heard.speaker
        heard.party = _leading(text, mentions) or heard.party
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
    return next((name for _, _, name in _spoken(text, mentions, heard)), "")


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
    reaches = [(apposed, verb.start())] if bare else [(start, verb.start()), (apposed, verb.start())]
    reaches.append((_before_and(text, start), verb.start()))
    if bare and not text[:start].endswith("and") and _INVERTED.match(text, verb.end()):
        reaches.insert(_is_short(text, apposed), (verb.end(), _pause(text, verb.end())))
    for begin, end in dict.fromkeys(reaches):
        if name := _named(text, begin, end, mentions, heard):
            return min(begin, start), max(end, verb.end()), name
    return _NOBODY


_NOBODY = (0, 0, "")


def _named(text: str, start: int, end: int, mentions: Sequence[Mention], heard: Heard) -> str:
    """Who is meant between two places: a party by name, else by role, else people who are no party."""
    words = text[start:end]
    here = [mention for mention in mentions if start <= mention.start < end]
    named = next((mention.actor.name for mention in here if not mention.venue), "")
    described = "" if named else heard.known(words) or _described(words, heard)
    if described:
        return described
    meant = named or _by_role(words, here, heard, _leading(text, mentions, start))
    if meant:
        heard.meet(words, meant)
    return meant


def _by_role(words: str, here: Sequence[Mention], heard: Heard, leading: str) -> str:
    """The party of a ministry "in Baku", or that a role without a name means: the sentence's own, or the last one."""
    if here and not _OWN.search(words):
        return here[0].actor.name
    return leading or heard.speaker or heard.party if _ROLE.search(words) else ""


def _described(words: str, heard: Heard) -> str:
    """A speaker who is named by what he is: an alliance, the armed group of this article, or people of no party."""
    collective = next((name for name, pattern in _COLLECTIVES if pattern.search(words)), "")
    if collective:
        return collective
    if group := _GROUP.search(words):
        return heard.group or group.group().casefold().removeprefix("the ")
    people = _PEOPLE.search(words)
    if not people:
        return ""
    found = people.group()
    return found if found.istitle() and " " in found else found.casefold()


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
