# SPDX-License-Identifier: Apache-2.0
"""A daemon over the demo's models, for the clients of this folder."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["OMSERVE_BUILD"])
SCENES = SOURCE / "tools/demo/scenes"
PATIENCE_S = 60
SHAPES = {"text": ["--input-shape", "input_ids:-1,32;attention_mask:-1,32"],
          "fusion": ["--input-shape", "text_features:-1,32,96;attention_mask:-1,32"]}


class Daemon:
    """bin/omserved with the demo's four models and their pipeline, on free ports of loopback.

    `add` gets the repository's folder to put more into it, `flags` are omserved's."""

    def __init__(self, add=None, flags=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="omserve-interop-"))
        repository = self.folder / "models"
        for model in ("vision_a", "vision_b", "text", "fusion"):
            file = repository / model / "1" / "model.om"
            file.parent.mkdir(parents=True)
            subprocess.run(
                [BUILD / "bin/omc", "compile", SCENES / f"models/{model}.onnx", "-o", file,
                 "--name", model, "--batch-gears", "1,2,4,8", *SHAPES.get(model, [])],
                check=True, stdout=subprocess.DEVNULL)
        # As it was written for another server, and for more rows than any compiled batch has.
        (repository / "text/config.pbtxt").write_text(
            'platform: "onnxruntime_onnx"\nmax_batch_size: 1024\n', encoding="utf-8")
        shutil.copytree(SCENES / "repository/scenes", repository / "scenes")
        for file in ("vocab.json", "answers.json"):
            shutil.copy(SCENES / "models" / file, repository / "scenes")
        if add is not None:
            add(repository)
        ready = self.folder / "ready.json"
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [BUILD / "bin/omserved", "--model-repository", repository, "--grpc-address",
             "127.0.0.1", "--http-address", "127.0.0.1", "--grpc-port", "0", "--http-port", "0",
             "--metrics-port", "0", "--ready-file", ready, *flags], stderr=self.log)
        until = time.monotonic() + PATIENCE_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                self.process.wait()
                self.log.seek(0)
                raise RuntimeError("omserved did not start:\n" + self.log.read())
            time.sleep(0.02)
        ports = json.loads(ready.read_text(encoding="utf-8"))
        self.grpc = f"127.0.0.1:{ports['grpc_port']}"
        self.http = f"http://127.0.0.1:{ports['http_port']}"
        self.admin_grpc = f"127.0.0.1:{ports['admin_grpc_port']}"
        self.admin = f"http://127.0.0.1:{ports['admin_http_port']}"
        self.metrics = f"http://127.0.0.1:{ports['metrics_port']}/metrics"

    def stop(self):
        """Ends it in order; its exit status has to be 0."""
        self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        self.log.close()
        shutil.rmtree(self.folder)
        assert status == 0, f"omserved ended with {status}"


def free_ports(count):
    """Ports of loopback that nobody has."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def tokens(rows):
    """Token ids and mask of a text model's request: equal rows of 32."""
    ids = [3 + i % 7 if i < 8 else 0 for i in range(32)]
    mask = [1 if i < 8 else 0 for i in range(32)]
    return ids * rows, mask * rows


def run(*command):
    """A program's standard output; it has to end with 0."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr!r}"
    return done.stdout
