"""Texts as pages and feeds carry them, with captions, listings, stamps and several stories in one; the story that is
read out of them."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.classifier import Classifier, load_classifier
from classifiers.furniture import story_lines
from classifiers.judgement import Document
from classifiers.passages import passages_of, sentences_of
from classifiers.roundups import MOST_ITEMS, told

SCHOOL = "The school board voted on Tuesday to keep the old gymnasium open. Parents had asked for a new roof."
SENTENCES = SCHOOL.replace("open. ", "open.\n").splitlines()
TANKS = "Russian tanks move near the border, Feb. 3, 2022."
WAR = "Missiles struck the port of Odesa at dawn and killed forty soldiers."


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


CAPTIONS = {
    "file of AP": f"FILE - {TANKS} (AP Photo/Alexei Name)",
    "file without credit": f"FILE PHOTO: {TANKS}",
    "credit of Reuters": "Russian tanks move near the border in Belgorod, Russia, February 3, 2022. REUTERS/Anton Name",
    "Reuters file photo": "FILE PHOTO: Missiles are paraded in Pyongyang. REUTERS/Kim Name/File Photo",
    "agency and Getty": "Smoke rises over Beirut after Israeli strikes. Anwar Name/AFP via Getty Images",
    "photo by": "Soldiers load shells near Bakhmut on Monday. (Photo by Ann Name/Getty Images)",
    "two sentences": f"{TANKS} Thousands of soldiers were sent there. (AP Photo/Alexei Name)",
    "in brackets": "Israeli soldiers shell Gaza from the border [Amir Name/Reuters]",
    "in this photo": "In this photo released by the ministry, warships fire missiles in the Black Sea.",
}


@pytest.mark.parametrize("caption", CAPTIONS.values(), ids=CAPTIONS.keys())
def test_a_caption_is_not_read_above_or_below_the_story(caption: str) -> None:
    assert sentences_of(f"{caption}\n{SCHOOL}") == SENTENCES
    assert sentences_of(f"{SCHOOL}\n{caption}") == SENTENCES


@pytest.mark.parametrize(
    "name", ["file of AP", "credit of Reuters", "photo by", "in this photo", "file without credit"]
)
def test_a_caption_in_the_same_line_is_not_read(name: str) -> None:
    assert sentences_of(f"{CAPTIONS[name]} {SCHOOL}") == SENTENCES


def test_the_story_before_a_caption_in_the_same_line_is_read() -> None:
    assert sentences_of(f"{SCHOOL} FILE - {TANKS} (AP Photo/Alexei Name)") == SENTENCES
    assert sentences_of(f"{SCHOOL} {TANKS} (AP Photo/Alexei Name)") == SENTENCES


@pytest.mark.parametrize(
    "dateline",
    ["KYIV, Ukraine (AP) — ", "BEIRUT (Reuters) - ", "GENEVA, Feb 24 (AFP) - ", "MOSCOW -- "],
    ids=["AP", "Reuters", "dated", "bare"],
)
def test_a_dateline_is_no_credit(dateline: str) -> None:
    assert sentences_of(f"{dateline}{WAR}\n{SCHOOL}") == [WAR, *SENTENCES]


LISTINGS = [
    "More top stories: Israel bombs Beirut after rockets kill forty. Iran fires missiles at Tel Aviv.",
    "Most read: Russia invades Ukraine",
    "You may also like: North Korea tests a bomb",
    "Top stories - Iran attacks Israel with missiles",
    "Also on this site: Rockets hit Haifa",
    "Related stories: Tanks roll into Khartoum",
    "Read also: Tanks roll into the capital of Sudan",
    "Watch: Missiles hit a market in Kharkiv",
]


@pytest.mark.parametrize("listing", LISTINGS, ids=[listing[:10] for listing in LISTINGS])
def test_a_listing_of_other_stories_is_not_read(listing: str) -> None:
    assert sentences_of(f"{SCHOOL}\n{listing}") == SENTENCES
    assert sentences_of(f"{SCHOOL} {listing.split('. ', 1)[0]}") == SENTENCES


def test_the_headlines_below_a_listings_heading_are_not_read_and_the_story_goes_on_after_them() -> None:
    text = (
        f"{SENTENCES[0]}\nMost read\nRussia bombs Kyiv for a third night\nIran fires missiles at Israel\n{SENTENCES[1]}"
    )
    assert sentences_of(text) == SENTENCES


@pytest.mark.parametrize(
    "sentence",
    [
        "The top stories of her childhood were about the war between Iran and Iraq.",
        "He told Reuters/Ipsos pollsters that the truce would hold.",
        "Ministers file past the guards (two of them armed) every morning.",
        "Related attacks on the pipeline killed four soldiers on Sunday.",
        "Watch officers saw three warships leave Sevastopol at night.",
    ],
)
def test_sentences_that_resemble_furniture_are_read(sentence: str) -> None:
    assert sentences_of(f"{SCHOOL}\n{sentence}") == [*SENTENCES, sentence]


@pytest.mark.parametrize(
    "stamp", ["14:05 ", "14:05 GMT: ", "9.32am ", "0715 GMT: ", "1030: ", "21:10 – ", "[08:12] "], ids=str.strip
)
def test_the_time_before_a_post_of_a_live_blog_is_cut(stamp: str) -> None:
    assert sentences_of(f"{stamp}{WAR}") == [WAR]


@pytest.mark.parametrize("start", ["2022 was a year of war.", "14 soldiers were killed in the shelling."])
def test_a_number_is_no_time(start: str) -> None:
    assert sentences_of(start) == [start]


@pytest.mark.parametrize(
    ("title", "items"),
    [
        ("Ukraine war live: Missiles hit Kyiv", ("Missiles hit Kyiv",)),
        ("As it happened: cable breaks in the Barents", ("cable breaks in the Barents",)),
        ("Missiles hit Kyiv – live updates", ("Missiles hit Kyiv",)),
        ("Morning briefing: Russia invades Ukraine", ("Russia invades Ukraine",)),
        (
            "Morning briefing: Russia bombs Kyiv, Oscars handed out and a new bakery",
            ("Russia bombs Kyiv", "Oscars handed out", "a new bakery"),
        ),
        ("What to know today: Iran strikes; markets rise", ("Iran strikes", "markets rise")),
        (
            "Storm hits the coast; Russia invades Ukraine; Singer announces her tour",
            ("Storm hits the coast", "Russia invades Ukraine", "Singer announces her tour"),
        ),
        ("Daily briefing: Iran, Israel trade fire", ("Iran, Israel trade fire",)),
        ("Russia says it left; NATO sees more tanks", ("Russia says it left; NATO sees more tanks",)),
        ("Where the refugees of Aleppo live now", ("Where the refugees of Aleppo live now",)),
        ("Live:", ("Live:",)),
        ("", ()),
    ],
)
def test_a_title_tells_one_thing_or_the_items_of_a_roundup(title: str, items: tuple[str, ...]) -> None:
    assert told(title) == items


@pytest.mark.parametrize("name", ["file of AP", "credit of Reuters"])
def test_a_school_story_under_a_war_picture_is_no_alarm(classifier: Classifier, name: str) -> None:
    listing = "More top stories: Israel bombs Beirut after rockets kill forty"
    document = Document("School board keeps gymnasium open", text=f"{CAPTIONS[name]}\n{SCHOOL}\n{listing}")
    assert classifier.judge([document])[0].escalation < 10


ROUNDUPS = [
    "Morning briefing: Russia bombs Kyiv, Oscars handed out and a new bakery",
    "News at a glance: Storm hits coast; Russia invades Ukraine; Singer announces tour",
    "Evening briefing: North Korea tests nuclear bomb, budget passes, rain on Sunday",
]


@pytest.mark.parametrize("title", ROUNDUPS, ids=[title[:15] for title in ROUNDUPS])
def test_one_alarming_item_of_a_roundup_is_no_alarm(classifier: Classifier, title: str) -> None:
    assert classifier.judge([Document(title, text=SCHOOL)])[0].escalation < 12.5


def test_a_roundup_of_a_war_alarms(classifier: Classifier) -> None:
    title = "Morning briefing: Russia invades Ukraine, missiles hit Kyiv and tanks cross from Belarus"
    assert classifier.judge([Document(title, text=WAR)])[0].escalation >= 40


def test_a_live_blogs_label_does_not_silence_it(classifier: Classifier) -> None:
    title = "Ukraine war live: Russian missiles hit Kyiv"
    assert classifier.judge([Document(title, text=f"14:05 {WAR}")])[0].escalation >= 70


UNITS = [
    "(",
    "(AP Photo/",
    "FILE - ",
    "a.",
    "REUTERS/A ",
    "; ",
    "live ",
    "briefing: ",
    "A B/AP ",
    "10:10 ",
    "more top ",
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_long_to_clean(unit: str) -> None:
    start = time.perf_counter()
    passages_of(Document((unit * 400)[:400], text=(unit * 12_000)[:12_000]))
    assert time.perf_counter() - start < 2.0


@given(st.lists(st.sampled_from([*UNITS, "\n", "War came.", "Most read", "; B c d"]), max_size=80).map("".join))
@settings(deadline=None, max_examples=60)
def test_what_is_left_of_a_page_is_never_longer_than_it_was(text: str) -> None:
    assert sum(map(len, story_lines(text))) <= len(text)
    assert len(told(text)) <= MOST_ITEMS
    assert all(told(text))
