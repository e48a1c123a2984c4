"""The house rules that a machine can check: imports go one way, style and types are clean, documents tell the truth."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
PACKAGES = ("bot", "classifiers", "models", "config")


def test_imports_go_one_way() -> None:
    """In a process of its own, because the linter turns off every logger that it finds."""
    done = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."]], ids=["rules", "format"]
)
def test_the_style_is_kept(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(400)
def test_types_are_strict_and_clean() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_importing_a_package_opens_no_heavy_library() -> None:
    """`--help` must not wait for scikit-learn or matplotlib."""
    code = "import sys, bot.cli; print([m for m in ('sklearn', 'matplotlib', 'telegram') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_timetable_imports_apscheduler() -> None:
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    users = [path for path in files if re.search(r"^\s*(from|import) apscheduler", path.read_text(), re.M)]
    assert [path.relative_to(ROOT).as_posix() for path in users] == ["bot/jobs.py"]


def test_only_messages_escape_html() -> None:
    users = [path for path in (ROOT / "bot").rglob("*.py") if "from html import escape" in path.read_text()]
    assert {path.parent.name for path in users} == {"messages"}


def test_every_runtime_dependency_is_pinned_with_hashes_in_both_locks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        pinned = {name.lower() for name in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.M)}
        wanted = {re.split(r"[\[<>=]", entry)[0].lower() for entry in project["dependencies"]}
        assert wanted <= pinned
        assert text.count("==") <= text.count("--hash=")


def test_every_command_the_documents_name_exists() -> None:
    from bot.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups}
    own = set(re.findall(r"^([a-z]+)(?: \|.*)?\)", (ROOT / "run.sh").read_text(), re.M))
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for name in re.findall(r"python -m bot ([a-z][a-z-]*)", text):
            assert name in known, f"{document.name}: {name}"
        for name in re.findall(r"\./run\.sh ([a-z][a-z-]*)", text):
            assert name in known | own, f"{document.name}: {name}"


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
