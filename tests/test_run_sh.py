"""./run.sh with a pretended Python: what it installs and when, what it starts and how, and what it advises."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("bash", "cat", "dirname", "grep", "rm", "mkdir", "cp")

# Notes every call in $NOTES, answers as the version $VERSION, and makes environments that hold a copy of itself.
PYTHON = r"""#!/usr/bin/env bash
version=${VERSION:-3 11}
case "$1 ${2:-}" in
"-c import sys; sys.exit("*) [ "${version% *}${version#* }" -ge 311 ] ;;
"-c import sys; print("*) echo "python (${version% *}, ${version#* })" ;;
"-c "*) exit 0 ;;
"-m venv") for folder; do :; done; mkdir -p "$folder/bin"; echo venv >>"$NOTES"
    [ "$0" -ef "$folder/bin/python" ] || cp "$0" "$folder/bin/python"; exit "${VENV_EXIT:-0}" ;;
"-m pip") echo "pip ${*: -1}" >>"$NOTES"; echo "Collecting one==1"; exit "${PIP_EXIT:-0}" ;;
*) printf '%s|' "$@" >>"$NOTES"; printf '%s|%s\n' "$PWD" "${PYTHONPATH:-}" >>"$NOTES"; exit "${BOT_EXIT:-0}" ;;
esac
"""


@dataclass
class Checkout:
    """A folder with run.sh and a lock file, and a PATH with little more than a pretended Python."""

    folder: Path
    bin: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> Path:
        return self.bin.parent / "notes"

    def run(self, *args: str, start: str = "./run.sh", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "NOTES": str(self.notes), "HOME": str(self.folder), **self.variables}
        return subprocess.run(
            [start, *args], cwd=cwd or self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def noted(self) -> list[str]:
        """What Python was asked to do since the last look."""
        lines = self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []
        self.notes.unlink(missing_ok=True)
        return lines

    def started(self, *args: str, path: str = "") -> str:
        """The note of a start in this folder."""
        return "|".join([*args, str(self.folder), f"{self.folder}{path}"])


IN_PARALLEL = ("--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "a checkout (with 'odd' name)", tmp_path / "bin")
    made.folder.mkdir()
    made.bin.mkdir()
    shutil.copy(ROOT / "run.sh", made.folder)
    (made.folder / "requirements-dev.lock").write_text("one==1 \\\n    --hash=sha256:0\ntwo==2\n", encoding="utf-8")
    for tool in TOOLS:
        (made.bin / tool).symlink_to(shutil.which(tool) or tool)
    (made.bin / "python3").write_text(PYTHON, encoding="utf-8")
    (made.bin / "python3").chmod(0o755)
    return made


INSTALLED = ["venv", "pip requirements-dev.lock"]


def test_the_first_start_installs_and_runs(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert checkout.noted() == [*INSTALLED, checkout.started("-m", "bot", "run")]
    assert "Installing into .venv (once" in done.stderr
    assert "packages fetched: 1" in done.stderr
    assert done.stdout == ""


def test_a_second_start_installs_nothing(checkout: Checkout) -> None:
    checkout.run()
    checkout.noted()
    done = checkout.run()
    assert checkout.noted() == [checkout.started("-m", "bot", "run")]
    assert (done.stdout, done.stderr) == ("", "")


def test_a_changed_lock_installs_again_and_only_once(checkout: Checkout) -> None:
    checkout.run()
    with (checkout.folder / "requirements-dev.lock").open("a", encoding="utf-8") as lock:
        lock.write("three==3\n")
    checkout.noted()
    checkout.run()
    checkout.run()
    started = checkout.started("-m", "bot", "run")
    assert checkout.noted() == [*INSTALLED, started, started]


def test_another_python_installs_again(checkout: Checkout) -> None:
    checkout.run()
    checkout.noted()
    checkout.variables = {"VERSION": "3 12"}
    checkout.run()
    assert checkout.noted()[:2] == INSTALLED


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    checkout.run()
    checkout.noted()
    (checkout.folder / ".venv" / "bin" / "python").unlink()
    checkout.run()
    assert checkout.noted() == [*INSTALLED, checkout.started("-m", "bot", "run")]


def test_an_install_that_fails_says_what_to_do_and_is_tried_again(checkout: Checkout) -> None:
    checkout.variables = {"PIP_EXIT": "1"}
    done = checkout.run()
    assert done.returncode == 1
    assert "Installing failed; the lines above say why." in done.stderr.splitlines()[-1]
    assert checkout.noted() == INSTALLED
    checkout.variables = {}
    assert checkout.run().returncode == 0
    assert checkout.noted()[:2] == INSTALLED


def test_an_environment_that_cannot_be_made_says_which_package_is_missing(checkout: Checkout) -> None:
    checkout.variables = {"VENV_EXIT": "1"}
    done = checkout.run()
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr.splitlines()[-1]
    assert not (checkout.folder / ".venv" / "installed").exists()


@pytest.mark.parametrize("found", ["too old", "none"])
def test_without_a_fitting_python_there_is_one_line_of_advice(checkout: Checkout, found: str) -> None:
    if found == "none":
        (checkout.bin / "python3").unlink()
    checkout.variables = {"VERSION": "3 10"}
    done = checkout.run("check")
    assert done.returncode == 1
    assert done.stderr == (
        "Tocsin needs Python 3.11 or newer, and found none. Install it, or set PYTHON=/path/to/python3.\n"
    )
    assert checkout.noted() == []
    assert not (checkout.folder / ".venv").exists()


def test_the_python_that_is_named_is_taken(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.bin / "python3").rename(tmp_path / "my python")
    checkout.variables = {"PYTHON": str(tmp_path / "my python")}
    assert checkout.run().returncode == 0
    assert checkout.noted()[:2] == INSTALLED


@pytest.mark.parametrize("word", ["help", "-h", "--help"])
def test_help_needs_no_python(checkout: Checkout, word: str) -> None:
    (checkout.bin / "python3").unlink()
    done = checkout.run(word)
    assert done.returncode == 0
    for command in ("demo", "test", "lint", "bench", "train", "check", "once", "feeds", "backup", "restore FILE"):
        assert command in done.stdout
    assert not (checkout.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("args", "started"),
    [
        (("once", "--config", "a b"), ("-m", "bot", "once", "--config", "a b")),
        (("feeds", "add", "https://a.example/?x=1&y=*"), ("-m", "bot", "feeds", "add", "https://a.example/?x=1&y=*")),
        (
            ("test", "tests/test_x.py", "-k", "a and b"),
            ("-m", "pytest", *IN_PARALLEL, "tests/test_x.py", "-k", "a and b"),
        ),
        (("bench", ""), ("-m", "benchmarks", "")),
        (("send-test", "--", "-100"), ("-m", "bot", "send-test", "--", "-100")),
    ],
    ids=lambda value: value[0],
)
def test_arguments_arrive_as_they_were_given(
    checkout: Checkout, args: tuple[str, ...], started: tuple[str, ...]
) -> None:
    checkout.run(*args)
    assert checkout.noted()[-1] == checkout.started(*started)


def test_the_exit_code_is_the_commands(checkout: Checkout) -> None:
    checkout.variables = {"BOT_EXIT": "3"}
    assert checkout.run("score").returncode == 3


def test_it_may_be_started_from_anywhere_and_our_packages_come_first(checkout: Checkout, tmp_path: Path) -> None:
    checkout.variables = {"PYTHONPATH": "/elsewhere"}
    done = checkout.run("check", start=str(checkout.folder / "run.sh"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert checkout.noted()[-1] == checkout.started("-m", "bot", "check", path=":/elsewhere")


def test_lint_stops_at_the_first_complaint(checkout: Checkout) -> None:
    checkout.variables = {"BOT_EXIT": "1"}
    assert checkout.run("lint").returncode == 1
    assert checkout.noted()[2:] == [checkout.started("-m", "ruff", "check", ".")]


def test_every_command_of_the_help_exists() -> None:
    from bot.cli import app

    usage = subprocess.run([ROOT / "run.sh", "help"], capture_output=True, text=True, check=True, env=_plain()).stdout
    commands = {found.name or getattr(found.callback, "__name__", "") for found in app.registered_commands}
    missing = [name for name in commands - {"health"} if name not in usage]
    assert missing == []


def _plain() -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"]}
