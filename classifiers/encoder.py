"""texts -> two vectors each, by a small fine-tuned transformer that onnxruntime runs; no PyTorch here.

The first tells signals apart and is what the heads read; the second is close where two texts tell of one event.

Each text is read by itself. In a batch the quantised model would scale all texts by the loudest of them, and an
article would read differently with the company it came in; several threads make up for the batch.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.passages import well_formed
from config.errors import ModelError

Vectors = NDArray[np.float32]

ENCODER_FILE = "encoder.onnx"
TOKENIZER_FILE = "tokenizer.json"
HELD_OUT_FILE = "held_out.npz"  # what heldout.py keeps beside them
MOST_TOKENS = 64
THREADS = 2
_MOST_CHARACTERS = 1200  # more than MOST_TOKENS ever reach
_PIECE = 16


class SentenceEncoder:
    """Holds the model; reading changes nothing, so that one instance may serve several threads."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self.width = int(session.get_outputs()[0].shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, `width` columns; a text of more than 64 tokens is read as far as these go."""
        return self.start(texts)()[0]

    def embed_events(self, texts: Sequence[str]) -> Vectors:
        """The like, by event: the cosine of two rows says how likely the texts tell of the same one."""
        return self.start(texts)()[1]

    def start(self, texts: Sequence[str]) -> Callable[[], tuple[Vectors, Vectors]]:
        """Begin to read in threads of its own; the function that comes back waits for both kinds of rows."""
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        events = np.zeros_like(vectors)

        def read(start: int) -> None:
            for row in range(start, min(start + _PIECE, len(texts))):
                vectors[row], events[row] = self._one(texts[row])

        threads = ThreadPoolExecutor(THREADS)
        pieces = [threads.submit(read, start) for start in range(0, len(texts), _PIECE)]
        threads.shutdown(wait=False)  # what was submitted is still done

        def finish() -> tuple[Vectors, Vectors]:
            for piece in pieces:
                piece.result()
            return vectors, events

        return finish

    def _one(self, text: str) -> tuple[Vectors, Vectors]:
        encoded = self._tokenizer.encode(well_formed(text[:_MOST_CHARACTERS]))
        ids = np.array([encoded.ids], dtype=np.int64)
        vectors, events = self._session.run(["vectors", "events"], {"ids": ids, "mask": np.ones_like(ids)})
        return vectors[0], events[0]


def load_encoder(folder: Path) -> SentenceEncoder:
    """Load encoder.onnx and tokenizer.json of a folder; raises ModelError that names the file which cannot be read."""
    path = folder / TOKENIZER_FILE
    try:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MOST_TOKENS)
        path = folder / ENCODER_FILE
        return SentenceEncoder(_session(path), tokenizer)
    except Exception as error:  # both libraries raise bare Exception or types of their own
        raise ModelError(f"{path} cannot be loaded ({error}): take it from git again") from error


def forbid_telemetry() -> None:
    """Call before importing onnxruntime: since 1.29 its official builds report to their maker unless this is set.

    Whom our users watch is nobody else's business. https://github.com/microsoft/onnxruntime/pull/27379
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def _session(path: Path) -> Any:
    forbid_telemetry()
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
