"""A subscriber in, what they chose out: a value, so that chats of equal choices are seen to be equal."""

from dataclasses import dataclass
from typing import Self

from models import Subscriber


@dataclass(frozen=True, slots=True)
class Choice:
    """Empty sets filter nothing; the words are those of `Subscriber`."""

    regions: frozenset[str] = frozenset()
    dyads: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    muted_dyads: frozenset[str] = frozenset()

    @classmethod
    def of(cls, subscriber: Subscriber) -> Self:
        """As the subscriber stands."""
        return cls(
            regions=frozenset(subscriber.regions),
            dyads=frozenset(subscriber.dyads),
            signals=frozenset(subscriber.signals),
            muted_dyads=frozenset(subscriber.muted_dyads),
        )

    @property
    def narrows(self) -> bool:
        """Whether something was chosen; a muted pair leaves out, and chooses nothing."""
        return bool(self.regions or self.dyads or self.signals)
