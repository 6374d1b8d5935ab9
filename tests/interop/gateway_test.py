# SPDX-License-Identifier: Apache-2.0
"""nginx in front of omserved, as gateway for REST and for gRPC."""

import json
import pathlib
import socket
import subprocess
import time
import unittest

import grpc

from daemon import PATIENCE_S, Daemon, free_ports, run
from grpc_test import text_request
from proto.inference import grpc_service_pb2 as pb
from proto.inference import grpc_service_pb2_grpc
from rest_test import body

CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 64m;
  upstream rest {{ server {http}; keepalive 4; }}
  upstream rpc {{ server {grpc}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{rest_port};
    location / {{
      proxy_pass http://rest;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
  server {{
    listen 127.0.0.1:{rpc_port} http2;
    client_max_body_size 64m;
    location / {{ grpc_pass grpc://rpc; }}
  }}
}}
"""


class GatewayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        folder = pathlib.Path(cls.daemon.folder)
        cls.rest_port, cls.rpc_port = free_ports(2)
        file = folder / "nginx.conf"
        file.write_text(CONFIGURATION.format(
            folder=folder, http=cls.daemon.http.removeprefix("http://"), grpc=cls.daemon.grpc,
            rest_port=cls.rest_port, rpc_port=cls.rpc_port), encoding="utf-8")
        cls.nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", file, "-p", folder],
                                     stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", cls.rpc_port), 1).close()
                break
            except OSError:
                if cls.nginx.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((folder / "nginx.log").read_text(encoding="utf-8")) from None
                time.sleep(0.02)

    @classmethod
    def tearDownClass(cls):
        cls.nginx.terminate()
        cls.nginx.wait(PATIENCE_S)
        cls.daemon.stop()

    def test_rest(self):
        url = f"http://127.0.0.1:{self.rest_port}/v2/models/text/infer"
        straight = run("curl", "-sS", "-d", json.dumps(body(2)),
                       self.daemon.http + "/v2/models/text/infer")
        for _ in range(5):  # Over connections that nginx keeps.
            answer = run("curl", "-sS", "--fail-with-body", "-d", json.dumps(body(2)), url)
            self.assertEqual(json.loads(answer), json.loads(straight))
        # nginx sends on in chunks what comes to it so.
        answer = run("curl", "-sS", "--fail-with-body", "-H", "Transfer-Encoding: chunked", "-d",
                     json.dumps(body(2)), url)
        self.assertEqual(json.loads(answer), json.loads(straight))

    def test_grpc(self):
        with grpc.insecure_channel(f"127.0.0.1:{self.rpc_port}",
                                   options=[("grpc.max_receive_message_length", -1)]) as channel:
            stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(channel)
            for rows in (1, 8, 200):
                answer = stub.ModelInfer(text_request(rows, "g"), timeout=30)
                self.assertEqual(len(answer.raw_output_contents[0]), rows * 32 * 96 * 4)
            with self.assertRaises(grpc.RpcError) as raised:
                stub.ModelInfer(pb.ModelInferRequest(model_name="nobody"), timeout=30)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
            stream = stub.ModelStreamInfer(
                (text_request(1, str(i)) for i in range(10)), timeout=30)
            self.assertEqual([answer.infer_response.id for answer in stream],
                             [str(i) for i in range(10)])


if __name__ == "__main__":
    unittest.main()
