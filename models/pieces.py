"""Long lists in, pieces that one statement can name out."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
#: SQLite allows 32,766 parameters a statement; PostgreSQL plans long lists slowly.
MOST = 500


def pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """`items` in their order, at most MOST at once; nothing for none."""
    return (items[start : start + MOST] for start in range(0, len(items), MOST))
