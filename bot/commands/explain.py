"""why, missed: one decision from evidence to rule, and what nearly rang."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import Session, col, select

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url
from bot.messages.names import pair_name
from bot.messages.why import why_message
from bot.spans import parse_span
from config.errors import ConfigError
from models import Alert, Article, Direction, Level, Reading, Story, Suppression
from models.alert import loudest_silences
from models.reading import readings_of_story
from models.story import find_story, parts_of

if TYPE_CHECKING:
    from classifiers.judgement import Judgement
    from config.schema import Alerts, Settings

SHOWN = 20
READINGS, SENTENCES = 3, 4  # of a story that never rang, in each direction


def why(
    what: Annotated[str, typer.Argument(help="A story's number, an article's address, or any text.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Explain one decision: what was read in which sentence, what the story amounts to, and which rule told it or not.

    A text is read on the spot by the live model. Example: python -m bot why "Army masses tanks at the border"
    """
    from config.load import load_settings
    from models.database import open_database

    settings = load_settings(config_folder(config))
    out = console()
    if not what.isdecimal() and not what.startswith(("http://", "https://")):
        _explain_text(what, settings, out)
        return
    opened = open_database(database_url(database), utc_now())
    try:
        with opened.read() as session:
            story = find_story(session, int(what[:18])) if what.isdecimal() else _story_of_page(session, what, out)
            if story is None:
                raise ConfigError(f"why: no story {what} is stored; `missed` and the alerts name those there are")
            _explain_story(session, story, settings.alerts, out)
    finally:
        opened.close()


def missed(
    since: Annotated[str, typer.Option(help="How far back: 12h, 7d, 4w.")] = "7d",
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """List the nearest misses: stories that came close to a level, or were kept back, with the reason.

    Example: python -m bot missed --since 14d
    """
    from models.database import open_database

    opened = open_database(database_url(database), utc_now())
    try:
        with opened.read() as session:
            kept = loudest_silences(session, utc_now() - parse_span(since))
    finally:
        opened.close()
    out = console()
    if not kept:
        out.print(f"Nothing came near within {since}.")
        return
    table = Table("story", "score", "reason", "times", "title")
    for row, story in kept[:SHOWN]:
        way = "easing" if row.direction is Direction.DEESCALATION else "escalation"
        table.add_row(str(story.id), f"{row.score:.0f} {way}", row.reason.value, str(row.times), Text(story.title))
    out.print(table)
    out.print("More of one: python -m bot why STORY")


def _explain_text(text: str, settings: "Settings", out: Console) -> None:
    from bot.model_shelf import live_classifier
    from bot.pipeline.levels import level_of
    from classifiers.judgement import Document

    (judged,) = live_classifier(settings.actors).judge([Document(text)])
    out.print(f"model {judged.model}; language {judged.language}")
    _show_judgement(judged, out)
    for direction, score in ((Direction.ESCALATION, judged.escalation), (Direction.DEESCALATION, judged.deescalation)):
        levels = settings.alerts.levels_for(direction)
        alone = score * settings.alerts.stories.single_source_factor
        level = level_of(alone, levels)
        out.print(
            f"{direction}: {score:.0f}, as the only source {alone:.0f}: "
            + (f"reaches {level.word}" if level is not Level.NONE else f"below watch ({levels.watch:g})")
        )


def _show_judgement(judged: "Judgement", out: Console) -> None:
    chances = ", ".join(f"{name} {chance:.0%}" for name, chance in judged.direction.items())
    out.print(f"direction: {chances}; severity {judged.severity}; {judged.status}")
    likely = [f"{name} {chance:.0%}" for name, chance in sorted(judged.signals.items(), key=lambda s: -s[1])[:4]]
    out.print(f"signals: {', '.join(likely)}")
    out.print(Text(f"parties: {', '.join(actor.name for actor in judged.actors) or 'none known'}"))
    out.print(
        f"pair: {'-'.join(judged.dyad or ()) or 'none'}; places in {', '.join(judged.places) or 'no state known'}"
    )
    for evidence in judged.evidence:
        out.print(Text(f"  {evidence.score:.0f} points ({evidence.signal or 'no signal'}): {evidence.sentence}"))


def _story_of_page(session: Session, url: str, out: Console) -> Story | None:
    """The story of a stored article; says why when it was read and has none."""
    from bot.feeds.urls import canonical_url

    same = select(Reading, Article).join(Article, col(Article.id) == col(Reading.article_id))
    found = session.exec(
        same.where((col(Article.url) == url) | (col(Article.canonical_url) == canonical_url(url)))
        .order_by(col(Reading.latest).desc(), col(Reading.id).desc())
        .limit(1)
    ).first()
    if found is None:
        raise ConfigError(f"why: no article of {url} was read; `feeds test URL` reads a feed on the spot")
    reading, article = found
    out.print(Text(f"{article.title}\nread {reading.read_at:%d %b %H:%M} UTC by {reading.model}"))
    out.print(f"escalation {reading.escalation:.0f}, easing {reading.deescalation:.0f}, {reading.status}")
    for item in reading.evidence:
        out.print(Text(f"  {item['score']:.0f} points ({item['signal'] or 'no signal'}): {item['sentence']}"))
    if reading.story_id is None:
        raise ConfigError("why: it scored too little in both directions to open a story, so nothing was to be told")
    return session.get(Story, reading.story_id)


def _pair(story: Story) -> str:
    """By name, with the code that commands take."""
    if story.dyad is None:
        return "unknown"
    return f"{pair_name(story.dyad, {actor['code']: actor['name'] for actor in story.actors})} ({story.dyad})"


def _explain_story(session: Session, story: Story, settings: "Alerts", out: Console) -> None:
    out.print(Text(f"story {story.id}: {story.title}", style="bold"))
    out.print(
        f"escalation {story.escalation:.0f} (peak {story.peak_escalation:.0f}), easing {story.deescalation:.0f} (peak "
        f"{story.peak_deescalation:.0f}); {story.status.word}; {story.publishers} independent sources; "
        f"pair {_pair(story)}; {story.first_seen_at:%d %b %H:%M} to {story.last_seen_at:%d %b %H:%M} UTC"
    )
    table = Table("when", "what", "level", "score", "rule or reason")
    of_story = col(Alert.story_id).in_(parts_of(story.id))
    alerts = session.exec(select(Alert).where(of_story).order_by(col(Alert.id))).all()
    for alert in alerts:
        what = f"told: {alert.kind.word}, {alert.direction.word}"
        table.add_row(
            f"{alert.created_at:%d %b %H:%M}", what, Level(alert.level).word, f"{alert.score:.0f}", alert.rule
        )
    kept = select(Suppression).where(Suppression.story_id == story.id).order_by(col(Suppression.first_at))
    for row in session.exec(kept):
        who = f"not told to chat {row.subscriber_id}" if row.subscriber_id else "not told"
        times = f"{row.reason.value}, {row.times} times" if row.times > 1 else row.reason.value
        facts = (f"{row.last_at:%d %b %H:%M}", f"{who}, {row.direction.word}", Level(row.level).word)
        table.add_row(*facts, f"{row.score:.0f}", times)
    if table.row_count:
        out.print(table)
    if alerts:
        out.print(Text(why_message(alerts[-1]).plain))
        return
    for direction in Direction:
        _explain_silence(session, story, direction, settings, out)
    if not table.row_count:
        out.print("Never told, and nothing was kept of why: it came near no level, or has not been judged yet.")


def _explain_silence(session: Session, story: Story, direction: Direction, settings: "Alerts", out: Console) -> None:
    """How far below which levels a story stayed, and the sentences that got it so far."""
    from bot.pipeline.weigh import weighted

    out.print(Text(f"{direction.word}: peak {story.peak(direction):.1f}; {_against(story, direction, settings)}"))
    read = [row for row in readings_of_story(session, story.id) if row[0].score(direction) > 0]
    for row in sorted(read, key=lambda row: -weighted(row, direction))[:READINGS]:
        reading, _article, feed = row
        weight = f", weight {feed.weight:g}" if feed.weight != 1 else ""
        out.print(Text(f"  {reading.score(direction):.0f} ({feed.publisher}{weight}): {reading.title}"))
        found = [item for item in reading.evidence if item.get("direction", direction) == direction]
        for item in sorted(found, key=lambda item: -item["score"])[:SENTENCES]:
            out.print(Text(f"    {item['score']:.0f} points ({item['signal'] or 'no signal'}): {item['sentence']}"))


def _against(story: Story, direction: Direction, settings: "Alerts") -> str:
    """Where the peak stands among the levels as they are set today."""
    from bot.pipeline.levels import threshold

    levels = settings.levels_for(direction)
    bounds = {level: threshold(level, levels) for level in Level if level}
    reached = [f"{level.word} ({bound:g})" for level, bound in bounds.items() if story.peak(direction) >= bound]
    missed = [f"{level.word} ({bound:g})" for level, bound in bounds.items() if story.peak(direction) < bound]
    parts = (f"reached {reached[-1]}" if reached else "", f"below {', '.join(missed)}" if missed else "")
    return ", ".join(filter(None, parts))
