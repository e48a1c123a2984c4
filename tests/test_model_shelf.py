"""Trained models are kept, promoted only when better, rolled back, and taken up; stored articles can be read again."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.app import open_app
from bot.model_shelf import labelled_of
from bot.pipeline import reread
from bot.pipeline.classify import read_new_articles
from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.decide import raise_alerts
from bot.pipeline.levels import level_of
from bot.pipeline.reread import articles_to_reread, compare_readings, mark_unread
from bot.pipeline.retain import forget_old
from bot.spans import parse_span
from classifiers.artifact import DEFAULT_ARTIFACT, MANIFEST_FILE, MODEL_FILE, read_manifest
from classifiers.corpus_files import CORPUS
from classifiers.encoder import HELD_OUT_FILE, TOKENIZER_FILE
from classifiers.heldout import keep_encoder
from classifiers.judgement import Document, Judgement
from classifiers.labels import DIRECTIONS, SIGNALS
from classifiers.promotion import Comparison, compare
from classifiers.shelf import Shelf
from classifiers.train import TrainReport, train
from classifiers.tune import tune_encoder
from config.errors import ConfigError, ModelError
from config.schema import Alerts, Articles, Levels, Stories
from models import Article, Change, Reading, Revision, Story, Verdict, VerdictKind
from models.database import Database, open_database
from models.verdict import labels
from tests.command_line import Bot, command_line
from tests.rows import add_article, add_feed, add_reading

DAY = timedelta(days=1)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The shipped artifact under another version, with better figures."""
    return renamed(tmp_path / "other", "abcdef123456", 0.9)


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bot:
    return command_line(tmp_path, monkeypatch, capsys)


def renamed(folder: Path, version: str, figure: float) -> Path:
    shutil.copytree(DEFAULT_ARTIFACT, folder)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    better = {f"validation_{name}": figure for name in ("direction_f1", "notable_ap", "status_f1", "signals_f1")}
    manifest |= {"model": version, "figures": manifest["figures"] | better | {"validation_pole_flips": 0.05}}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    return folder


def few_texts(folder: Path) -> Path:
    """A corpus of some hundred texts and a few articles."""
    folder.mkdir()
    for name, every in (("wire.jsonl", 5), ("everyday.jsonl", 10), ("articles_b.jsonl", 8)):
        lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()[::every]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


# The shelf ------------------------------------------------------------------------------------------------------------


def test_an_empty_shelf_means_the_model_that_ships(shelf: Shelf) -> None:
    assert shelf.live() == DEFAULT_ARTIFACT
    assert [(kept.name, kept.live) for kept in shelf.kept()] == [("shipped", True)]
    with pytest.raises(ModelError, match="nothing to roll back"):
        shelf.roll_back()


def test_a_promoted_model_is_live_until_it_is_rolled_back(shelf: Shelf, other: Path) -> None:
    place = shelf.put(other)
    assert shelf.live() == DEFAULT_ARTIFACT
    assert shelf.promote("abc") == place == shelf.live()
    assert [(kept.name, kept.live) for kept in shelf.kept()] == [("shipped", False), ("abcdef123456", True)]
    assert shelf.roll_back() == DEFAULT_ARTIFACT == shelf.live()
    shelf.promote("abcdef123456")
    shelf.promote("shipped")
    assert shelf.roll_back() == place


def test_putting_a_model_twice_keeps_one(shelf: Shelf, other: Path) -> None:
    assert shelf.put(other) == shelf.put(other)
    assert len(shelf.kept()) == 2


def test_putting_a_model_again_mends_a_damaged_one(shelf: Shelf, other: Path) -> None:
    place = shelf.put(other)
    (place / MODEL_FILE).write_bytes(b"x")
    assert shelf.put(other) == place
    assert read_manifest(place)["model"] == "abcdef123456"


@pytest.mark.parametrize("name", ["", "zzz", "../other"])
def test_an_unknown_model_is_named_with_those_there_are(shelf: Shelf, other: Path, name: str) -> None:
    shelf.put(other)
    with pytest.raises(ModelError, match=r"no model is called.*shipped, abcdef123456"):
        shelf.promote(name)


def test_a_damaged_model_is_never_promoted(shelf: Shelf, other: Path) -> None:
    place = shelf.put(other)
    (place / MODEL_FILE).write_bytes(b"x")
    with pytest.raises(ModelError, match="sha256 differs"):
        shelf.promote("abc")
    assert shelf.live() == DEFAULT_ARTIFACT


def test_a_damaged_model_is_listed_as_such_and_can_be_left_by_rollback(shelf: Shelf, other: Path) -> None:
    place = shelf.put(other)
    shelf.promote("abc")
    (place / MODEL_FILE).write_bytes(b"x")
    shipped, damaged = shelf.kept()
    assert (shipped.fault, damaged.live, damaged.manifest) == ("", True, {})
    assert "sha256 differs" in damaged.fault
    shutil.rmtree(place)
    assert shelf.live_name == "abcdef123456"
    assert shelf.roll_back() == DEFAULT_ARTIFACT


@pytest.mark.parametrize("name", [TOKENIZER_FILE, HELD_OUT_FILE])
def test_a_file_that_the_manifest_does_not_list_is_not_trusted(other: Path, name: str) -> None:
    manifest = json.loads((other / MANIFEST_FILE).read_text())
    del manifest["files"][name]
    (other / MANIFEST_FILE).write_text(json.dumps(manifest))
    for read in (read_manifest, keep_encoder):
        with pytest.raises(ModelError, match=f"does not list {name}"):
            read(other)


@pytest.mark.parametrize("note", ["", "[]", '{"live": 3}', "{"])
def test_a_damaged_note_says_how_to_get_back_to_the_shipped_model(shelf: Shelf, note: str) -> None:
    shelf.folder.mkdir()
    (shelf.folder / "live.json").write_text(note)
    with pytest.raises(ModelError, match=r"live\.json.*delete it"):
        shelf.live()


# Promotion ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overall", "hard", "better"),
    [
        ((0.6, 0.7), (0.5, 0.5), True),
        ((0.6, 0.7), (0.5, 0.6), True),
        ((0.6, 0.6), (0.5, 0.9), False),
        ((0.6, 0.7), (0.5, 0.49), False),
        ((0.7, 0.6), (0.5, 0.5), False),
    ],
)
def test_a_model_must_beat_validation_and_must_not_fall_on_hard_pairs(
    overall: tuple[float, float], hard: tuple[float, float], better: bool
) -> None:
    assert Comparison({}, overall, hard, True).better is better


def test_figures_of_different_corpora_do_not_make_a_model_better() -> None:
    compared = Comparison({}, (0.1, 0.9), (0.1, 0.9), same_corpus=False)
    assert not compared.better and "different corpora" in compared.objection


def test_a_live_model_that_cannot_be_loaded_is_beaten(other: Path, tmp_path: Path) -> None:
    live = renamed(tmp_path / "live", "ffff00000000", 1.0)
    (live / MODEL_FILE).write_bytes(b"x")
    compared = compare(live, other)
    assert compared.better
    assert "counts as beaten" in str(compared) and "sha256 differs" in str(compared)
    with pytest.raises(ModelError, match="sha256 differs"):
        compare(other, live)


def test_a_damaged_live_model_gives_way_to_the_shipped_one(bot: Bot, tmp_path: Path, other: Path) -> None:
    shelf = Shelf(tmp_path / "var/models")
    (shelf.put(other) / MODEL_FILE).rename(tmp_path / "lost")
    shelf.folder.joinpath("live.json").write_text('{"live": "abcdef123456", "earlier": ["shipped"]}')
    assert "models rollback" in bot("score").err
    done = bot("models", "promote", "shipped")
    assert done.code == 0 and "counts as beaten" in done.words
    assert shelf.live() == DEFAULT_ARTIFACT


def test_two_artifacts_are_compared_by_held_out_figures_and_by_the_same_hard_pairs(other: Path) -> None:
    compared = compare(DEFAULT_ARTIFACT, other)
    assert compared.figures["direction_f1"][1] == 0.9
    assert compared.hard_pairs[0] == compared.hard_pairs[1] > 0.5
    assert compared.same_corpus
    assert "hard pairs" in str(compared)


def test_the_commands_list_promote_and_roll_back(bot: Bot, tmp_path: Path, other: Path) -> None:
    Shelf(tmp_path / "var/models").put(other)
    worse = renamed(tmp_path / "worse", "ffff00000000", 0.0)
    Shelf(tmp_path / "var/models").put(worse)
    assert "abcdef123456" in bot("models", "list").out
    refused = bot("models", "promote", "ffff")
    assert refused.code == 1 and "--force" in refused.err
    done = bot("models", "promote", "abc")
    assert done.code == 0 and "reread" in done.words
    assert Shelf(tmp_path / "var/models").live().name == "abcdef123456"
    assert bot("models", "rollback").code == 0
    assert Shelf(tmp_path / "var/models").live() == DEFAULT_ARTIFACT
    opened = open_database("sqlite:///tocsin.db", datetime.now(UTC))
    with opened.read() as session:
        known = [(row.who, row.area, row.after) for row in session.exec(select(Change))]
    opened.close()
    assert known == [("command line", "model", name) for name in ("abcdef123456", DEFAULT_ARTIFACT.name)]


def test_a_promotion_that_an_admin_had_run_is_recorded_as_theirs(
    bot: Bot, tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shelf(tmp_path / "var/models").put(other)
    monkeypatch.setenv("TOCSIN_ASKED_BY", "1001")
    assert bot("models", "promote", "abc").code == 0
    opened = open_database("sqlite:///tocsin.db", datetime.now(UTC))
    with opened.read() as session:
        change = session.exec(select(Change)).one()
    opened.close()
    assert (change.who, change.admin_id, change.after) == ("admin 1001", 1001, "abcdef123456")


async def test_a_running_tocsin_takes_up_a_promoted_model(
    sqlite_url: str, now: datetime, tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_MODELS", str(tmp_path / "models"))
    (tmp_path / "config").mkdir()
    async with open_app(tmp_path / "config", sqlite_url, {}, lambda: now) as app:
        before = app.load_model().version
        kept = Shelf(tmp_path / "models")
        kept.put(other)
        kept.promote("abc")
        await app.reload()
        assert app.load_model().version == "abcdef123456" != before
        (tmp_path / "models" / "live.json").write_text("{")
        await app.reload()
        assert app.load_model().version == "abcdef123456"


class Asked(Exception):
    """Raised in place of a training; holds what was asked for."""


def asked_for(*args: object) -> TrainReport:
    raise Asked(*args)


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ([], "./run.sh train --seed 20260101"),
        (["--seed", "7", "--out", "new model"], "./run.sh train --seed 7 --out 'new model'"),
        (["--encoder", "--corpus", "a", "--out", "b"], "./run.sh train --encoder --seed 20260101 --corpus a --out b"),
        (["--encoder", "--refresh"], "./run.sh train --encoder --refresh --seed 20260101"),
    ],
    ids=["plain", "out", "encoder", "refresh"],
)
def test_train_keeps_the_live_encoder_and_records_its_own_command(
    bot: Bot, tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], command: str
) -> None:
    shelf = Shelf(tmp_path / "var/models")
    live = shelf.put(other)
    shelf.promote("abc")
    monkeypatch.setattr("classifiers.train.train", asked_for)
    with pytest.raises(Asked) as asked:
        bot("train", *options)
    source = asked.value.args[4]
    if "--refresh" in options:
        assert callable(source) and source is not tune_encoder
    else:
        assert source == (tune_encoder if "--encoder" in options else live.relative_to(tmp_path))
    assert asked.value.args[6] == command


def test_refresh_without_encoder_says_that_both_are_needed(bot: Bot) -> None:
    done = bot("train", "--refresh")
    assert done.code == 2 and "give both" in done.err


@pytest.mark.timeout(300)
def test_train_prints_the_table_and_promotes_what_beats_a_broken_model(bot: Bot, tmp_path: Path) -> None:
    small = few_texts(tmp_path / "corpus")
    shelf = Shelf(tmp_path / "var/models")
    label = labelled_of(verdict("Zorblax fires at the gate", datetime.now(UTC), severity=2))
    train(small, tmp_path / "live", seed=1, encoder=None, extra=[label])
    live = shelf.put(tmp_path / "live")
    shelf.promote(live.name)
    (live / MODEL_FILE).write_bytes(b"x")
    done = bot("train", "--corpus", str(small))
    assert done.code == 0 and "left out: the live model" in done.err
    assert all(
        words in done.words for words in ("frozen test", "keyword list", "hard pairs passed", "counts as beaten")
    )
    manifest = json.loads((shelf.live() / MANIFEST_FILE).read_text())
    assert manifest["model"] != live.name
    assert manifest["command"] == f"./run.sh train --seed 20260101 --corpus {small}"


# Verdicts -------------------------------------------------------------------------------------------------------------


def verdict(text: str, at: datetime, **values: object) -> Verdict:
    return Verdict(**{"kind": VerdictKind.LABEL, "text": text, "direction": "escalation", "created_at": at} | values)


def test_the_newest_label_of_a_text_counts_and_taps_are_no_labels(database: Database, now: datetime) -> None:
    with database.write() as session:
        session.add(verdict("a", now - DAY, severity=1))
        session.add(verdict("a", now, severity=3, signals=["threat"]))
        session.add(verdict("b", now, kind=VerdictKind.WRONG, direction=None))
    with database.read() as session:
        (label,) = labels(session)
        learned = labelled_of(label)
    assert (learned.text, learned.severity, learned.signals, learned.source) == ("a", 3, ("threat",), "verdict")


def test_a_verdict_outlives_the_article_it_was_about(database: Database, now: datetime) -> None:
    with database.write() as session:
        reading = add_reading(session, add_feed(session, now), now - 90 * DAY, "old")
        session.exec(select(Article)).one().seen_at = now - 90 * DAY
        session.add(verdict("old", now, article_id=reading.article_id))
        session.flush()
        assert forget_old(session, Articles(retention_days=30), now) == 1
    with database.read() as session:
        left = session.exec(select(Verdict)).one()
        assert (left.text, left.article_id) == ("old", None)


@pytest.mark.timeout(300)
def test_labels_are_trained_on_but_never_measured_with(tmp_path: Path, now: datetime) -> None:
    corpus = few_texts(tmp_path / "corpus")
    plain = train(corpus, tmp_path / "plain", seed=1, encoder=None)
    extra = [
        labelled_of(verdict(f"Zorblax {word} at the gate", now, severity=2)) for word in ("fires", "shells", "raids")
    ]
    taught = train(corpus, tmp_path / "taught", seed=1, encoder=None, extra=extra)
    assert taught.texts == plain.texts | {"train": plain.texts["train"] + 3}
    assert taught.model != plain.model
    assert json.loads((tmp_path / "taught" / MANIFEST_FILE).read_text())["verdicts"] == 3


# Reading again --------------------------------------------------------------------------------------------------------


class Alarmist:
    """Reads 90 in every text, and remembers the titles."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        self.titles += [document.title for document in documents]
        return [
            Judgement(90.0, 0.0, dict.fromkeys(DIRECTIONS, 0.0), 3, "asserted", dict.fromkeys(SIGNALS, 0.0))
            for _ in documents
        ]


def stored(database: Database, now: datetime) -> None:
    with database.write() as session:
        feed = add_feed(session, now)
        add_reading(session, feed, now - 9 * DAY, "too old", 10.0)
        add_reading(session, feed, now - DAY, "of another model", 10.0)
        add_reading(session, feed, now - DAY, "of this model", 10.0, model="new")
        edited = add_reading(session, feed, now - DAY, "second version", 80.0, revision=1)
        session.add(
            Revision(article_id=edited.article_id, number=1, title="second version", content_hash="x", seen_at=now)
        )


def test_a_comparison_reads_what_another_model_read_last_and_stores_nothing(database: Database, now: datetime) -> None:
    stored(database, now)
    judge, told = Alarmist(), []
    changes = compare_readings(database, judge, Levels(), "new", now - 3 * DAY, told.append)
    assert judge.titles == ["of another model", "second version"]
    assert [(change.before, change.after) for change in changes] == [
        ((10.0, 0.0), (90.0, 0.0)),
        ((80.0, 0.0), (90.0, 0.0)),
    ]
    assert changes[0].level_after > changes[0].level_before
    assert told == [2]
    with database.read() as session:
        assert articles_to_reread(session, "new", now - 3 * DAY) == 2
        assert [a.unread_revision for a in session.exec(select(Article))] == [None] * 4


def test_marked_articles_wait_in_the_version_that_was_read_last(database: Database, now: datetime) -> None:
    stored(database, now)
    with database.write() as session:
        assert mark_unread(session, "new", now - 3 * DAY) == 2
    with database.read() as session:
        waiting = {article.title: article.unread_revision for article in session.exec(select(Article))}
    assert waiting == {"too old": None, "of another model": 0, "of this model": None, "second version": 1}


class Model:
    """A model by name: reads the same score in every text."""

    def __init__(self, name: str, score: float) -> None:
        self.name, self.score = name, score

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        (one,) = Alarmist().judge(documents[:1])
        return [replace(one, escalation=self.score, model=self.name) for _ in documents]


def read_and_gather(database: Database, model: Model, now: datetime) -> int:
    """Mark what another model read, as `reread --apply` does, and go through the stages; returns how many were read."""
    with database.write() as session:
        mark_unread(session, model.name, now - 3 * DAY)
    count = read_new_articles(database, model, now)
    with database.write() as session:
        gather_stories(session, load_index(session, Stories()), Stories())
        raise_alerts(session, Alerts(), now)
    return count


@pytest.mark.parametrize("second", [70.0, 0.0], ids=["loud", "quiet"])
def test_the_model_before_reads_again_after_a_rollback(database: Database, now: datetime, second: float) -> None:
    with database.write() as session:
        add_article(session, add_feed(session, now), now, "Troops cross the border")
    first, other = Model("a", 90.0), Model("b", second)
    assert [read_and_gather(database, model, now) for model in (first, other, first)] == [1, 1, 1]
    assert read_and_gather(database, first, now) == 0
    with database.read() as session:
        kept = {reading.model: reading for reading in session.exec(select(Reading))}
        (story,) = session.exec(select(Story))
        assert {name: reading.latest for name, reading in kept.items()} == {"a": True, "b": False}
        assert (kept["a"].story_id, kept["a"].escalation, kept["a"].gathered) == (story.id, 90.0, True)
        assert session.exec(select(Article)).one().unread_revision is None
        assert (story.escalation, story.articles) == (pytest.approx(90.0 * Stories().single_source_factor), 1)


@pytest.mark.parametrize(
    ("before", "after", "turned"),
    [((60, 5), (8, 55), True), ((60, 5), (70, 20), False), ((60, 5), (3, 10), False), ((20, 5), (5, 60), False)],
    ids=["turned", "louder", "quiet now", "quiet before"],
)
def test_a_reading_that_rings_the_other_way_round_is_turned(
    before: tuple[float, float], after: tuple[float, float], turned: bool
) -> None:
    levels = [level_of(max(scores), Levels()) for scores in (before, after)]
    assert reread.Change("Talks", datetime(2026, 5, 1, tzinfo=UTC), before, after, *levels).turned is turned


def test_reread_says_what_would_change_and_that_nothing_was_stored(bot: Bot) -> None:
    done = bot("reread", "--since", "7d")
    assert done.code == 0 and "0 articles were read by another model" in done.words
    applied = bot("reread", "--apply")
    assert "0 articles wait" in applied.words
    assert bot("reread", "--since", "soon").err.startswith("error: 'soon' is no span of time")


@given(st.integers(1, 400), st.sampled_from("hdw"))
def test_spans_are_numbers_of_hours_days_or_weeks(count: int, unit: str) -> None:
    assert parse_span(f"{count}{unit}") == count * {"h": DAY / 24, "d": DAY, "w": 7 * DAY}[unit]


@given(st.text(max_size=8))
def test_any_other_span_is_refused_with_an_example(text: str) -> None:
    try:
        assert parse_span(text) > timedelta(0)
    except ConfigError as error:
        assert "30d" in str(error)
