"""a fine-tuned encoder -> encoder.onnx in int8 and tokenizer.json, small enough to ship, without PyTorch inside.

Matrices get one int8 scale a column, word embeddings one a word; what is computed from token to token stays float32.
"""

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.encoder import ENCODER_FILE, TOKENIZER_FILE, forbid_telemetry
from classifiers.finetune import Tuned, base_folder
from classifiers.heldout import LICENCE_FILE, NOTICE_FILE
from config.errors import ModelError

_OPSET = 17
_NOTICE = """\
encoder.onnx and tokenizer.json derive from sentence-transformers/all-MiniLM-L6-v2
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), licensed under the Apache License 2.0, see LICENSE.

Changed by the Tocsin project: fine-tuned on its labelled corpus to tell direction, severity, claim status and signals
of a sentence, with a second output that keeps the likeness of events; converted to ONNX with mean pooling inside;
weights quantised to 8 bits.
"""


def export(tuned: Tuned, folder: Path) -> list[Path]:
    """Write model, tokenizer, licence and notice to `folder`; returns the paths."""
    try:
        import onnx

        forbid_telemetry()
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ModelError(f"exporting needs the optional packages: pip install 'tocsin[train]' ({error})") from error
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        exact, small = Path(scratch, "exact.onnx"), Path(scratch, "small.onnx")
        _trace(tuned, exact)
        # Seven bits of eight: processors without VNNI add up pairs of products in 16 bits, which eight would overflow.
        options = {"per_channel": True, "reduce_range": True, "weight_type": QuantType.QInt8}
        quantize_dynamic(exact, small, op_types_to_quantize=["MatMul"], **options)
        model = onnx.load(small)
    _shrink_embeddings(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, folder / ENCODER_FILE)
    shutil.copyfile(base_folder() / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    shutil.copyfile(Path(__file__).with_name("apache-2.0.txt"), folder / LICENCE_FILE)
    (folder / NOTICE_FILE).write_text(_NOTICE, encoding="utf-8")
    return [folder / name for name in (ENCODER_FILE, TOKENIZER_FILE, LICENCE_FILE, NOTICE_FILE)]


def _trace(tuned: Tuned, path: Path) -> None:
    import torch

    class TwoVectors(torch.nn.Module):  # type: ignore[misc]
        """ids and mask (texts x tokens) -> a vector by signal and one by event, a text."""

        def __init__(self) -> None:
            super().__init__()
            self.bert, self.events = tuned.encoder, tuned.events

        def forward(self, ids: Any, mask: Any) -> Any:
            vectors = self.bert(ids, mask)
            return vectors, self.events(vectors)

    ids = torch.tensor([[101, 2000, 2003, 102]])
    names = {
        "ids": {0: "texts", 1: "tokens"},
        "mask": {0: "texts", 1: "tokens"},
        "vectors": {0: "texts"},
        "events": {0: "texts"},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every branch of transformers' own code
        torch.onnx.export(
            TwoVectors().eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["ids", "mask"],
            output_names=["vectors", "events"],
            dynamic_axes=names,
            opset_version=_OPSET,
            dynamo=False,
        )


def _shrink_embeddings(graph: Any) -> None:
    """Replace the table of word embeddings by int8 rows and one scale a row."""
    from onnx import helper, numpy_helper

    table = max(graph.initializer, key=lambda each: int(np.prod(each.dims)))
    values = numpy_helper.to_array(table)
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-8).astype(np.float32) / 127
    gather = next(node for node in graph.node if node.op_type == "Gather" and node.input[0] == table.name)
    where, out, ids = list(graph.node).index(gather), gather.output[0], gather.input[1]
    graph.initializer.remove(table)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.rint(values / scales).astype(np.int8), "word_rows"),
            numpy_helper.from_array(scales, "word_scales"),
        ]
    )
    graph.node.remove(gather)
    fresh = [
        helper.make_node("Gather", ["word_rows", ids], ["word_row"]),
        helper.make_node("Gather", ["word_scales", ids], ["word_scale"]),
        helper.make_node("Cast", ["word_row"], ["word_float"], to=1),
        helper.make_node("Mul", ["word_float", "word_scale"], [out]),
    ]
    for offset, node in enumerate(fresh):
        graph.node.insert(where + offset, node)
