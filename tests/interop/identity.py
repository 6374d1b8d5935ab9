# SPDX-License-Identifier: Apache-2.0
"""Models that give back what they get, written as ONNX and compiled by omc."""

import subprocess

from daemon import BUILD

# What ONNX calls the datatypes of the protocol, with the letters that struct has for them. Half
# floats are bits here. BYTES do not reach a device.
TYPES = {"BOOL": (9, "?"), "UINT8": (2, "B"), "UINT16": (4, "H"), "UINT32": (12, "I"),
         "UINT64": (13, "Q"), "INT8": (3, "b"), "INT16": (5, "h"), "INT32": (6, "i"),
         "INT64": (7, "q"), "FP16": (10, "H"), "BF16": (16, "H"), "FP32": (1, "f"),
         "FP64": (11, "d")}


def _varint(number):
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _tensor(name, onnx_type, width):
    dims = _bytes(1, _bytes(2, "rows")) + _bytes(1, _number(1, width))
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, onnx_type) + _bytes(2, dims)))


def add_identity(repository, model, width, datatypes, batches="1,2,4"):
    """`model` with an input and an output for each datatype, "x_FP32" to "y_FP32", and rows of
    `width`."""
    nodes = inputs = outputs = b""
    for datatype in datatypes:
        x, y = "x_" + datatype, "y_" + datatype
        onnx_type = TYPES[datatype][0]
        nodes += _bytes(1, _bytes(1, x) + _bytes(2, y) + _bytes(3, y) + _bytes(4, "Identity"))
        inputs += _bytes(11, _tensor(x, onnx_type, width))
        outputs += _bytes(12, _tensor(y, onnx_type, width))
    graph = nodes + _bytes(2, model) + inputs + outputs
    onnx = repository.parent / f"{model}.onnx"
    onnx.write_bytes(_number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13)))
    file = repository / model / "1" / "model.om"
    file.parent.mkdir(parents=True)
    subprocess.run([BUILD / "bin/omc", "compile", onnx, "-o", file, "--name", model,
                    "--batch-gears", batches], check=True, stdout=subprocess.DEVNULL)
