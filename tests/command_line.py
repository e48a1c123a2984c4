"""A command as typed goes in, how it ended comes out: for the tests of bot/cli.py, in this process to be quick."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import cli


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Everything on stdout as one line, without the frames of tables and panels."""
        return " ".join(self.out.translate(str.maketrans("│╭╮╰╯─┌┐└┘", " " * 10)).split())


Bot = Callable[..., Done]


def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bot:
    """A `bot("check")` that runs a command in this process, in an empty folder with an empty config and environment."""
    for variable in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(variable)
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(*args: str, stdin: bytes = b"", config: str = "config", database: str = "sqlite:///tocsin.db") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        monkeypatch.setattr(sys, "argv", ["bot", *args, "--config", config, "--database", database])
        capsys.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        assert isinstance(code, int)
        return Done(code, *capsys.readouterr())

    return run


def write(name: str, text: str) -> None:
    (Path("config") / f"{name}.toml").write_text(text, encoding="utf-8")


def one_line(done: Done) -> str:
    """The only line on stderr of a command that failed."""
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1, done.err
    return done.err
