"""sentences -> one sparse row each: TF-IDF of words and of characters, as blocks that can be joined by others.

A block is anything with `transform(texts) -> csr_matrix`; a sentence encoder is one more block. Blocks are kept as plain
terms and weights, so that an artifact holds no code and loads fast.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Kind = Literal["word", "char"]

_DIGITS = re.compile(r"\d+")
_CURLY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_SETTINGS: dict[str, dict[str, Any]] = {
    "word": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+(?:'\w+)?\b|[#?!:\"]"},
    "char": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}


class Block(Protocol):
    """One kind of evidence about a text, as numbers."""

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """One row a text, float32, always of the same width."""
        ...


@dataclass(frozen=True)
class TfidfBlock:
    """TF-IDF over a fixed list of terms; `idf` has one weight a term."""

    kind: Kind
    terms: tuple[str, ...]
    idf: NDArray[np.float32] = field(repr=False)

    @cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vocabulary = {term: column for column, term in enumerate(self.terms)}
        vectorizer = TfidfVectorizer(
            vocabulary=vocabulary, sublinear_tf=True, dtype=np.float32, lowercase=False, **_SETTINGS[self.kind]
        )
        vectorizer.idf_ = self.idf
        return vectorizer

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Rows of unit length over `terms`."""
        return sparse.csr_matrix(self._vectorizer.transform([plain(text) for text in texts]))


def plain(text: str) -> str:
    """Lower case, straight quotes, every number the same: what two outlets' copies of a sentence share."""
    return _DIGITS.sub("#", text.translate(_CURLY).casefold())


def fit_block(kind: Kind, texts: Iterable[str], fewest: int, most: int) -> TfidfBlock:
    """Choose the terms that stand in at least `fewest` texts (the `most` frequent ones) and weigh them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        min_df=fewest, max_features=most, sublinear_tf=True, dtype=np.float32, lowercase=False, **_SETTINGS[kind]
    )
    vectorizer.fit([plain(text) for text in texts])
    return TfidfBlock(kind, tuple(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32))


def join(blocks: Sequence[Block], texts: Sequence[str]) -> sparse.csr_matrix:
    """The rows of all blocks side by side."""
    return sparse.hstack([block.transform(texts) for block in blocks], format="csr", dtype=np.float32)
