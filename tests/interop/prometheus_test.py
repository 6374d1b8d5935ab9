# SPDX-License-Identifier: Apache-2.0
"""Prometheus itself, which scrapes native histograms and exemplars."""

import json
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from daemon import PATIENCE_S, Daemon, free_ports, tokens

TRACE = "0af7651916cd43dd8448eb211c80319c"


class PrometheusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(
            flags=["--trace-config", "level=TIMESTAMPS", "--trace-config", "rate=0"])
        cls.folder = tempfile.mkdtemp(prefix="omserve-prometheus-")
        [cls.port] = free_ports(1)
        target = urllib.parse.urlsplit(cls.daemon.metrics).netloc
        with open(cls.folder + "/prometheus.yml", "w", encoding="utf-8") as config:
            config.write("scrape_configs:\n- job_name: omserve\n  scrape_interval: 200ms\n"
                         f"  static_configs: [{{targets: ['{target}']}}]\n")
        cls.process = subprocess.Popen(
            ["prometheus", f"--config.file={cls.folder}/prometheus.yml",
             f"--storage.tsdb.path={cls.folder}/data", f"--web.listen-address=127.0.0.1:{cls.port}",
             "--enable-feature=native-histograms,exemplar-storage"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait()
        shutil.rmtree(cls.folder)
        cls.daemon.stop()

    def ask(self, path, **parameters):
        """What its API answers; nothing while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?" +
                                        urllib.parse.urlencode(parameters), timeout=30) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def await_value(self, query, is_right):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            data = self.ask("query", query=query)
            if data is not None and data["result"]:
                value = float(data["result"][0]["value"][1])
                if is_right(value):
                    return value
            time.sleep(0.1)
        self.fail(f"{query}: no such value")

    def infer(self):
        ids, mask = tokens(1)
        body = {"inputs": [
            {"name": "input_ids", "shape": [1, 32], "datatype": "INT64", "data": ids},
            {"name": "attention_mask", "shape": [1, 32], "datatype": "INT64", "data": mask}]}
        request = urllib.request.Request(
            self.daemon.http + "/v2/models/text/infer", json.dumps(body).encode(),
            {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    def test_native_histograms_and_exemplars(self):  # Part 3
        for _ in range(5):
            self.infer()
        total = 'omserve_request_duration_seconds{model="text",stage="total"}'
        self.await_value('up{job="omserve"}', lambda value: value == 1)
        self.await_value('nv_inference_request_success{model="text"}', lambda value: value == 5)
        self.await_value(f"histogram_count({total})", lambda value: value == 5)
        median = self.await_value(f"histogram_quantile(0.5, {total})", lambda value: value > 0)
        mean = self.await_value(f"histogram_sum({total})", lambda value: value > 0) / 5
        self.assertLess(median, 6 * mean)
        self.await_value('nv_cpu_memory_total_bytes', lambda value: value > 0)
        self.await_value('nv_gpu_memory_total_bytes{gpu_uuid="NPU-0"}', lambda value: value > 0)
        found = self.ask("query_exemplars", query="omserve_request_duration_seconds",
                         start=time.time() - 600, end=time.time() + 60)
        traces = {exemplar["labels"]["trace_id"]
                  for series in found for exemplar in series["exemplars"]}
        self.assertEqual(traces, {TRACE})


if __name__ == "__main__":
    unittest.main()
