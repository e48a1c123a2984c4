"""feeds.toml is edited as an admin would edit it: one entry more or less, everything else as it was, never half."""

import multiprocessing
import tempfile
import threading
import tomllib
from pathlib import Path

import pytest

from config.edit import add_feeds, edit_feed, remove_feed
from config.errors import ConfigError
from config.load import DEFAULT_FOLDER, load_settings
from config.schema import FeedEntry

A, B, C = (f"https://example.org/{name}.xml" for name in "abc")
WRITTEN = f"""# mine
[families.one]   # the first
name = "One"

# the quiet one
[[feeds]]
url = "{A}"  # slow on Sundays
weight = 0.5
family = "one"

# the loud one
[[feeds]]
url = "{B}"
regions = ["europe",
  "africa"]
"""


def urls(folder: Path) -> list[str]:
    return [feed.url for feed in load_settings(folder, {}).feeds.feeds]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "feeds.toml").write_text(WRITTEN, encoding="utf-8")
    return tmp_path


def text_of(folder: Path) -> str:
    return (folder / "feeds.toml").read_text(encoding="utf-8")


def test_adding_appends_and_leaves_every_byte_before_it(folder: Path) -> None:
    entry = FeedEntry(url=C, title='Say "C"', family="one", regions=("europe",), weight=0.9)
    assert add_feeds(folder, [entry]) == [entry]
    assert text_of(folder).startswith(WRITTEN)
    assert load_settings(folder, {}).feeds.feeds[-1] == entry
    assert set(tomllib.loads(text_of(folder))["feeds"][-1]) == {"url", "title", "family", "regions", "weight"}


def test_what_is_there_already_is_not_added_twice(folder: Path) -> None:
    assert [entry.url for entry in add_feeds(folder, [FeedEntry(url=url) for url in (A, C, B, C)])] == [C]
    assert urls(folder) == [A, B, C]
    before = (folder / "feeds.toml").stat()
    assert add_feeds(folder, [FeedEntry(url=C)]) == []
    assert (folder / "feeds.toml").stat().st_ino == before.st_ino


def test_removing_takes_out_one_entry_and_keeps_order_and_other_comments(folder: Path) -> None:
    remove_feed(folder, B)
    assert urls(folder) == [A]
    assert text_of(folder).startswith(WRITTEN.partition("# the loud one")[0].rstrip())
    remove_feed(folder, A)
    assert urls(folder) == []
    assert "# mine\n[families.one]   # the first\n" in text_of(folder)


def test_adding_and_removing_again_changes_nothing(folder: Path) -> None:
    for _ in range(2):
        add_feeds(folder, [FeedEntry(url=C, title="C")])
        remove_feed(folder, C)
    assert text_of(folder).rstrip() == WRITTEN.rstrip()


def test_the_shipped_file_survives_an_edit(tmp_path: Path) -> None:
    shipped = (DEFAULT_FOLDER / "feeds.toml").read_text(encoding="utf-8")
    (tmp_path / "feeds.toml").write_text(shipped, encoding="utf-8")
    add_feeds(tmp_path, [FeedEntry(url=C)])
    assert text_of(tmp_path).startswith(shipped.rstrip())
    first = urls(tmp_path)[0]
    remove_feed(tmp_path, first)
    assert first not in urls(tmp_path)
    assert text_of(tmp_path).count("\n#") == shipped.count("\n#")


@pytest.mark.parametrize("text", [None, "", "feeds = []\n", "# nothing yet\n"], ids=["missing", "empty", "[]", "words"])
def test_the_first_feed_makes_the_list(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "feeds.toml").write_text(text, encoding="utf-8")
    add_feeds(tmp_path, [FeedEntry(url=A), FeedEntry(url=B)])
    assert urls(tmp_path) == [A, B]
    assert (tmp_path / "feeds.toml").stat().st_mode & 0o777 == 0o644


def test_feeds_written_inline_can_be_edited(tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text(f'feeds = [{{url = "{A}"}}]  # short\n', encoding="utf-8")
    add_feeds(tmp_path, [FeedEntry(url=B, regions=("africa",))])
    assert urls(tmp_path) == [A, B]
    remove_feed(tmp_path, A)
    assert urls(tmp_path) == [B]
    assert "# short" in text_of(tmp_path)


@pytest.mark.parametrize("text", [None, "", WRITTEN], ids=["missing", "empty", "others"])
def test_removing_what_is_not_there_says_so(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "feeds.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"feeds\.toml: no feed has the address {C}; `feeds list` shows"):
        remove_feed(tmp_path, C)
    assert (tmp_path / "feeds.toml").exists() == (text is not None)


def test_an_edit_that_would_not_pass_never_replaces_the_file(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        add_feeds(folder, [FeedEntry(url=C, family="nobody")])
    assert str(caught.value).startswith(f"{folder / 'feeds.toml'}: feeds: {C} names family")
    assert text_of(folder) == WRITTEN
    assert [path.name for path in folder.iterdir()] == ["feeds.toml"]


@pytest.mark.parametrize("text", [b"[[feeds]", b"\xff", b"feeds = 3"], ids=["bad TOML", "not text", "not a list"])
def test_a_broken_file_is_left_for_its_admin_to_mend(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "feeds.toml").write_bytes(text)
    with pytest.raises(ConfigError, match=r"feeds\.toml: "):
        add_feeds(tmp_path, [FeedEntry(url=A)])
    assert (tmp_path / "feeds.toml").read_bytes() == text


def test_permissions_and_links_stay(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "feeds.toml").rename(elsewhere / "real.toml")
    (elsewhere / "real.toml").chmod(0o640)
    (folder / "feeds.toml").symlink_to(elsewhere / "real.toml")
    add_feeds(folder, [FeedEntry(url=C)])
    assert (folder / "feeds.toml").is_symlink()
    assert (elsewhere / "real.toml").stat().st_mode & 0o777 == 0o640
    assert urls(folder) == [A, B, C]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: cannot be opened: No such file"):
        add_feeds(tmp_path / "nowhere", [FeedEntry(url=A)])


@pytest.mark.parametrize("step", ["mkstemp", "replace"], ids=["no room for the new file", "the old one is held"])
def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_no_scraps(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile if step == "mkstemp" else Path, step, refuse)
    with pytest.raises(ConfigError, match=r"feeds\.toml: cannot be written: Permission denied"):
        add_feeds(folder, [FeedEntry(url=C)])
    assert text_of(folder) == WRITTEN
    assert [path.name for path in folder.iterdir()] == ["feeds.toml"]


def add_ten(folder: Path, worker: int) -> None:
    for number in range(10):
        add_feeds(folder, [FeedEntry(url=f"https://example.org/{worker}/{number}")])


def test_edits_at_the_same_time_lose_nothing_and_a_reader_sees_whole_files(folder: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    workers = [spawn.Process(target=add_ten, args=(folder, worker)) for worker in range(2)]
    workers_done = threading.Event()
    counts: list[int] = []

    def keep_reading() -> None:
        while not workers_done.is_set():
            counts.append(len(urls(folder)))

    reader = threading.Thread(target=keep_reading)
    for worker in workers:
        worker.start()
    reader.start()
    for worker in workers:
        worker.join(30)
    workers_done.set()
    reader.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert counts == sorted(counts)
    assert len(urls(folder)) == 22
    assert [path.name for path in folder.iterdir()] == ["feeds.toml"]


def test_a_feed_changes_where_it_stands_and_taking_that_back_leaves_the_file_as_it_was(folder: Path) -> None:
    before, after = edit_feed(folder, A, {"paused": True, "regions": ["europe"]})
    assert edit_feed(folder, A, {"paused": True}) == (after, after)
    assert [(feed.paused, feed.regions) for feed in load_settings(folder, {}).feeds.feeds] == [
        (True, ("europe",)),
        (False, ("europe", "africa")),
    ]
    assert "# slow on Sundays" in text_of(folder)
    assert edit_feed(folder, A, {"paused": None, "regions": None}) == (after, before)
    assert text_of(folder) == WRITTEN
    with pytest.raises(ConfigError, match="no feed has the address"):
        edit_feed(folder, C, {"paused": True})


@pytest.mark.parametrize(("key", "value"), [("weight", 9), ("family", "nobody"), ("interval_minutes", 1)])
def test_a_value_that_no_feed_may_have_changes_nothing(folder: Path, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        edit_feed(folder, A, {key: value})
    assert text_of(folder) == WRITTEN


def test_feeds_that_the_environment_sets_are_not_edited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__FEEDS__FEEDS", "[]")
    for edit in (lambda: add_feeds(folder, [FeedEntry(url=C)]), lambda: remove_feed(folder, A)):
        with pytest.raises(ConfigError, match="set by the environment \\(TOCSIN__FEEDS__FEEDS\\)"):
            edit()
    assert text_of(folder) == WRITTEN
