# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/: what stands in blocks of sh and python runs, and gives what the block
after it says, if that is one of json or text.

A comment <!-- daemon: NAME --> starts the daemon of DAEMONS that the blocks after it speak to; the
folder stays, with what the blocks before have made in it."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from daemon import BUILD, PATIENCE_S, SOURCE, Daemon
from identity import add_identity

# Pages, and what the daemon has to be started with for them; None: a comment says so.
PAGES = {
    "rest.md": [],
    "grpc.md": [],
    "shared-memory.md": ["--allow-client-shm", "true"],
    "tracing.md": [],
    "decoupled.md": [],
    "model-repository.md": ["--model-control-mode", "explicit", "--load-model", "*",
                            "--control-on-public-ports", "true"],
    "sources.md": [],
    "security.md": None,
}
# What stands in the settings; RUN is the page's folder.
DAEMONS = {
    "plain": "",
    "tls": "http: {tls: {certificate_file: RUN/tls.crt, key_file: RUN/tls.key}}\n",
    "mutual_tls": "http: {tls: {certificate_file: RUN/tls.crt, key_file: RUN/tls.key, "
                  "client_ca_file: RUN/client.crt}}\n",
    "clients": "auth: {file: RUN/clients.yaml}\n",
    "restricted": "auth:\n"
                  "  grpc_restricted: "
                  "[{groups: [model-repository, trace], key: admin-key, value: secret}]\n"
                  "  http_restricted: [{groups: [inference], key: x-key, value: secret}]\n",
    "sockets": "grpc: {unix_socket: RUN/grpc}\nhttp: {unix_socket: RUN/http}\n",
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|^<!-- (daemon): (\w+) -->$", re.MULTILINE | re.DOTALL)
# A status of 400 and above, and a command that fails in the middle, fail the block.
PRELUDE = """
curl() { command curl -sS --fail-with-body "$@"; }
omctl() {
  case "$*" in
    *--url*|token*) command omctl "$@" ;;
    *) command omctl --url localhost:8001 "$@" ;;
  esac
}
"""


def add_models(repository):
    """`m`, and `many`, which answers by parts of two rows."""
    add_identity(repository, "m", 2, ["FP32"], is_named=False)
    add_identity(repository, "many", 2, ["FP32"], batches="1,2", is_named=False)
    (repository / "many/config.yaml").write_text(
        "max_batch_size: 8\nmodel_transaction_policy: {decoupled: true}\n", encoding="utf-8")


class DocsTest(unittest.TestCase):
    def make_folder(self):
        self.daemon = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="omserve-docs-"))
        (self.folder / "proto").symlink_to(SOURCE / "proto")
        (self.folder / "stubs").mkdir()
        (self.folder / "config.json").write_text("{}", encoding="utf-8")

    def start(self, flags):
        self.daemon = Daemon(add=add_models, flags=flags)
        (self.folder / "models").symlink_to(self.daemon.folder / "models")

    def start_named(self, name):
        self.stop()
        settings = self.folder / "omserve.yaml"
        settings.write_text(DAEMONS[name].replace("RUN", str(self.folder)), encoding="utf-8")
        self.start(["--config", settings])

    def stop(self):
        if self.daemon is not None:
            self.daemon.stop()
            self.daemon = None
            (self.folder / "models").unlink()

    def run_block(self, language, text):
        if language == "sh":
            text = PRELUDE + text
        text = text.replace("/run/omserve", str(self.folder))
        if self.daemon is not None:
            for port, url in [("8000", self.daemon.http), ("8001", "http://" + self.daemon.grpc),
                              ("8002", self.daemon.metrics), ("8004", self.daemon.admin),
                              ("8003", "http://" + self.daemon.admin_grpc)]:
                text = text.replace("localhost:" + port, urllib.parse.urlsplit(url).netloc)
        command = {"sh": ["bash", "-eo", "pipefail", "-c", text],
                   "python": ["/usr/bin/python3", "-c", text]}[language]
        path = f"{BUILD / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(command, cwd=self.folder, env={**os.environ, "PATH": path},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S, check=False, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def check_page(self, page):
        blocks = BLOCK.findall((SOURCE / "docs" / page).read_text(encoding="utf-8"))
        self.assertTrue(blocks)
        output = ""
        for language, text, is_daemon, name in blocks:
            with self.subTest(page=page, block=text or name):
                if is_daemon:
                    self.start_named(name)
                elif language in ("sh", "python"):
                    output = self.run_block(language, text)
                elif language == "json":
                    self.assertEqual(json.loads(output), json.loads(text))
                else:
                    self.assertEqual(language, "text")
                    self.assertEqual(output, text)

    def test_examples(self):
        for page, flags in PAGES.items():
            self.make_folder()
            try:
                if flags is not None:
                    self.start(flags)
                self.check_page(page)
            finally:
                self.stop()
                shutil.rmtree(self.folder)


if __name__ == "__main__":
    unittest.main()
