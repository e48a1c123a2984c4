"""sentences -> one sparse row each: TF-IDF of words, of characters and of concepts, as blocks that others can join.

A block is anything with `transform(texts) -> csr_matrix`; a sentence encoder is one more block. Blocks are kept as
plain terms and weights, so that an artifact holds no code and loads fast.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_DIGITS = re.compile(r"\d+")
_CURLY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


class Block(Protocol):
    """One kind of evidence about a text, as numbers."""

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """One row a text, float32, always of the same width."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a text becomes terms (settings of scikit-learn's TfidfVectorizer) and how long its row is made."""

    settings: dict[str, Any]
    length: float = 1.0


WORDS = Recipe({"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+(?:'\w+)?\b|[#?!:\"]"})
CHARACTERS = Recipe({"analyzer": "char_wb", "ngram_range": (2, 5)})


def concepts(terms: Callable[[str], list[str]]) -> Recipe:
    """Concept terms as one more recipe; at full length they drown the words (chosen on validation)."""
    return Recipe({"analyzer": terms}, length=0.5)


@dataclass(frozen=True)
class TfidfBlock:
    """TF-IDF over a fixed list of terms; `idf` has one weight a term."""

    recipe: Recipe
    terms: tuple[str, ...]
    idf: NDArray[np.float32] = field(repr=False)

    @cached_property
    def _vectorizer(self) -> Any:
        vocabulary = {term: column for column, term in enumerate(self.terms)}
        vectorizer = _vectorizer(self.recipe, vocabulary=vocabulary)
        vectorizer.idf_ = self.idf
        return vectorizer

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Rows of the recipe's length over `terms`; zero where a text has none of them."""
        return sparse.csr_matrix(self._vectorizer.transform(texts) * np.float32(self.recipe.length))


def plain(text: str) -> str:
    """Lower case, straight quotes, every number the same: what two outlets' copies of a sentence share."""
    return _DIGITS.sub("#", text.translate(_CURLY).casefold())


def fit_block(recipe: Recipe, texts: Sequence[str], fewest: int, most: int) -> TfidfBlock:
    """Choose the terms that stand in at least `fewest` texts (the `most` frequent ones) and weigh them."""
    vectorizer = _vectorizer(recipe, min_df=fewest, max_features=most).fit(texts)
    return TfidfBlock(recipe, tuple(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32))


def _vectorizer(recipe: Recipe, **more: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    cleaned = {} if callable(recipe.settings["analyzer"]) else {"preprocessor": plain}
    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **cleaned, **recipe.settings, **more)


def join(blocks: Sequence[Block], texts: Sequence[str]) -> sparse.csr_matrix:
    """The rows of all blocks side by side."""
    return sparse.hstack([block.transform(texts) for block in blocks], format="csr", dtype=np.float32)
