"""vectors of headlines grouped by event -> the linear map under which headlines of one event are close.

It starts from the map that fine-tuning left, which tells where the untuned encoder had put a text, and learns on the
vectors of the finished encoder: what the heads read does not change by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.event_groups import Week
from classifiers.finetune import Tuned

_STEPS = 300
_WEEKS = 40  # a step: all their events, two headlines each
_RATE = 5e-4
_SHARPNESS = 20.0  # what likenesses are multiplied by before they compete
_DROPPED = 0.2


def with_event_map(tuned: Tuned, weeks: Sequence[Week], seed: int) -> Tuned:
    """`tuned` with its map of events fitted to these; as it is where there are none."""
    if not weeks:
        return tuned
    import torch

    torch.manual_seed(seed)
    vectors = torch.tensor(tuned.embed([text for week in weeks for texts in week.values() for text in texts]))
    events = torch.nn.Linear(*tuned.events.weight.shape)
    events.load_state_dict(tuned.events.state_dict())
    optimiser = torch.optim.Adam(events.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, _STEPS)
    draws = _pairs(weeks, np.random.default_rng(seed))
    for _ in range(_STEPS):
        loss = _loss(events(torch.nn.functional.dropout(vectors[next(draws)], _DROPPED)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return replace(tuned, events=events)


def _pairs(weeks: Sequence[Week], draw: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """For ever: rows of two headlines each of the events of some weeks, the two side by side."""
    of_week: list[list[NDArray[np.int64]]] = []
    row = 0
    for week in weeks:
        of_week.append([])
        for texts in week.values():
            of_week[-1].append(np.arange(row, row + len(texts)))
            row += len(texts)
    while True:
        chosen = draw.choice(len(weeks), min(_WEEKS, len(weeks)), replace=False)
        yield np.concatenate([draw.choice(event, 2, replace=False) for week in chosen for event in of_week[week]])


def _loss(vectors: Any) -> Any:
    """Each headline must find the other one of its event, the row beside it, among all of the step.

    InfoNCE with the rest of the step as negatives (van den Oord et al., 2018, arXiv:1807.03748).
    """
    import torch

    unit = torch.nn.functional.normalize(vectors, dim=1)
    likeness = (_SHARPNESS * unit @ unit.T).masked_fill(torch.eye(len(unit), dtype=torch.bool), float("-inf"))
    return torch.nn.functional.cross_entropy(likeness, torch.arange(len(unit)) ^ 1)
