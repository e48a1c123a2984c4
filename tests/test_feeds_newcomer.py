"""Whose a new feed is and what it is about: the site of its address, feeds beside it, and the folder it came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.newcomer import newcomer, offered_regions, owner, regions_in
from config.load import DEFAULT_FOLDER, load_file
from config.schema import FeedEntry
from config.sites import site_of


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://feeds.bbci.co.uk/news/rss.xml", "bbci.co.uk"),
        ("https://www.aa.com.tr/en/rss", "aa.com.tr"),
        ("https://tass.com/rss/v2.xml", "tass.com"),
        ("https://WWW.Example.ORG.:8443/rss", "example.org"),
        ("https://one.substack.com/feed", "one.substack.com"),
        ("https://feeds.feedburner.com/ndtvnews", ""),
        ("https://news.google.com/rss/search?q=x", ""),
        ("http://192.0.2.7/rss", "192.0.2.7"),
        ("http://[2001:db8::1]/rss", "2001:db8::1"),
        ("archive:wire", ""),
        ("http://[bad", ""),
    ],
)
def test_a_site_is_who_runs_the_host(url: str, site: str) -> None:
    assert site_of(url) == site


@given(st.text(max_size=60))
def test_any_text_has_a_site_or_none(text: str) -> None:
    assert isinstance(site_of(text), str)


def test_no_two_publishers_that_ship_share_a_site_unless_they_share_a_family() -> None:
    families: dict[str, set[str]] = {}
    for entry in load_file(DEFAULT_FOLDER, "feeds").feeds:
        families.setdefault(site_of(entry.url), set()).add(entry.family)
    assert {site for site, names in families.items() if len(names) > 1} == {""}


def test_most_feeds_of_a_site_say_whose_the_next_is() -> None:
    known = [
        FeedEntry(url="https://www.gov.uk/1", publisher="Defence", family="uk"),
        FeedEntry(url="https://www.gov.uk/2", publisher="Foreign Office", family="uk"),
        FeedEntry(url="https://www.gov.uk/3", publisher="Foreign Office", family="uk"),
        FeedEntry(url="https://www.gov.uk/4"),
    ]
    assert owner("https://www.gov.uk/5", "t", known) == ("Foreign Office", "uk")
    assert owner("https://feeds.feedburner.com/x", "The Paper", known) == ("The Paper", "")


def test_a_folder_names_regions_as_people_or_feeds_toml_write_them() -> None:
    offered = offered_regions([FeedEntry(url="https://a.example/", regions=("arctic",))])
    assert regions_in("World/Middle East", offered) == ("world", "middle-east")
    assert regions_in("ukraine-russia, Ukraine and Russia, ARCTIC, Tech", offered) == ("ukraine-russia", "arctic")
    assert newcomer("https://b.example/rss", "B", [], "News/Tech").regions == ()
