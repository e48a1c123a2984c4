"""a speaker who is only described ("the ministry", "she", "the rebels") -> the party or the people that this means.

An article names a party once and then calls it by its offices, its persons or a pronoun. What it has named so far is
remembered sentence by sentence; people of no party are called what the sentence calls them ("residents").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from classifiers.actors import Mention

_OFFICE_NOUNS = (
    r"ministry|ministers?|general|army|president|presidency|premier|government|foreign office|ambassador|brigadier|"
    r"mayor|navy|secretary(?!-general)|lawmaker|coast ?guard|embassy|junta|general staff|armed forces|governor|palace|"
    r"cabinet|parliament|council|legislator|air force|border guard|admiral|senator|speaker|chief of staff"
)
_OFFICE_TITLES = (
    r"(?:defen[cs]e|foreign|prime|interior|information) minister|president|general|colonel|brigadier|governor|admiral|"
    r"premier|chancellor|ambassador"
)
_ARTICLE = r"(?:the|an?|its|their|his|her|one|two|another|this|that|same|military|own)"
_ROLE = re.compile(
    rf"\b(?:he|she|it|they|{_ARTICLE} (?:[\w-]+ ){{0,3}}(?:{_OFFICE_NOUNS}|"
    r"spokes\w+|statement|officials?|officers?|envoy|military|command|side|commander|aide|colonel|staff|deputy|"
    r"communiqu\w+|agency|leadership|authorit\w+|commission|announcer|station|radio|television|mission|court|"
    r"institute|capitals|forces|negotiator|representative|leader)|"
    r"(?:an?|the) (?:man|woman)|one of them|officials|officers|commanders|ministry|navy|army|government|"
    rf"(?:{_OFFICE_TITLES}))\b",
    re.IGNORECASE,
)
_OFFICE = re.compile(rf"\b(?:{_OFFICE_NOUNS}|{_OFFICE_TITLES})\b", re.IGNORECASE)
"""Offices that states have, and armed groups and organisations have not."""
_ONE = re.compile(r"\b(?:he|she|it)\b", re.IGNORECASE)
_OWN = re.compile(r"\b(?:its|their|his|her)\b", re.IGNORECASE)
_BODY = re.compile(r"\bthe (alliance|bloc|union|organi[sz]ation|twenty-seven)\b", re.IGNORECASE)
_BEST_KNOWN = {"alliance": "NATO", "bloc": "European Union", "twenty-seven": "European Union"}
_COLLECTIVES = (
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
_TITLED = re.compile(
    r"(?:'s)?,? (?:[a-z-]+ ){0,3}(?i:minister|president|premier|leader|chief|envoy|spokes\w+|general|ambassador|"
    r"secretary|governor|commander),? ((?:[A-Z][\w'-]+ ){0,3}[A-Z][\w'-]+)"
)


@dataclass(slots=True)
class Heard:
    """Whom an article has named so far. `kinds` tells a party's kind by its name; the others are names: who spoke last,
    the armed group, the organisation and the party named last, the state that spoke or acted last, the one named last,
    and persons by surname with the party for which they spoke."""

    speaker: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    body: str = ""
    party: str = ""
    state: str = ""
    named: str = ""
    people: dict[str, str] = field(default_factory=dict)

    def read(self, text: str, mentions: Sequence[Mention]) -> None:
        """Take in whom a sentence names, before asking who speaks in it."""
        for mention in mentions:
            kind = self.kinds.get(mention.actor.name)
            self.group = mention.actor.name if kind == "group" else self.group
            self.body = mention.actor.name if kind == "organisation" else self.body
            if titled := _TITLED.match(text, mention.end):
                self.people.setdefault(titled[1].split()[-1], mention.actor.name)

    def close(self, mentions: Sequence[Mention], speaker: str, leading: str) -> None:
        """Take in who spoke in the sentence, and whose act it opened with."""
        self.speaker = speaker or self.speaker
        self.party = leading or self.party
        for name in (leading, speaker):
            self.state = name if self._is_state(name) else self.state
        states = (each.actor.name for each in mentions if not each.venue and self._is_state(each.actor.name))
        self.named = next(states, self.named)

    def meet(self, words: str, party: str) -> None:
        """Remember the persons named in the subject of a speech verb, who speak for `party`."""
        for name in _PERSON.findall(words):
            self.people.setdefault(name, party)

    def meant_by(self, words: str, here: Sequence[Mention], leading: str) -> str:
        """Who is meant by words that name no party, but perhaps a place (`here`), in a sentence about `leading`."""
        return self._known(words) or self._described(words) or self._in_role(words, here, leading)

    def _known(self, words: str) -> str:
        """The party for which a person named in `words` spoke before, or nothing."""
        return next((self.people[name] for name in _PERSON.findall(words) if name in self.people), "")

    def _described(self, words: str) -> str:
        """Somebody named by what he is: an organisation, the armed group of this article, or people of no party."""
        if body := _BODY.search(words):
            return self.body or _BEST_KNOWN.get(body[1].casefold(), "")
        collective = next((name for name, pattern in _COLLECTIVES if pattern.search(words)), "")
        if collective:
            return collective
        if group := _GROUP.search(words):
            return self.group or group.group().casefold().removeprefix("the ")
        people = _PEOPLE.search(words)
        if not people:
            return ""
        found = people.group()
        return found if found.istitle() and " " in found else found.casefold()

    def _in_role(self, words: str, here: Sequence[Mention], leading: str) -> str:
        """The party of a ministry "in Baku", or that a role without a name means: the sentence's own, or the last one
        that can have such an office."""
        if here and not _OWN.search(words):
            return here[0].actor.name
        if not _ROLE.search(words):
            return ""
        if leading:
            return leading
        if _OFFICE.search(words) or (_ONE.search(words) and self.speaker not in self.kinds):
            return self.state or self.named or self.speaker
        return self.speaker or self.party or self.named

    def _is_state(self, name: str) -> bool:
        return self.kinds.get(name) == "state"
