# SPDX-License-Identifier: Apache-2.0
"""grpc-js, which is JavaScript from the socket up: see js/client.js."""

import unittest

from daemon import SOURCE, Daemon, run


class JsTest(unittest.TestCase):
    def test_client(self):
        daemon = Daemon()
        try:
            said = run("node", SOURCE / "tests/interop/js/client.js", SOURCE, daemon.grpc)
            self.assertIn(b"all is well", said)
        finally:
            daemon.stop()


if __name__ == "__main__":
    unittest.main()
