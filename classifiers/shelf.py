"""A folder with every model that was trained here, and a note of which one is live.

    var/models/live.json        {"live": "3fa...", "earlier": ["shipped"]}
    var/models/3fa.../          an artifact, as classifiers.artifact writes it

Nothing on the shelf means: the model that ships. The note is replaced in one step, so that a crash leaves the old one.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.artifact import DEFAULT_ARTIFACT, read_manifest
from config.errors import ModelError

SHIPPED = "shipped"
_NOTE = "live.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A model of the shelf: its name ("shipped" or its version), folder and manifest; `fault` says why it cannot be
    live, if so, and then the manifest is empty."""

    name: str
    folder: Path
    manifest: dict[str, Any]
    live: bool
    fault: str = ""


class Shelf:
    """The models in `folder`, which need not exist yet; `shipped` is the artifact in the program."""

    def __init__(self, folder: Path, shipped: Path = DEFAULT_ARTIFACT) -> None:
        self.folder = folder
        self._shipped = shipped

    @property
    def live_name(self) -> str:
        """What the note calls the live model, be it there or not."""
        return str(self._note()["live"])

    def live(self) -> Path:
        """The folder of the model in use. Raises ModelError when the note names a model that is gone."""
        return self.find(self._note()["live"])

    def find(self, name: str) -> Path:
        """The folder of a model by its name; the start of a version is enough. Raises ModelError."""
        if name == SHIPPED:
            return self._shipped
        found = [path for path in self._folders() if path.name.startswith(name)] if name else []
        if len(found) != 1:
            known = ", ".join([SHIPPED, *(path.name for path in self._folders())])
            fault = "more than one model begins with" if found else "no model is called"
            raise ModelError(f"{fault} {name!r} in {self.folder}; there are: {known}")
        return found[0]

    def kept(self) -> list[Kept]:
        """All models, the shipped one first; of one that cannot be used `fault` says why."""
        live = self.live_name
        folders = [(SHIPPED, self._shipped), *((path.name, path) for path in self._folders())]
        return [_look_at(name, path, name == live) for name, path in folders]

    def put(self, artifact: Path) -> Path:
        """Take an artifact in under its version, where a damaged one may lie; returns where it lies now.

        Raises ModelError for an artifact that is damaged itself.
        """
        version = str(read_manifest(artifact)["model"])
        place, half = self.folder / version, self.folder / f".{version}"
        if not _is_whole(place):
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(artifact, half)
            shutil.rmtree(place, ignore_errors=True)
            half.rename(place)
        return place

    def promote(self, name: str) -> Path:
        """Make a model the live one and remember the one before. Raises ModelError when it is damaged or unknown."""
        folder = self.find(name)
        read_manifest(folder)
        note, wanted = self._note(), SHIPPED if folder == self._shipped else folder.name
        if note["live"] != wanted:
            self._write(wanted, [note["live"], *(each for each in note["earlier"] if each != wanted)])
        return folder

    def roll_back(self) -> Path:
        """Make the model before the live one live again. Raises ModelError when there was none."""
        note = self._note()
        if not note["earlier"]:
            raise ModelError("no model was live before this one: there is nothing to roll back to")
        back, *rest = note["earlier"]
        folder = self.find(back)
        read_manifest(folder)
        self._write(back, rest)
        return folder

    def _folders(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*") if path.is_dir() and not path.name.startswith("."))

    def _note(self) -> dict[str, Any]:
        path = self.folder / _NOTE
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            return {"live": str(note["live"]), "earlier": [str(name) for name in note["earlier"]]}
        except FileNotFoundError:
            return {"live": SHIPPED, "earlier": []}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} cannot be read ({error}): delete it to use the model that ships") from error

    def _write(self, live: str, earlier: list[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        half = self.folder / f".{_NOTE}"
        half.write_text(json.dumps({"live": live, "earlier": earlier}) + "\n", encoding="utf-8")
        half.replace(self.folder / _NOTE)


def _look_at(name: str, path: Path, live: bool) -> Kept:
    try:
        return Kept(name, path, read_manifest(path), live)
    except ModelError as error:
        return Kept(name, path, {}, live, str(error))


def _is_whole(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except ModelError:
        return False
    return True
