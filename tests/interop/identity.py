# SPDX-License-Identifier: Apache-2.0
"""Models that give back what they get, written as ONNX and compiled by omc."""

import subprocess

from daemon import BUILD
from proto.onnx import onnx_pb2

# What ONNX calls the datatypes of the protocol, with the letters that struct has for them. Half
# floats are bits here. BYTES do not reach a device.
TYPES = {"BOOL": (9, "?"), "UINT8": (2, "B"), "UINT16": (4, "H"), "UINT32": (12, "I"),
         "UINT64": (13, "Q"), "INT8": (3, "b"), "INT16": (5, "h"), "INT32": (6, "i"),
         "INT64": (7, "q"), "FP16": (10, "H"), "BF16": (16, "H"), "FP32": (1, "f"),
         "FP64": (11, "d")}


def add_identity(repository, model, width, datatypes, batches="1,2,4", is_named=True):
    """`model` with an input and an output for each datatype, "x_FP32" to "y_FP32", and rows of
    `width`. Without `is_named`, for one datatype, "x" to "y"."""
    onnx = onnx_pb2.ModelProto(ir_version=8)
    onnx.opset_import.add(version=13)
    onnx.graph.name = model.encode()
    for datatype in datatypes:
        x, y = [(name + "_" + datatype if is_named else name).encode() for name in "xy"]
        onnx.graph.node.add(name=y, op_type=b"Identity", input=[x], output=[y])
        for value in (onnx.graph.input.add(name=x), onnx.graph.output.add(name=y)):
            tensor = value.type.tensor_type
            tensor.elem_type = TYPES[datatype][0]
            tensor.shape.dim.add()  # Rows.
            tensor.shape.dim.add(dim_value=width)
    source = repository.parent / f"{model}.onnx"
    source.write_bytes(onnx.SerializeToString())
    file = repository / model / "1" / "model.om"
    file.parent.mkdir(parents=True)
    subprocess.run([BUILD / "bin/omc", "compile", source, "-o", file, "--name", model,
                    "--batch-gears", batches], check=True, stdout=subprocess.DEVNULL)
