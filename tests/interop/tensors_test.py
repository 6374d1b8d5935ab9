# SPDX-License-Identifier: Apache-2.0
"""Tensors of every datatype over both protocols, in every way in which they can travel."""

import json
import struct
import unittest
import urllib.error
import urllib.request

import grpc

from daemon import SCENES, Daemon
from identity import TYPES, add_identity
from proto.inference import grpc_service_pb2 as pb
from proto.inference import grpc_service_pb2_grpc

TIMEOUT_S = 30
# Two rows of two; half floats are bits: 1.0, -2.0, 0.5 and 65504 or 3.4e38.
VALUES = {"BOOL": [True, False, False, True], "UINT8": [0, 1, 200, 255],
          "UINT16": [0, 1, 40000, 65535], "UINT32": [0, 1, 3000000000, 4294967295],
          "UINT64": [0, 1, 1 << 63, (1 << 64) - 1], "INT8": [-128, -1, 0, 127],
          "INT16": [-32768, -1, 0, 32767], "INT32": [-2147483648, -1, 0, 2147483647],
          "INT64": [-(1 << 63), -1, 0, (1 << 63) - 1], "FP16": [0x3C00, 0xC000, 0x3800, 0x7BFF],
          "BF16": [0x3F80, 0xC000, 0x3F00, 0x7F7F], "FP32": [0.5, -2.0, 0.0, 65536.5],
          "FP64": [0.1, -2.0, 1e-300, 1e300]}
SIZES = {"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
         "INT32": 4, "INT64": 8, "FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8}
HALVES = ("FP16", "BF16")
CONTENTS = {"BOOL": "bool_contents", "UINT8": "uint_contents", "UINT16": "uint_contents",
            "UINT32": "uint_contents", "UINT64": "uint64_contents", "INT8": "int_contents",
            "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
            "FP32": "fp32_contents", "FP64": "fp64_contents"}


def raw(datatype, values):
    return struct.pack(f"<{len(values)}{TYPES[datatype][1]}", *values)


def model_of(datatype):
    """Which model has an input of that type: the two that JSON does not know have their own."""
    return "halves" if datatype in HALVES else "types"


def add_models(repository):
    add_identity(repository, "types", 2, [name for name in TYPES if name not in HALVES])
    add_identity(repository, "halves", 2, HALVES)
    add_identity(repository, "float", 2, ["FP32"])


class TensorsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(add_models)
        cls.channel = grpc.insecure_channel(cls.daemon.grpc)
        cls.stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.daemon.stop()

    def infer(self, request):
        return self.stub.ModelInfer(request, timeout=TIMEOUT_S)

    def refusal(self, request):
        """The text of INVALID_ARGUMENT."""
        with self.assertRaises(grpc.RpcError) as raised:
            self.infer(request)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        return raised.exception.details()

    def post(self, model, body, **headers):
        """Status, headers and bytes of an inference over REST."""
        request = urllib.request.Request(
            f"{self.daemon.http}/v2/models/{model}/infer", body,
            {name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def post_json(self, model, inputs, **more):
        status, _, answer = self.post(model, json.dumps({"inputs": inputs, **more}).encode())
        return status, json.loads(answer)

    def post_binary(self, model, head, data):
        """The answer's JSON and what follows it; `head` is an object."""
        text = json.dumps(head).encode()
        status, headers, answer = self.post(model, text + data,
                                            Inference_Header_Content_Length=str(len(text)))
        self.assertEqual(status, 200, answer)
        length = headers.get("Inference-Header-Content-Length")
        if length is None:
            self.assertEqual(headers.get_content_type(), "application/json")
            return json.loads(answer), b""
        self.assertEqual(headers.get_content_type(), "application/octet-stream")
        return json.loads(answer[:int(length)]), answer[int(length):]

    @staticmethod
    def grpc_request(model, typed=False, rows=2):
        request = pb.ModelInferRequest(model_name=model)
        for datatype, values in VALUES.items():
            if model_of(datatype) != model:
                continue
            tensor = request.inputs.add(name="x_" + datatype, datatype=datatype, shape=[rows, 2])
            if typed:
                getattr(tensor.contents, CONTENTS[datatype]).extend(values[:2 * rows])
            else:
                request.raw_input_contents.append(raw(datatype, values[:2 * rows]))
        return request

    def check_outputs(self, answer):
        """Every output is its input, in the entry of its place."""
        self.assertEqual(len(answer.outputs), len(answer.raw_output_contents))
        for tensor, entry in zip(answer.outputs, answer.raw_output_contents):
            with self.subTest(tensor.datatype):
                self.assertEqual(tensor.name, "y_" + tensor.datatype)
                self.assertEqual(list(tensor.shape), [2, 2])
                self.assertEqual(len(entry), 4 * SIZES[tensor.datatype])
                self.assertEqual(entry, raw(tensor.datatype, VALUES[tensor.datatype]))
                self.assertFalse(tensor.HasField("contents"))

    # [1.3/datatypes][1.4/raw][1.4/BOOL][1.4/BF16][1.4/raw-outputs]
    def test_raw_contents(self):
        for model in ("types", "halves"):
            answer = self.infer(self.grpc_request(model))
            self.assertEqual(len(answer.outputs), 11 if model == "types" else 2)
            self.check_outputs(answer)

    # [1.4/typed-BOOL][1.4/typed-INT][1.4/typed-INT64][1.4/typed-UINT][1.4/typed-UINT64]
    # [1.4/typed-FP32][1.4/typed-FP64]
    def test_typed_contents(self):
        self.check_outputs(self.infer(self.grpc_request("types", typed=True)))

    # [1.4/typed-BYTES][1.4/BYTES]: elements as they are, and with their lengths in front.
    def test_bytes(self):
        picture = (SCENES / "samples/00.png").read_bytes()
        answers = []
        for typed in (True, False):
            request = pb.ModelInferRequest(model_name="scenes")
            request.outputs.add(name="answer")
            for name, value in (("image", picture), ("text", b"count the objects")):
                tensor = request.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
                if typed:
                    tensor.contents.bytes_contents.append(value)
                else:
                    request.raw_input_contents.append(struct.pack("<I", len(value)) + value)
            answers.append(self.infer(request))
        self.assertEqual(answers[0], answers[1])
        entry = answers[0].raw_output_contents[0]
        self.assertEqual(struct.unpack("<I", entry[:4])[0], len(entry) - 4)
        self.assertEqual(answers[0].outputs[0].datatype, "BYTES")

    # [1.4/typed-half-floats][1.4/typed-wrong-field][1.4/raw-and-typed]
    def test_contents_that_are_refused(self):
        request = self.grpc_request("halves")
        del request.raw_input_contents[:]
        for tensor in request.inputs:
            tensor.contents.fp32_contents.extend([1, 2, 3, 4])
        self.assertIn("can only be sent in raw_input_contents", self.refusal(request))
        request = self.grpc_request("types", typed=True)
        request.inputs[0].contents.bool_contents.pop()
        request.inputs[0].contents.int_contents.append(1)
        self.assertIn("expected bool_contents", self.refusal(request))
        request = self.grpc_request("types", typed=True)
        request.raw_input_contents.append(raw("BOOL", VALUES["BOOL"]))
        self.assertRegex(self.refusal(request), "contents field must not be specified when using "
                         "raw_input_contents for 'x_[A-Z0-9]+' for model 'types'")

    # [1.4/raw-too-few][1.4/raw-too-many]
    def test_raw_contents_that_do_not_add_up(self):
        request = self.grpc_request("types")
        last = request.raw_input_contents.pop()
        self.assertIn("unable to find data for input tensor 'x_FP64' for model 'types' in request.",
                      self.refusal(request))
        request.raw_input_contents.extend([last, last])
        self.assertIn("raw_input_contents has 12 entries", self.refusal(request))

    @staticmethod
    def json_inputs():
        return [{"name": "x_" + datatype, "datatype": datatype, "shape": [2, 2], "data": values}
                for datatype, values in VALUES.items() if model_of(datatype) == "types"]

    # [1.3/datatypes][1.3/BOOL][1.3/data-nested][1.3/all-outputs]
    def test_json(self):
        flat = self.json_inputs()
        nested = [{**tensor, "data": [tensor["data"][:2], tensor["data"][2:]]} for tensor in flat]
        for inputs, more in ((flat, {}), (nested, {"outputs": []})):
            status, answer = self.post_json("types", inputs, **more)
            self.assertEqual(status, 200, answer)
            self.assertEqual(len(answer["outputs"]), len(flat))
            for tensor, sent in zip(answer["outputs"], flat):
                with self.subTest(sent["datatype"]):
                    self.assertEqual(tensor, {**sent, "name": "y_" + sent["datatype"]})
                    self.assertEqual(type(tensor["data"][0]) is bool, sent["datatype"] == "BOOL")

    # [1.3/datatypes][1.6/binary-data-size][1.6/binary-data-output][1.6/binary-answer]
    def test_binary_data(self):
        for model in ("types", "halves"):
            inputs, data = [], b""
            for datatype, values in VALUES.items():
                if model_of(datatype) == model:
                    encoded = raw(datatype, values)
                    inputs.append({"name": "x_" + datatype, "datatype": datatype, "shape": [2, 2],
                                   "parameters": {"binary_data_size": len(encoded)}})
                    data += encoded
            head, tensors = self.post_binary(
                model, {"inputs": inputs, "parameters": {"binary_data_output": True}}, data)
            self.assertEqual([output["parameters"] for output in head["outputs"]],
                             [tensor["parameters"] for tensor in inputs])
            self.assertEqual(tensors, data)

    # [1.3/half-floats]
    def test_half_floats_in_json(self):
        tensors = [{"name": "x_" + datatype, "datatype": datatype, "shape": [1, 2], "data": [1, 2]}
                   for datatype in HALVES]
        status, answer = self.post_json("halves", tensors)
        self.assertEqual(status, 400)
        self.assertRegex(answer["error"], "FP16.*binary")
        data = b""
        for tensor in tensors:
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": 4}
            data += raw(tensor["datatype"], VALUES[tensor["datatype"]][:2])
        text = json.dumps({"inputs": tensors}).encode()
        status, _, answer = self.post("halves", text + data,
                                      Inference_Header_Content_Length=str(len(text)))
        self.assertEqual(status, 400)
        self.assertRegex(json.loads(answer)["error"], "FP16.*binary")

    def float_input(self, **more):
        return {"name": "x_FP32", "datatype": "FP32", "shape": [1, 2], **more}

    # [1.3/nan-inf]
    def test_values_that_json_has_not(self):
        odd = struct.pack("<2f", float("nan"), float("inf"))
        tensor = self.float_input(parameters={"binary_data_size": 8})
        head, tensors = self.post_binary(
            "float", {"inputs": [tensor], "parameters": {"binary_data_output": True}}, odd)
        self.assertEqual(tensors, odd)
        text = json.dumps({"inputs": [tensor]}).encode()
        status, _, answer = self.post("float", text + odd,
                                      Inference_Header_Content_Length=str(len(text)))
        self.assertEqual(status, 400)
        self.assertIn("error", json.loads(answer))
        self.assertEqual(head["outputs"][0]["name"], "y_FP32")

    # [1.3/BOOL][1.3/data-count][1.3/shape-negative][1.3/shape-overflow][1.3/parameter-values]
    # [1.3/duplicate-outputs][1.3/errors]
    def test_json_that_is_refused(self):
        good = self.float_input(data=[1, 2])
        cases = [
            ({"inputs": [{**good, "data": [1]}]}, "its shape needs 2"),
            ({"inputs": [{**good, "data": [1, 2, 3]}]}, "more than the 2 elements"),
            ({"inputs": [{**good, "shape": [-1, 2]}]}, "-1 is no size"),
            ({"inputs": [{**good, "shape": [1 << 62, 1 << 62]}]}, "too large"),
            ({"inputs": [good], "parameters": {"deep": {"a": 1}}}, "'deep'"),
            ({"inputs": [good], "parameters": {"list": [1]}}, "'list'"),
            ({"inputs": [good], "outputs": [{"name": "y_FP32"}] * 2}, "more than once"),
        ]
        for body, text in cases:
            status, headers, answer = self.post("float", json.dumps(body).encode())
            self.assertEqual(status, 400, body)
            self.assertEqual(headers.get_content_type(), "application/json")
            self.assertIn(text, json.loads(answer)["error"])
        inputs = self.json_inputs()
        inputs[0]["data"] = [1, 0, 0, 1]
        status, answer = self.post_json("types", inputs)
        self.assertEqual(status, 400)
        self.assertIn("true or false", answer["error"])

    # [1.3/id][1.3/model-version][1.3/parameters][1.8/others]
    def test_what_an_answer_has(self):
        mine = {"text": "a", "whole": 1, "fraction": 1.5, "flag": True}
        for identity in ({}, {"id": "7"}):
            status, answer = self.post_json("float", [self.float_input(data=[1, 2])],
                                            parameters=mine, **identity)
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer.get("id"), identity.get("id"))
            self.assertEqual(answer["model_name"], "float")
            self.assertEqual(answer["model_version"], "1")
            # C++ clients take an output with parameters for a binary one.
            self.assertEqual(set(answer["outputs"][0]), {"name", "datatype", "shape", "data"})
        request = pb.ModelInferRequest(model_name="float", id="7",
                                       raw_input_contents=[raw("FP32", [1, 2])])
        request.inputs.add(name="x_FP32", datatype="FP32", shape=[1, 2])
        request.parameters["text"].string_param = "a"
        request.parameters["whole"].int64_param = 1
        request.parameters["fraction"].double_param = 1.5
        request.parameters["flag"].bool_param = True
        self.assertEqual(self.infer(request).id, "7")

    # [1.3/empty-tensor][1.4/empty-tensor]: no elements are as many as its shape says; that a batch
    # has a row is another matter.
    def test_no_elements(self):
        status, answer = self.post_json("float", [{**self.float_input(data=[]), "shape": [0, 2]}])
        self.assertEqual(status, 400)
        self.assertIn("batch-size must be >= 1", answer["error"])
        request = pb.ModelInferRequest(model_name="float", raw_input_contents=[b""])
        request.inputs.add(name="x_FP32", datatype="FP32", shape=[0, 2])
        self.assertIn("batch-size must be >= 1", self.refusal(request))

    # [1.6/binary-data][1.6/json-answer]: what an output wants wins, both ways.
    def test_binary_by_output(self):
        tensor = self.float_input(data=[1.5, 2])
        for default, wanted in ((False, True), (True, False), (False, False)):
            head, tensors = self.post_binary("float", {
                "inputs": [tensor], "parameters": {"binary_data_output": default},
                "outputs": [{"name": "y_FP32", "parameters": {"binary_data": wanted}}]}, b"")
            self.assertEqual(tensors, raw("FP32", [1.5, 2]) if wanted else b"")
            self.assertEqual("data" in head["outputs"][0], not wanted)

    # [1.6/tritonclient]: with a list of outputs, which are wanted binary, and without one.
    def test_as_tritonclient_sends(self):
        data = raw("FP32", [1.5, 2])
        tensor = self.float_input(parameters={"binary_data_size": 8})
        for more in ({"parameters": {"binary_data_output": True}},
                     {"outputs": [{"name": "y_FP32", "parameters": {"binary_data": True}}]}):
            head, tensors = self.post_binary("float", {"inputs": [tensor], **more}, data)
            self.assertEqual(tensors, data)
            self.assertEqual(head["outputs"][0]["parameters"], {"binary_data_size": 8})

    # [1.6/raw-body]
    def test_raw_body(self):
        data = raw("FP32", [1.5, 2])
        status, headers, answer = self.post("float", data, Inference_Header_Content_Length="0")
        self.assertEqual(status, 200, answer)
        length = int(headers["Inference-Header-Content-Length"])
        self.assertEqual(json.loads(answer[:length])["outputs"][0]["shape"], [1, 2])
        self.assertEqual(answer[length:], data)

    # [1.6/header-length][1.6/leftover][1.6/too-few]
    def test_lengths_that_do_not_fit(self):
        tensor = self.float_input(parameters={"binary_data_size": 8})
        text = json.dumps({"inputs": [tensor]}).encode()
        for data, length, expected in (
                (b"12345678", len(text) + 9, "Inference-Header-Content-Length"),
                (b"12345678", -1, "Inference-Header-Content-Length"),
                (b"12345678", "x", "Inference-Header-Content-Length"),
                (b"12345678!", len(text), "unexpected additional input data for model 'float'"),
                (b"1234567", len(text), "unexpected size for input 'x_FP32'")):
            status, _, answer = self.post("float", text + data,
                                          Inference_Header_Content_Length=str(length))
            self.assertEqual(status, 400)
            self.assertIn(expected, json.loads(answer)["error"])

    # [1.6/chunked]: urllib sends what it does not know the length of in chunks.
    def test_chunks(self):
        tensor = self.float_input(parameters={"binary_data_size": 8})
        text = json.dumps({"inputs": [tensor]}).encode()
        status, _, answer = self.post("float", iter([text[:10], text[10:], raw("FP32", [1, 2])]),
                                      Inference_Header_Content_Length=str(len(text)),
                                      Transfer_Encoding="chunked")
        self.assertEqual(status, 200, answer)
        self.assertEqual(json.loads(answer)["outputs"][0]["data"], [1, 2])

    # [1.15/text-batch-mismatch]
    def test_batches_that_differ(self):
        request = self.grpc_request("halves")
        request.inputs[1].shape[0] = 1
        request.raw_input_contents[1] = request.raw_input_contents[1][:4]
        self.assertIn("batch size does not match other inputs for 'halves'", self.refusal(request))


if __name__ == "__main__":
    unittest.main()
