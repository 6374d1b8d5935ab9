# SPDX-License-Identifier: Apache-2.0
"""What clients rely on beside the tensors: versions, parameters, shared memory, errors."""

import gzip
import json
import multiprocessing.shared_memory
import shutil
import struct
import unittest
import urllib.error
import urllib.request

import grpc

from daemon import Daemon, tokens
from identity import add_identity
from proto.inference import grpc_service_pb2 as pb
from proto.inference import grpc_service_pb2_grpc

TIMEOUT_S = 30
FLAGS = ("--allow-client-shm=true", "--exit-on-error=false")
REGION_BYTES = 4096


def add_models(repository):
    """`versions` has 1 and 3, which take batches of different sizes, and 5, which is broken."""
    add_identity(repository, "versions", 2, ["FP32"], "1,2,4")
    add_identity(repository, "later", 2, ["FP32"], "1,2")
    shutil.copytree(repository / "later/1", repository / "versions/3")
    (repository / "versions/5").mkdir()
    (repository / "versions/5/model.om").write_text("no model at all", encoding="utf-8")
    (repository / "versions/config.pbtxt").write_text("version_policy { all {} }\n",
                                                      encoding="utf-8")
    add_identity(repository, "sure", 1, ["BOOL", "FP32"])
    (repository / "sure/config.pbtxt").write_text(
        "model_transaction_policy { decoupled: true answer_rows_where: 'y_BOOL' }\n",
        encoding="utf-8")


def json_input(**more):
    return {"name": "x_FP32", "datatype": "FP32", "shape": [1, 2], **more}


def float_request(model="later", version=""):
    request = pb.ModelInferRequest(model_name=model, model_version=version,
                                   raw_input_contents=[struct.pack("<2f", 1, 2)])
    request.inputs.add(name="x_FP32", datatype="FP32", shape=[1, 2])
    return request


class ContractTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(add_models, FLAGS)
        cls.channel = grpc.insecure_channel(cls.daemon.grpc)
        cls.stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.daemon.stop()

    def call(self, path, body=None, **headers):
        """Status and bytes; a POST where there is a body, which may be an object."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(
            self.daemon.http + path, data,
            {name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def check_call(self, path, body, status, text):
        """An error in JSON."""
        got, answer = self.call(path, body)
        self.assertEqual(got, status, answer)
        self.assertIn(text, json.loads(answer)["error"])

    def check_rpc(self, code, text, method, request):
        with self.assertRaises(grpc.RpcError) as raised:
            getattr(self.stub, method)(request, timeout=TIMEOUT_S)
        self.assertEqual(raised.exception.code(), code)
        self.assertIn(text, raised.exception.details())

    # [1.2/server-metadata]: specifications write it with the slash.
    def test_server_metadata(self):
        self.assertEqual(self.call("/v2/"), self.call("/v2"))
        self.assertEqual(set(json.loads(self.call("/v2/")[1])), {"name", "version", "extensions"})

    # [1.5/infer][1.5/metadata][1.5/config][1.5/ready][1.5/statistics][1.4/concrete-version]
    def test_without_a_version(self):
        self.assertEqual(self.stub.ModelInfer(float_request("versions")).model_version, "3")
        body = {"inputs": [json_input(data=[1, 2])]}
        answer = json.loads(self.call("/v2/models/versions/infer", body)[1])
        self.assertEqual(answer["model_version"], "3")
        metadata = self.stub.ModelMetadata(
            pb.ModelMetadataRequest(name="versions"), timeout=TIMEOUT_S)
        self.assertEqual(list(metadata.versions), ["1", "3"])
        for version, batch in (("", 2), ("3", 2), ("1", 4)):
            request = pb.ModelConfigRequest(name="versions", version=version)
            config = self.stub.ModelConfig(request, timeout=TIMEOUT_S).config
            self.assertEqual(config.max_batch_size, batch)
            self.assertTrue(self.stub.ModelReady(
                pb.ModelReadyRequest(name="versions", version=version)).ready)
        config = json.loads(self.call("/v2/models/versions/config")[1])
        self.assertEqual(config["max_batch_size"], 2)
        self.assertEqual(self.call("/v2/models/versions/ready")[0], 200)
        stats = self.stub.ModelStatistics(
            pb.ModelStatisticsRequest(name="versions"), timeout=TIMEOUT_S).model_stats
        self.assertEqual([model.version for model in stats], ["1", "3"])
        stats = json.loads(self.call("/v2/models/versions/stats")[1])["model_stats"]
        self.assertEqual([model["version"] for model in stats], ["1", "3"])

    # [1.5/rest-not-a-number][1.5/grpc-not-a-number]
    def test_versions_that_are_no_numbers(self):
        for end, body in (("infer", {}), ("config", None), ("ready", None), ("stats", None)):
            self.check_call(f"/v2/models/later/versions/one/{end}", body, 404, "Not Found")
        requests = {"ModelInfer": float_request(version="one")}
        for name in ("ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"):
            requests[name] = getattr(pb, name + "Request")(name="later", version="one")
        for method, request in requests.items():
            self.check_rpc(grpc.StatusCode.INVALID_ARGUMENT, "version", method, request)

    # [1.15/text-not-ready][1.15/unavailable]
    def test_a_version_that_is_broken(self):
        text = "'versions' version 5 is not at ready state"
        self.check_rpc(grpc.StatusCode.UNAVAILABLE, text, "ModelInfer",
                       float_request("versions", "5"))
        self.check_call("/v2/models/versions/versions/5/infer",
                        {"inputs": [json_input(data=[1, 2])]}, 503, text)

    # [1.7/generate]
    def test_generate_takes_what_gzip_made(self):
        ids, mask = tokens(1)
        body = json.dumps({"input_ids": ids, "attention_mask": mask}).encode()
        plain = self.call("/v2/models/text/generate", body)
        self.assertEqual(plain[0], 200)
        self.assertEqual(self.call("/v2/models/text/generate", gzip.compress(body),
                                   Content_Encoding="gzip"), plain)
        self.assertEqual(self.call("/v2/models/text/generate", body, Content_Encoding="br")[0], 415)

    # [1.8/priority][1.8/timeout]
    def test_priority_and_timeout(self):
        minute_us = 60_000_000
        for kind in ("uint64_param", "int64_param"):
            request = float_request()
            setattr(request.parameters["priority"], kind, 1)
            request.parameters["timeout"].int64_param = minute_us
            self.assertEqual(len(self.stub.ModelInfer(request, timeout=TIMEOUT_S).outputs), 1)
        status, _ = self.call("/v2/models/later/infer",
                              {"inputs": [json_input(data=[1, 2])],
                               "parameters": {"priority": 1, "timeout": minute_us}})
        self.assertEqual(status, 200)

    # [1.8/reserved][1.8/wrong-type]
    def test_parameters_that_are_refused(self):
        request = float_request()
        request.parameters["triton_x"].bool_param = True
        self.check_rpc(grpc.StatusCode.INVALID_ARGUMENT, "'triton_' are reserved", "ModelInfer",
                       request)
        good = {"inputs": [json_input(data=[1, 2])]}
        path = "/v2/models/later/infer"
        self.check_call(path, {**good, "parameters": {"triton_x": 1}}, 400, "reserved")
        self.check_call(path, {**good, "parameters": {"sequence_start": 1}}, 400,
                        "invalid value type for 'sequence_start' parameter, expected ")
        for name, expected in (("priority", "int64_param or uint64_param"),
                               ("timeout", "int64_param or uint64_param"),
                               ("sequence_start", "bool_param"), ("sequence_end", "bool_param")):
            request = float_request()
            request.parameters[name].string_param = "1"
            text = f"invalid value type for '{name}' parameter, expected {expected}."
            self.check_rpc(grpc.StatusCode.INVALID_ARGUMENT, text, "ModelInfer", request)
            self.check_call(path, {**good, "parameters": {name: "1"}}, 400,
                            f"invalid value type for '{name}' parameter, expected ")

    # [1.8/empty-final-response][1.8/final-response]
    def test_final_responses(self):
        request = float_request()
        request.parameters["triton_enable_empty_final_response"].bool_param = True
        answers = list(self.stub.ModelStreamInfer(iter([request]), timeout=TIMEOUT_S))
        self.assertEqual(len(answers), 1)
        answer = answers[0].infer_response
        self.assertTrue(answer.parameters["triton_final_response"].bool_param)
        self.assertEqual(len(answer.outputs), 1)
        self.assertEqual(len(self.stub.ModelInfer(request, timeout=TIMEOUT_S).outputs), 1)

    # [1.10/one-answer][1.10/events][1.14/empty-final]
    def test_rows_without_an_answer(self):
        path = "/v2/models/sure/generate"
        for is_sure, status, events in [(True, 200, 1), (False, 500, 0)]:
            body = {"x_BOOL": is_sure, "x_FP32": 1.5}
            got, answer = self.call(path, body)
            self.assertEqual(got, status)
            if is_sure:
                self.assertEqual(json.loads(answer)["y_FP32"], 1.5)
            else:
                self.assertIn(b"exactly 1 response", answer)
            got, answer = self.call(path + "_stream", body)
            self.assertEqual((got, answer.count(b"data: ")), (200, events))
        request = pb.ModelInferRequest(model_name="sure")
        request.inputs.add(name="x_BOOL", datatype="BOOL", shape=[4, 1])
        request.inputs.add(name="x_FP32", datatype="FP32", shape=[4, 1])
        request.raw_input_contents.extend([bytes([0, 1, 0, 1]), struct.pack("<4f", 1, 2, 3, 4)])
        request.outputs.add(name="y_FP32")
        answers = [each.infer_response for each in
                   self.stub.ModelStreamInfer(iter([request]), timeout=TIMEOUT_S)]
        rows = [(answer.parameters["omserve_first_row"].int64_param,
                 struct.unpack("<f", answer.raw_output_contents[0])[0]) for answer in answers]
        self.assertEqual(rows, [(1, 2.0), (3, 4.0)])
        self.assertEqual([answer.parameters["triton_final_response"].bool_param
                          for answer in answers], [False, True])

    # [1.11/register][1.11/duplicate][1.11/no-object][1.11/object-too-small][1.11/status-unknown]
    # [1.11/unregister-unknown][1.11/bounds][1.11/unknown-region][1.15/already-exists]
    def test_regions(self):
        memory = multiprocessing.shared_memory.SharedMemory(create=True, size=REGION_BYTES)
        try:
            key = "/" + memory.name.lstrip("/")
            path = "/v2/systemsharedmemory/region/r/register"
            body = {"key": key, "offset": 0, "byte_size": REGION_BYTES}
            self.assertEqual(self.call(path, body), (200, b""))
            twice = "shared memory region 'r' already in manager"
            self.check_call(path, body, 400, twice)
            self.check_rpc(grpc.StatusCode.ALREADY_EXISTS, twice, "SystemSharedMemoryRegister",
                           pb.SystemSharedMemoryRegisterRequest(name="r", **body))
            for other, text in (({"key": "/nobody's"}, "Unable to open shared memory region: "
                                 "'/nobody's'"), ({"byte_size": REGION_BYTES + 1}, "")):
                text = "failed to register shared memory region 's': " + text
                self.check_call("/v2/systemsharedmemory/region/s/register", {**body, **other}, 400,
                                text)
                self.check_rpc(grpc.StatusCode.INVALID_ARGUMENT, text,
                               "SystemSharedMemoryRegister",
                               pb.SystemSharedMemoryRegisterRequest(name="s", **{**body, **other}))
            self.check_call("/v2/systemsharedmemory/region/s/status", None, 404, "'s'")
            self.assertEqual(self.call("/v2/systemsharedmemory/region/s/unregister", b"")[0], 200)
            self.check_shared_tensors(memory)
        finally:
            self.assertEqual(self.call("/v2/systemsharedmemory/unregister", b"")[0], 200)
            memory.close()
            memory.unlink()

    def check_shared_tensors(self, memory):
        memory.buf[:8] = struct.pack("<2f", 1, 2)

        def place(region="r", offset=0, size=8, **more):
            return {"parameters": {"shared_memory_region": region, "shared_memory_offset": offset,
                                   "shared_memory_byte_size": size, **more}}

        path = "/v2/models/later/infer"
        status, answer = self.call(path, {"inputs": [json_input(**place())]})
        self.assertEqual(status, 200, answer)
        self.assertEqual(json.loads(answer)["outputs"][0]["data"], [1, 2])
        self.check_call(path, {"inputs": [json_input(**place("s"))]}, 404,
                        "Unable to find shared memory region: 's'")
        for offset, size in ((REGION_BYTES - 7, 8), (REGION_BYTES + 1, 8), ((1 << 64) - 8, 8)):
            self.check_call(path, {"inputs": [json_input(**place("r", offset, size))]}, 400,
                            "Invalid offset + byte size for shared memory region: 'r'")

    # [1.11/with-binary-data][1.11/with-classification][1.11/input-with-data][1.9/shared-memory]
    def test_what_shared_memory_excludes(self):
        place = {"shared_memory_region": "r", "shared_memory_byte_size": 8}
        for more in ({"binary_data": True}, {"classification": 1}):
            status, answer = self.call("/v2/models/later/infer", {
                "inputs": [json_input(data=[1, 2])],
                "outputs": [{"name": "y_FP32", "parameters": {**place, **more}}]})
            self.assertEqual(status, 400, answer)
        self.check_call("/v2/models/later/infer",
                        {"inputs": [json_input(data=[1, 2], parameters=place)]}, 400,
                        "when using shared memory for input tensor 'x_FP32'")

    # [1.1/CudaSharedMemoryStatus][1.1/CudaSharedMemoryRegister][1.1/CudaSharedMemoryUnregister]
    def test_cuda(self):
        status = self.stub.CudaSharedMemoryStatus(
            pb.CudaSharedMemoryStatusRequest(), timeout=TIMEOUT_S)
        self.assertEqual(len(status.regions), 0)
        self.check_rpc(grpc.StatusCode.UNIMPLEMENTED, "GPUs not supported",
                       "CudaSharedMemoryRegister",
                       pb.CudaSharedMemoryRegisterRequest(name="c", raw_handle=b"1", byte_size=1))
        for name in ("", "c"):
            self.stub.CudaSharedMemoryUnregister(
                pb.CudaSharedMemoryUnregisterRequest(name=name), timeout=TIMEOUT_S)

    # [1.15/unsupported][1.15/not-found][1.15/invalid-argument]: the status of each over REST.
    def test_statuses(self):
        self.check_call("/v2/cudasharedmemory/region/c/register",
                        {"raw_handle": {"b64": "AA=="}, "device_id": 0, "byte_size": 1}, 501,
                        "GPUs not supported")
        self.check_call("/v2/models/nobody/infer", {}, 404, "'nobody' is not found")
        self.check_call("/v2/models/later/infer", {}, 400, "expected 1 inputs but got 0 inputs")


if __name__ == "__main__":
    unittest.main()
