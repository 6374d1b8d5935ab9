# SPDX-License-Identifier: Apache-2.0
"""grpc for Python over stubs that protoc made: what tritonclient and KServe's SDK stand on."""

import queue
import struct
import unittest

import grpc

from daemon import Daemon, tokens
from proto.health import health_pb2, health_pb2_grpc
from proto.inference import grpc_service_pb2 as pb
from proto.inference import grpc_service_pb2_grpc

TIMEOUT_S = 30
# As tritonclient sets them.
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def text_request(rows, request_id="", raw=True):
    ids, mask = tokens(rows)
    request = pb.ModelInferRequest(model_name="text", id=request_id)
    for name, values in (("input_ids", ids), ("attention_mask", mask)):
        tensor = request.inputs.add(name=name, datatype="INT64", shape=[rows, 32])
        if raw:
            request.raw_input_contents.append(struct.pack(f"<{len(values)}q", *values))
        else:
            tensor.contents.int64_contents.extend(values)
    return request


class GrpcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.channel = grpc.insecure_channel(cls.daemon.grpc, options=UNLIMITED)
        cls.stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.daemon.stop()

    def infer(self, request, stub=None, **options):
        return (stub or self.stub).ModelInfer(request, timeout=TIMEOUT_S, **options)

    def test_health_in_both_services(self):  # [1.1/health-check]
        self.assertTrue(self.stub.ServerLive(pb.ServerLiveRequest()).live)
        self.assertTrue(self.stub.ServerReady(pb.ServerReadyRequest()).ready)
        self.assertTrue(self.stub.ModelReady(pb.ModelReadyRequest(name="text")).ready)
        health = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "inference.GRPCInferenceService", "text"):
            status = health.Check(health_pb2.HealthCheckRequest(service=service)).status
            self.assertEqual(status, health_pb2.HealthCheckResponse.SERVING)

    def test_metadata_configuration_and_index(self):  # [1.1/ModelMetadata]
        server = self.stub.ServerMetadata(pb.ServerMetadataRequest())
        self.assertEqual(server.name, "omserve")
        self.assertIn("statistics", server.extensions)
        model = self.stub.ModelMetadata(pb.ModelMetadataRequest(name="text"))
        self.assertEqual(list(model.inputs[0].shape), [-1, 32])
        self.assertEqual(model.inputs[0].datatype, "INT64")
        config = self.stub.ModelConfig(pb.ModelConfigRequest(name="text")).config
        self.assertEqual(config.max_batch_size, 1024)
        index = self.stub.RepositoryIndex(pb.RepositoryIndexRequest())
        self.assertEqual(sorted(m.name for m in index.models),
                         ["fusion", "scenes", "text", "vision_a", "vision_b"])
        self.assertEqual({m.state for m in index.models}, {"READY"})

    def test_raw_and_typed_contents_agree(self):  # [1.4/raw][1.4/typed-INT64]
        raw = self.infer(text_request(2, "r"))
        self.assertEqual((raw.id, raw.model_name, raw.model_version), ("r", "text", "1"))
        self.assertEqual(list(raw.outputs[0].shape), [2, 32, 96])
        self.assertEqual(len(raw.raw_output_contents[0]), 2 * 32 * 96 * 4)
        typed = self.infer(text_request(2, "r", raw=False))
        self.assertEqual(typed.raw_output_contents, raw.raw_output_contents)

    def test_large_messages(self):  # [1.16]: beyond gRPC's 4 MiB, in both directions
        answer = self.infer(text_request(1000))
        self.assertEqual(len(answer.raw_output_contents[0]), 1000 * 32 * 96 * 4)
        one = self.infer(text_request(1))
        self.assertTrue(answer.raw_output_contents[0].startswith(one.raw_output_contents[0][:4096]))

    def test_compression(self):  # [1.7/grpc]
        plain = self.infer(text_request(4))
        for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            answer = self.infer(text_request(4), compression=algorithm)
            self.assertEqual(answer.raw_output_contents, plain.raw_output_contents)

    def test_errors_have_codes_and_texts(self):  # [1.15/not-found]
        cases = [
            (pb.ModelInferRequest(model_name="nobody"), grpc.StatusCode.NOT_FOUND, "'nobody'"),
            (pb.ModelInferRequest(model_name="text"), grpc.StatusCode.INVALID_ARGUMENT,
             "expected 2 inputs but got 0"),
        ]
        for request, code, text in cases:
            with self.assertRaises(grpc.RpcError) as raised:
                self.infer(request)
            self.assertEqual(raised.exception.code(), code)
            self.assertIn(text, raised.exception.details())

    def test_futures_and_cancellation(self):
        futures = [self.stub.ModelInfer.future(text_request(1, str(i)), timeout=TIMEOUT_S)
                   for i in range(64)]
        futures[63].cancel()
        for i in range(63):
            self.assertEqual(futures[i].result().id, str(i))

    # [1.14/order][1.14/error-in-band]: as tritonclient does: a queue that a generator reads, and a
    # reader of answers.
    def test_stream(self):
        requests = queue.Queue()

        def generate():
            while (request := requests.get()) is not None:
                yield request

        answers = self.stub.ModelStreamInfer(generate(), timeout=TIMEOUT_S)
        for i in range(20):
            requests.put(text_request(1, str(i)))
        requests.put(pb.ModelInferRequest(model_name="nobody", id="bad"))
        requests.put(text_request(1, "last"))
        requests.put(None)
        received = list(answers)
        self.assertEqual([a.infer_response.id for a in received],
                         [str(i) for i in range(20)] + ["bad", "last"])
        self.assertIn("nobody", received[20].error_message)
        for answer in received:
            self.assertTrue(answer.infer_response.parameters["triton_final_response"].bool_param)

    # [1.16]: pings without calls, oftener than gRPC's servers like by default, cost no connection.
    def test_keepalive(self):
        options = UNLIMITED + [("grpc.keepalive_time_ms", 100), ("grpc.keepalive_timeout_ms", 5000),
                               ("grpc.keepalive_permit_without_calls", 1),
                               ("grpc.http2.max_pings_without_data", 0)]
        with grpc.insecure_channel(self.daemon.grpc, options=options) as channel:
            states = []
            channel.subscribe(states.append)
            stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(channel)
            self.infer(text_request(1), stub)
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
            # Some tens of pings.
            with self.assertRaises(queue.Empty):
                queue.Queue().get(timeout=3)
            self.infer(text_request(1), stub)
            self.assertNotIn(grpc.ChannelConnectivity.TRANSIENT_FAILURE, states)


if __name__ == "__main__":
    unittest.main()
