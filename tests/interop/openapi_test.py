# SPDX-License-Identifier: Apache-2.0
"""What /v2/openapi.json says of each operation, against what the daemon answers."""

import json
import os
import shutil
import unittest
import urllib.error
import urllib.parse
import urllib.request
from multiprocessing import shared_memory

import jsonschema

from daemon import Daemon, tokens


def infer_body(**more):
    ids, mask = tokens(1)
    return {"inputs": [
        {"name": "input_ids", "shape": [1, 32], "datatype": "INT64", "data": ids},
        {"name": "attention_mask", "shape": [1, 32], "datatype": "INT64", "data": mask}], **more}


def generate_body():
    ids, mask = tokens(1)
    return {"id": "7", "input_ids": ids, "attention_mask": mask}


def add_second_version(repository):
    """A version of `text` for labels to move to."""
    shutil.copytree(repository / "text/1", repository / "text/2")
    with open(repository / "text/config.pbtxt", "a", encoding="utf-8") as config:
        config.write("version_policy { all {} }\n")


REGION = f"omserve-openapi-{os.getpid()}"

# Bodies of the operations that take one, by the end of their path: those that succeed, and those
# that do not.
BODIES = {
    "infer": ([infer_body(), infer_body(id="1", parameters={"priority": 1}),
               infer_body(outputs=[{"name": "text_features",
                                    "parameters": {"classification": 2}}])],
              [{}, {"inputs": [{}]}]),
    "generate": ([generate_body()], [{"input_ids": "no"}]),
    "generate_stream": ([generate_body()], []),
    "index": ([None, {"ready": True}], [{"ready": 1}]),
    # Of a configuration that leaves version 1 for the labels.
    "load": ([None, {"parameters": {"config": '{"version_policy": {"all": {}}}'}}],
             [{"parameters": 7}]),
    "labels": ([{}, {"labels": {"stable": 2, "old": 1}}, {"labels": {"stable": 1}},
                {"remove": ["old"]}],
               [{"labels": {"stable": 9}}, {"labels": {"7": 1}}, {"remove": ["old"]}]),
    "rollback": ([None, {"label": "stable"}], [{"label": "nobody"}]),
    "traffic": ([{"shares": [{"label": "stable", "percent": 100}]}, {"shares": []}, None],
                [{"shares": [{"label": "stable", "percent": 99}]}]),
    "epoch": ([{"floor": 3}, {"floor": 0, "allow_lower": True}], [{"floor": -1}]),
    "drain": ([None, {"version": 0}], [{"version": 9}, {"version": -1}]),
    "verify": ([None, {"version": 1}], [{"version": 9}, {"version": -1}]),
    "unload": ([None, {"parameters": {"unload_dependents": True}}], [{"parameters": 7}]),
    "register": ([{"key": "/" + REGION, "byte_size": 1}],
                 [{"key": "/nobody's", "byte_size": 1}, {}]),
    "setting": ([{}, {"trace_level": ["OFF"]}], [{"trace_rate": "no"}]),
    "logging": ([{}, {"log_info": True}], [{"log_info": "yes"}]),
}
NEVER_SUCCEEDS = "/v2/cudasharedmemory/region/{region}/register"  # There are no GPUs.
VALUES = {"model": "text", "version": "1", "region": "r", "repository": "all"}


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region = shared_memory.SharedMemory(REGION, create=True, size=1)
        cls.daemon = Daemon(
            add=add_second_version,
            flags=["--model-control-mode", "explicit", "--load-model", "*",
                   "--allow-client-shm=true"])
        with urllib.request.urlopen(cls.daemon.admin + "/v2/openapi.json", timeout=30) as answer:
            cls.document = json.load(answer)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        cls.region.close()
        cls.region.unlink()

    def schema(self, schema):
        """`schema`, which may refer to the document's others."""
        return {**schema, "components": self.document["components"]}

    def call(self, verb, path, body):
        data = None if body is None and verb == "GET" else json.dumps(body).encode()
        request = urllib.request.Request(self.daemon.admin + path,
                                         b"" if body is None and data is not None else data,
                                         method=verb)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get_content_type(), error.read()

    def check(self, verb, path, operation, body):
        """One call against what is said of it; its status and its body."""
        status, kind, answer = self.call(verb, path, body)
        said = operation["responses"].get(str(status))
        self.assertIsNotNone(said, f"status {status} is not told: {answer[:200]}")
        if "content" not in said:
            self.assertEqual(answer, b"")
            return status, answer
        self.assertIn(kind, said["content"])
        schema = self.schema(said["content"][kind]["schema"])
        if kind == "text/event-stream":
            events = [line[6:] for line in answer.split(b"\n") if line.startswith(b"data: ")]
            self.assertTrue(events)
            for event in events:
                jsonschema.validate(json.loads(event), schema)
        elif kind == "application/json":
            jsonschema.validate(json.loads(answer), schema)
        if status == 200 and body is not None and "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            jsonschema.validate(body, self.schema(content["schema"]))
        return status, answer

    def test_every_operation(self):  # [1.2]
        # What unloads comes last: the others need the model.
        for pattern, item in sorted(self.document["paths"].items(),
                                    key=lambda path: path[0].endswith(("/drain", "/unload"))):
            for verb, operation in item.items():
                path = pattern
                for parameter in operation.get("parameters", []):
                    if parameter["in"] == "path":
                        path = path.replace("{%s}" % parameter["name"],
                                            urllib.parse.quote(VALUES[parameter["name"]]))
                    elif parameter["in"] == "query":
                        path += f"?{parameter['name']}=0.01"
                if "requestBody" not in operation:
                    with self.subTest(verb=verb, path=path):
                        self.check(verb.upper(), path, operation, None)
                    continue
                good, bad = BODIES[pattern.rsplit("/", 1)[1]]
                for at, body in enumerate(good + bad):
                    with self.subTest(verb=verb, path=path, body=body):
                        status, answer = self.check(verb.upper(), path, operation, body)
                        is_good = at < len(good) and pattern != NEVER_SUCCEEDS
                        self.assertEqual(status < 400, is_good, answer)

    def test_the_document_is_well_formed(self):
        references, ids = [], []

        def walk(value):
            if isinstance(value, dict):
                if "$ref" in value:
                    references.append(value["$ref"])
                for inner in value.values():
                    walk(inner)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner)

        walk(self.document)
        schemas = self.document["components"]["schemas"]
        for reference in references:
            self.assertIn(reference.removeprefix("#/components/schemas/"), schemas)
        for schema in schemas.values():
            jsonschema.Draft202012Validator.check_schema(schema)
        for item in self.document["paths"].values():
            ids += [operation["operationId"] for operation in item.values()]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertTrue(self.document["openapi"].startswith("3.1"))

    def test_errors_of_models(self):
        item = self.document["paths"]["/v2/models/{model}"]
        self.assertEqual(self.check("GET", "/v2/models/nobody", item["get"], None)[0], 404)
        item = self.document["paths"]["/v2/models/{model}/ready"]
        self.assertEqual(self.check("GET", "/v2/models/nobody/ready", item["get"], None)[0], 400)


if __name__ == "__main__":
    unittest.main()
