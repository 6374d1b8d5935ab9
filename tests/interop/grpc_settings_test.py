# SPDX-License-Identifier: Apache-2.0
"""What the settings of gRPC do to connections: answers that are compressed, connections that grow
old."""

import pathlib
import struct
import subprocess
import time
import unittest

import grpc

from daemon import PATIENCE_S, Daemon
from grpc_test import text_request
from proto.inference import grpc_service_pb2 as pb
from proto.inference import grpc_service_pb2_grpc

MOST_AGE_MS = 200


class GrpcSettingsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(flags=["--grpc-infer-response-compression-level", "low",
                                   "--grpc-max-connection-age", str(MOST_AGE_MS),
                                   "--grpc-keepalive-time", "1000"])

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def post(self, accepts):
        """A call written by hand: the header of its answer, and the body."""
        message = text_request(4).SerializeToString()
        folder = pathlib.Path(self.daemon.folder)
        (folder / "message").write_bytes(struct.pack(">BI", 0, len(message)) + message)
        body = subprocess.run(
            ["curl", "-sS", "--http2-prior-knowledge", "-D", folder / "header",
             "-H", "te: trailers", "-H", "Content-Type: application/grpc",
             "-H", f"grpc-accept-encoding: {accepts}",
             "--data-binary", f"@{folder / 'message'}",
             f"http://{self.daemon.grpc}/inference.GRPCInferenceService/ModelInfer"],
            stdout=subprocess.PIPE, timeout=PATIENCE_S, check=True).stdout
        return (folder / "header").read_text(encoding="utf-8"), body

    def test_compressed_answers(self):
        header, body = self.post("identity,gzip")
        self.assertIn("grpc-encoding: gzip", header)
        self.assertEqual(body[0], 1)
        header, body = self.post("identity")
        self.assertEqual(body[0], 0)
        response = pb.ModelInferResponse.FromString(body[5:])
        self.assertEqual(list(response.outputs[0].shape), [4, 32, 96])

    def test_old_connections_are_sent_away(self):
        states = []
        with grpc.insecure_channel(self.daemon.grpc) as channel:
            channel.subscribe(states.append)
            stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(channel)
            begun = time.monotonic()
            while time.monotonic() < begun + 8 * MOST_AGE_MS / 1000:
                stub.ModelInfer(text_request(1), timeout=PATIENCE_S)
        # Not one call failed, and yet the connection was not the first one at the end.
        ready = grpc.ChannelConnectivity.READY
        self.assertIn(ready, states)
        self.assertTrue(any(state != ready for state in states[states.index(ready):]), states)


if __name__ == "__main__":
    unittest.main()
