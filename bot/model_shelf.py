"""Where trained models are kept, and the classifier that is live, with the parties an admin added."""

from pathlib import Path
from typing import TYPE_CHECKING

from config.schema import Actors
from config.secrets import DEFAULT_MODELS_FOLDER, MODELS_FOLDER, read_secret
from models import Verdict

if TYPE_CHECKING:
    from classifiers.classifier import Classifier
    from classifiers.corpus_files import Labelled
    from classifiers.judgement import ActorEntry
    from classifiers.shelf import Shelf


def shelf() -> "Shelf":
    """The shelf in $TOCSIN_MODELS, or in var/models."""
    from classifiers.shelf import Shelf

    return Shelf(Path(read_secret(MODELS_FOLDER) or DEFAULT_MODELS_FOLDER))


def live_classifier(actors: Actors) -> "Classifier":
    """The live model, ready to read. Raises ModelError."""
    return classifier_in(shelf().live(), actors)


def classifier_in(folder: Path, actors: Actors) -> "Classifier":
    """The model in `folder`, ready to read, with the admin's parties. Raises ModelError."""
    from classifiers.classifier import load_classifier

    return load_classifier(folder, extra_actors=extra_actors(actors))


def extra_actors(actors: Actors) -> "list[ActorEntry]":
    """The admin's parties as the classifier takes them."""
    from classifiers.judgement import ActorEntry

    return [ActorEntry(entry.code, entry.name, entry.aliases, entry.kind) for entry in actors.actors]


def labelled_of(verdict: Verdict) -> "Labelled":
    """An admin's label as a text to train on."""
    from classifiers.corpus_files import Labelled, family_of_text

    return Labelled(
        verdict.text,
        tuple(verdict.signals),
        verdict.direction or "none",
        verdict.severity or 0,
        verdict.status,
        source="verdict",
        family=family_of_text(verdict.text),
    )
