"""texts -> one vector each, by a small fine-tuned transformer that onnxruntime runs; no PyTorch here.

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
        return self.start(texts)()

    def start(self, texts: Sequence[str]) -> Callable[[], Vectors]:
        """Begin to read in threads of its own; the function that comes back waits for the rows of `embed`."""
        out = np.zeros((len(texts), self.width), dtype=np.float32)

        def read(start: int) -> None:
            for row in range(start, min(start + _PIECE, len(texts))):
                out[row] = self._one(texts[row])

        threads = ThreadPoolExecutor(THREADS)
        pieces = [threads.submit(read, start) for start in range(0, len(texts), _PIECE)]
        threads.shutdown(wait=False)  # what was submitted is still done

        def finish() -> Vectors:
            for piece in pieces:
                piece.result()
            return out

        return finish

    def _one(self, text: str) -> Vectors:
        encoded = self._tokenizer.encode(well_formed(text[:_MOST_CHARACTERS]))
        ids = np.array([encoded.ids], dtype=np.int64)
        return np.asarray(self._session.run(None, {"ids": ids, "mask": np.ones_like(ids)})[0][0])


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
