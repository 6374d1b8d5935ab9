# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/: what stands in blocks of sh and python runs, and gives what the block
after it says, if that is one of json or text."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from daemon import BUILD, PATIENCE_S, SOURCE, Daemon, add_identity

PAGES = ["rest.md", "grpc.md", "shared-memory.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class DocsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(
            add=lambda repository: add_identity(repository, "m"),
            flags=["--allow-client-shm", "true"])
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="omserve-docs-"))
        (cls.folder / "proto").symlink_to(SOURCE / "proto")
        (cls.folder / "stubs").mkdir()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)
        cls.daemon.stop()

    def run_block(self, language, text):
        for port, address in [("8000", self.daemon.http.removeprefix("http://")),
                              ("8001", self.daemon.grpc),
                              ("8002", self.daemon.metrics.removeprefix("http://").split("/")[0])]:
            text = text.replace("localhost:" + port, address)
        # A command that fails, also in the middle, fails the block; curl does for a status of 400
        # and above.
        command = {"sh": ["bash", "-eo", "pipefail", "-c",
                          'curl() { command curl -sS --fail-with-body "$@"; }\n' + text],
                   "python": ["/usr/bin/python3", "-c", text]}[language]
        path = f"{BUILD / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(command, cwd=self.folder, env={**os.environ, "PATH": path},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S, check=False, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_examples(self):
        for page in PAGES:
            blocks = BLOCK.findall((SOURCE / "docs" / page).read_text(encoding="utf-8"))
            self.assertTrue(blocks, page)
            output = ""
            for language, text in blocks:
                with self.subTest(page=page, block=text):
                    if language in ("sh", "python"):
                        output = self.run_block(language, text)
                    elif language == "json":
                        self.assertEqual(json.loads(output), json.loads(text))
                    else:
                        self.assertEqual(language, "text")
                        self.assertEqual(output, text)


if __name__ == "__main__":
    unittest.main()
