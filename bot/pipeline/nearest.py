"""Event vectors in, the articles whose vectors are most like a new one out: an exact search among the newest."""

import numpy as np

from bot.pipeline.likeness import Vector

#: So many vectors are kept, the last that came: what bounds the cost of a look-up (half a millisecond).
KEPT = 4096
_NONE = -1


class NearestVectors:
    """A ring of vectors of length 1. Forgetting one costs nothing, the oldest is overwritten first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._next = 0
        self._rows: Vector | None = None
        self._keys = np.full(kept, _NONE, dtype=np.int64)
        self._slot_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, key: int, vector: Vector) -> None:
        """Keep a vector under a number from 0 up; a second one replaces the first."""
        self.remove(key)
        if self._rows is None:
            self._rows = np.zeros((len(self._keys), len(vector)), dtype=np.float32)
        slot, self._next = self._next, (self._next + 1) % len(self._keys)
        self.remove(int(self._keys[slot]))
        self._rows[slot] = vector
        self._keys[slot], self._slot_of[key] = key, slot

    def remove(self, key: int) -> None:
        """Forget it; unknown ones are ignored."""
        slot = self._slot_of.pop(key, None)
        if slot is not None:
            self._keys[slot] = _NONE

    def nearest(self, vector: Vector, most: int) -> list[int]:
        """The keys of at most `most` vectors, by falling cosine, of like ones the highest key first."""
        if self._rows is None:
            return []
        held = np.flatnonzero(self._keys != _NONE)
        # By einsum, as a product by BLAS would start threads that wait for each other longer than they work. Rounded:
        # the last digits may depend on what stands beside a row, and a restart changes that.
        cosines, keys = np.round(np.einsum("ij,j->i", self._rows, vector)[held], 5), self._keys[held]
        return [int(key) for key in keys[np.lexsort((-keys, -cosines))[:most]]]
