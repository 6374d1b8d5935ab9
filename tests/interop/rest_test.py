# SPDX-License-Identifier: Apache-2.0
"""curl, h2load and promtool, and Python's own HTTP client as KServe's SDK uses one."""

import json
import pathlib
import struct
import subprocess
import unittest
import urllib.request

from daemon import Daemon, run, tokens


def body(rows):
    ids, mask = tokens(rows)
    return {"id": "r1", "inputs": [
        {"name": "input_ids", "shape": [rows, 32], "datatype": "INT64", "data": ids},
        {"name": "attention_mask", "shape": [rows, 32], "datatype": "INT64", "data": mask}]}


class RestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def curl(self, path, *options):
        return run("curl", "-sS", "--fail-with-body", *options, self.daemon.http + path)

    def get(self, path):
        return json.loads(self.curl(path))

    def test_routes(self):  # [1.2/server-metadata]
        self.curl("/v2/health/live")
        self.curl("/v2/health/ready")
        self.curl("/v2/models/text/ready")
        self.assertEqual(self.get("/v2")["name"], "omserve")
        self.assertEqual(self.get("/v2/models/text")["inputs"][0]["shape"], [-1, 32])
        self.assertEqual(self.get("/v2/models/fusion/versions/1/config")["max_batch_size"], 8)
        self.assertEqual(self.get("/v2/models/text/stats")["model_stats"][0]["name"], "text")
        index = json.loads(self.curl("/v2/repository/index", "-X", "POST", "-d", ""))
        self.assertEqual(len(index), 5)

    # [1.3/data-nested]: nested lists are what json.dumps of an array gives.
    def test_infer_as_json(self):
        answer = json.loads(self.curl("/v2/models/text/infer", "-d", json.dumps(body(2))))
        self.assertEqual((answer["id"], answer["model_version"]), ("r1", "1"))
        flat = answer["outputs"][0]["data"]
        self.assertEqual(len(flat), 2 * 32 * 96)
        nested = body(2)
        for tensor in nested["inputs"]:
            tensor["data"] = [tensor["data"][:32], tensor["data"][32:]]
        request = urllib.request.Request(
            self.daemon.http + "/v2/models/text/infer", json.dumps(nested).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            self.assertEqual(json.load(response)["outputs"][0]["data"], flat)

    # [1.6/tritonclient]: tensors after the JSON, both ways, as tritonclient sends them.
    def test_infer_with_binary_tensors(self):
        ids, mask = tokens(2)
        head = body(2)
        data = b""
        for tensor, values in zip(head["inputs"], (ids, mask)):
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": 8 * len(values)}
            data += struct.pack(f"<{len(values)}q", *values)
        head["outputs"] = [{"name": "text_features", "parameters": {"binary_data": True}}]
        encoded = json.dumps(head).encode()
        request = urllib.request.Request(
            self.daemon.http + "/v2/models/text/infer", encoded + data,
            {"Inference-Header-Content-Length": str(len(encoded)),
             "Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=30) as response:
            length = int(response.headers["Inference-Header-Content-Length"])
            answer = response.read()
        self.assertEqual(json.loads(answer[:length])["outputs"][0]["shape"], [2, 32, 96])
        floats = struct.unpack(f"<{2 * 32 * 96}f", answer[length:])
        plain = json.loads(self.curl("/v2/models/text/infer", "-d", json.dumps(body(2))))
        # JSON has the digits that give the same float again.
        self.assertEqual([struct.unpack("<f", struct.pack("<f", value))[0]
                          for value in plain["outputs"][0]["data"]], list(floats))

    def test_errors_are_json(self):  # [1.3/errors]
        for path, status in (("/v2/models/nobody/infer", 404), ("/v2/models/text/infer", 400)):
            done = subprocess.run(
                ["curl", "-sS", "-w", "%{http_code}", "-d", "{}", self.daemon.http + path],
                stdout=subprocess.PIPE, check=True, timeout=60)
            text, code = done.stdout[:-3], int(done.stdout[-3:])
            self.assertEqual(code, status)
            self.assertTrue(json.loads(text)["error"])

    # One connection for all, and many at once: nothing fails.
    def test_h2load(self):
        file = pathlib.Path(self.daemon.folder) / "body.json"
        file.write_text(json.dumps(body(1)), encoding="utf-8")
        for clients, requests in ((1, 200), (16, 800)):
            text = run("h2load", "--h1", "-n", requests, "-c", clients, "-d", file, "-H",
                       "Content-Type: application/json",
                       self.daemon.http + "/v2/models/text/infer").decode()
            self.assertIn(f"{requests} succeeded, 0 failed, 0 errored, 0 timeout", text)

    # HTTP/2 as gRPC has it, from a client that knows nothing of gRPC.
    def test_h2load_against_grpc(self):
        file = pathlib.Path(self.daemon.folder) / "empty.grpc"
        file.write_bytes(b"\0\0\0\0\0")
        text = run("h2load", "-n", 2000, "-c", 4, "-m", 10, "-d", file, "-H",
                   "content-type: application/grpc", "-H", "te: trailers",
                   f"http://{self.daemon.grpc}/inference.GRPCInferenceService/ServerReady").decode()
        self.assertIn("2000 succeeded, 0 failed, 0 errored, 0 timeout", text)

    # [3]: promtool finds nothing wrong but what Triton's own names have: counters without _total.
    def test_metrics(self):
        self.curl("/v2/models/text/infer", "-d", json.dumps(body(1)), "-o", "/dev/null")
        with urllib.request.urlopen(self.daemon.metrics, timeout=30) as response:
            text = response.read()
        with urllib.request.urlopen(self.daemon.http + "/metrics", timeout=30) as response:
            self.assertIn(b"nv_inference_request_success", response.read())
        self.assertIn(b'nv_inference_request_success{model="text",version="1"}', text)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, timeout=60, check=False)
        complaints = [line for line in (done.stdout + done.stderr).decode().splitlines()
                      if line and not line.startswith("nv_")]
        self.assertEqual(complaints, [])


if __name__ == "__main__":
    unittest.main()
