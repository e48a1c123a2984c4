"""A file of labelled headlines in, lived through by the real pipeline; what rang, what did not and why out.

    python -m benchmarks headlines FILE [--out REPORT.md] [--no-titles]
        [--try levels.warning=50,stories.single_source_factor=1.0]

FILE is JSON Lines: {"id", "title", "source", "published"} and, where somebody judged the headline, {"direction":
"escalation" | "deescalation" | "none", "severity": 0-3}. The headlines are served as feeds over loopback as they stood
at each simulated moment, polled every three hours with the shipped settings. Each --try lives through them again with
some keys of alerts.toml changed, and adds a line to the comparison. The report lists every alert with its verdict, and
says how right alerts are at three a day. It quotes the headlines: they are other people's words, so keep it to
yourself, or leave them out with --no-titles.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import tomlkit

from benchmarks.headlines_alerts import listed, operating_point, without_titles
from benchmarks.headlines_report import Report, comparison, describe, write_markdown
from benchmarks.headlines_seen import Lived, look_back
from benchmarks.measure import Collector, console, loopback_service, progress, read_jsonl, scratch_app
from bot.app import App
from bot.demo.feed_xml import Item
from bot.demo.newsroom import Newsroom, Outlet, feeds_toml
from bot.demo.play import SimulatedClock
from bot.subscribers import level_named
from classifiers.classifier import Classifier
from config.load import DEFAULT_FOLDER
from models import Outlet as Place
from models import Subscriber, SubscriberState

STEP = timedelta(hours=3)
#: As long as an article may join a story: sources this far apart never tell one story, so they may share a feed.
APART = timedelta(hours=72)
NEW_CHAT = 1


@dataclass(frozen=True, slots=True)
class Headline:
    """One line of the file; `direction` and `severity` are None where nobody judged it."""

    id: str
    title: str
    source: str
    published: datetime
    direction: str | None = None
    severity: int | None = None


def read_headlines(path: Path) -> list[Headline]:
    """The file, oldest first. Raises OSError, ValueError, KeyError or TypeError when it is none."""
    keys = ("id", "title", "source", "direction", "severity")
    rows = read_jsonl(path)
    if not rows:
        raise ValueError("it is empty")
    made = [Headline(published=datetime.fromisoformat(row["published"]), **_some(row, keys)) for row in rows]
    return sorted(made, key=lambda headline: (headline.published, headline.id))


def _some(row: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: row[key] for key in keys if key in row}


def bundle(headlines: Sequence[Headline]) -> list[Outlet]:
    """One feed per source, or per several sources whose headlines all lie more than APART from each other.

    So no two sources that could tell one story are counted as one, and a few dozen feeds do for hundreds of sources.
    """
    of_source: dict[str, list[Headline]] = defaultdict(list)
    for headline in headlines:
        of_source[headline.source].append(headline)
    bundles: list[list[Headline]] = []
    for group in sorted(of_source.values(), key=lambda group: (-len(group), group[0].source)):
        room = next((held for held in bundles if _far_apart(held, group)), None)
        if room is None:
            bundles.append(list(group))
        else:
            room += group
    return [_outlet(number, held) for number, held in enumerate(bundles)]


def _far_apart(held: Sequence[Headline], group: Sequence[Headline]) -> bool:
    return all(abs(one.published - other.published) > APART for one in held for other in group)


def _outlet(number: int, headlines: Sequence[Headline]) -> Outlet:
    names = sorted({headline.source for headline in headlines})
    title = names[0] if len(names) == 1 else f"{len(names)} sources, {number}"
    return Outlet(f"feed-{number:03}", title, family=f"family-{number:03}", items=[_item(one) for one in headlines])


def _item(headline: Headline) -> Item:
    moment = headline.published
    return Item(headline.id, f"https://headlines.example/{headline.id}", headline.title, moment, moment)


async def live(headlines: Sequence[Headline], changes: str, classifier: Classifier | None) -> tuple[Lived, Classifier]:
    """Live through the headlines with `changes` ("KEY=VALUE,...") made to alerts.toml."""
    clock = SimulatedClock(headlines[0].published.replace(minute=0, second=0, microsecond=0))
    end = headlines[-1].published + timedelta(days=1)
    outlets = bundle(headlines)
    files = {"alerts.toml": changed_alerts(changes), "service.toml": loopback_service(per_host=20)}
    senders = {Place.TERMINAL: Collector(), Place.TELEGRAM: Collector()}
    async with (
        Newsroom(outlets, clock) as newsroom,
        scratch_app(clock, feeds_toml(newsroom, outlets, {}), files, senders) as app,
    ):
        app.classifier = classifier
        _add_new_chat(app, clock.now)
        with progress(changes or "as shipped", round((end - clock.now) / STEP)) as advance:
            while clock.now < end:
                await app.once()
                clock.now += STEP
                advance()
        with app.database.read() as session:
            return look_back(session, headlines, app.settings.alerts, len(outlets)), app.load_model()


def changed_alerts(changes: str) -> str:
    """The shipped alerts.toml with keys such as levels.warning replaced."""
    document = tomlkit.parse((DEFAULT_FOLDER / "alerts.toml").read_text(encoding="utf-8"))
    for change in filter(None, changes.split(",")):
        key, _, value = change.partition("=")
        table, _, name = key.strip().partition(".")
        document.setdefault(table, {})[name] = tomlkit.value(value.strip())
    return tomlkit.dumps(document)


def _add_new_chat(app: App, now: datetime) -> None:
    """Somebody who just said /start: the shipped level and budget."""
    level = int(level_named(app.settings.alerts.telling.default_level))
    chat = Subscriber(chat_id=NEW_CHAT, state=SubscriberState.ACTIVE, digest=False, created_at=now, changed_at=now)
    chat.level_escalation = chat.level_deescalation = level
    with app.database.write() as session:
        session.add(chat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, help="the report as Markdown")
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="KEY=VALUE[,KEY=VALUE]")
    parser.add_argument("--no-titles", action="store_true", help="leave the headlines out")
    given = parser.parse_args()
    try:
        headlines = read_headlines(given.file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{given.file} is not a file of headlines, see --help: {error!r}")
    shipped, classifier = asyncio.run(live(headlines, "", None))
    report: Report = [*describe(shipped), operating_point(shipped), listed(shipped)]
    results = {"as shipped": shipped}
    for changes in given.tries:
        results[changes], _ = asyncio.run(live(headlines, changes, classifier))
    report.append(comparison(results))
    if given.no_titles:
        report = without_titles(report)
    for section in report:
        console().print(section.table())
    if given.out:
        given.out.write_text(write_markdown(report), encoding="utf-8")


if __name__ == "__main__":
    main()
