"""Items of an outlet in, its feed as RSS 2.0, RSS 1.0 or Atom out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RSS1 = "http://purl.org/rss/1.0/"
for prefix, namespace in (("content", CONTENT), ("dc", DC), ("rdf", RDF), ("atom", ATOM)):
    register_namespace(prefix, namespace)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as it stands in the feed; `published` stays when an edit changes the rest, `updated` moves."""

    guid: str
    url: str
    title: str
    published: datetime
    updated: datetime
    summary: str = ""
    text: str = ""


def rss20(title: str, homepage: str, items: Sequence[Item]) -> bytes:
    """https://www.rssboard.org/rss-specification"""
    root = Element("rss", version="2.0")
    channel = SubElement(root, "channel")
    for name, value in (("title", title), ("link", homepage), ("description", title)):
        SubElement(channel, name).text = value
    for item in items:
        entry = SubElement(channel, "item")
        SubElement(entry, "title").text = item.title
        SubElement(entry, "link").text = item.url
        SubElement(entry, "guid", isPermaLink="false").text = item.guid
        SubElement(entry, "pubDate").text = format_datetime(item.published)
        _words(entry, item, "description", f"{{{CONTENT}}}encoded")
    return _document(root)


def rss10(title: str, homepage: str, items: Sequence[Item]) -> bytes:
    """https://web.resource.org/rss/1.0/spec"""
    root = Element(f"{{{RDF}}}RDF")
    channel = SubElement(root, f"{{{RSS1}}}channel", {f"{{{RDF}}}about": homepage})
    for name, value in (("title", title), ("link", homepage), ("description", title)):
        SubElement(channel, f"{{{RSS1}}}{name}").text = value
    sequence = SubElement(SubElement(channel, f"{{{RSS1}}}items"), f"{{{RDF}}}Seq")
    for item in items:
        SubElement(sequence, f"{{{RDF}}}li", {f"{{{RDF}}}resource": item.url})
        entry = SubElement(root, f"{{{RSS1}}}item", {f"{{{RDF}}}about": item.guid})
        SubElement(entry, f"{{{RSS1}}}title").text = item.title
        SubElement(entry, f"{{{RSS1}}}link").text = item.url
        SubElement(entry, f"{{{DC}}}date").text = item.published.isoformat()
        _words(entry, item, f"{{{RSS1}}}description", f"{{{CONTENT}}}encoded")
    return _document(root)


def atom(title: str, homepage: str, items: Sequence[Item]) -> bytes:
    """RFC 4287"""
    root = Element(f"{{{ATOM}}}feed")
    SubElement(root, f"{{{ATOM}}}title").text = title
    SubElement(root, f"{{{ATOM}}}id").text = homepage
    SubElement(root, f"{{{ATOM}}}updated").text = max(item.updated for item in items).isoformat() if items else ""
    for item in items:
        entry = SubElement(root, f"{{{ATOM}}}entry")
        SubElement(entry, f"{{{ATOM}}}title").text = item.title
        SubElement(entry, f"{{{ATOM}}}link", href=item.url)
        SubElement(entry, f"{{{ATOM}}}id").text = f"tag:{item.guid}"
        SubElement(entry, f"{{{ATOM}}}published").text = item.published.isoformat()
        SubElement(entry, f"{{{ATOM}}}updated").text = item.updated.isoformat()
        _words(entry, item, f"{{{ATOM}}}summary", f"{{{ATOM}}}content")
    return _document(root)


WRITERS: dict[str, Callable[[str, str, Sequence[Item]], bytes]] = {"rss20": rss20, "rss10": rss10, "atom": atom}


def _words(entry: Element, item: Item, summary_tag: str, text_tag: str) -> None:
    for tag, words in ((summary_tag, item.summary), (text_tag, item.text)):
        if words:
            SubElement(entry, tag).text = words


def _document(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))
