"""A fitted corrector as an ONNX file, for programs without torch.

Source: the ONNX format, through torch's exporter; the batch may be of any size.
"""

import warnings
from pathlib import Path
from typing import Any, cast

import torch

from classward.core.errors import InputError
from classward.correction.network import CorrectionNetwork
from classward.records.atomic import atomic_write


def write_onnx(network: CorrectionNetwork, path: str | Path) -> None:
    """Write the network, "logits" (n x k) to "corrected" (n x k), atomically.

    Raises:
        InputError: If the packages of the extra "onnx" are not installed.
        SystemFaultError: If it cannot be written.
    """
    try:
        import onnxscript  # noqa: F401 - torch asks for it, and says so in many lines
    except ImportError:
        raise InputError(
            f"{path}: an ONNX file needs more packages: pip install classward[onnx]"
        ) from None
    example = torch.zeros(2, len(network.output.bias))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        program: Any = torch.onnx.export(
            network,
            (example,),
            input_names=["logits"],
            output_names=["corrected"],
            dynamic_shapes={"logits": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    atomic_write(path, cast(bytes, program.model_proto.SerializeToString()))
