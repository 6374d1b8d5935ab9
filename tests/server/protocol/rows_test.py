# SPDX-License-Identifier: Apache-2.0
"""Every row of rows.txt is named by a test, and no test names a row that is not there.

A test in C++ names a row in a tag, TEST_CASE("...", "[1.4/BYTES]"), one in Python in a comment
above it or at the end of its first line: def test_bytes(self):  # [1.4/BYTES]."""

import pathlib
import re
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[1]
ROW = re.compile(r"\[(1\.\d+/[^\]\s]+)\]")
# The strings after the first: tags, which may stand in several.
CPP_TAGS = re.compile(r'\bTEST_CASE\(\s*(?:"(?:[^"\\]|\\.)*"\s*)+,((?:\s*"(?:[^"\\]|\\.)*")+)\s*\)')
PYTHON_TAGS = re.compile(r"((?:^[ \t]*#.*\n)*)^[ \t]*def test_\w+\(.*\):(.*)$", re.MULTILINE)


def read_rows(text):
    """Each row's id, and why it is pending: None when it is not."""
    rows = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(1\.\d+/\S+) +(\S.*?)(?: \(pending: (.+)\))?", line)
        if match is None:
            raise ValueError(f"rows.txt:{number}: expected an id and words, got '{line}'")
        if match[1] in rows:
            raise ValueError(f"rows.txt:{number}: '{match[1]}' is there already")
        rows[match[1]] = match[3]
    return rows


def named_rows(name, text):
    """The ids in the tags of a test file."""
    pattern = PYTHON_TAGS if name.endswith(".py") else CPP_TAGS
    return {row for tags in pattern.finditer(text) for row in ROW.findall(" ".join(tags.groups()))}


def complaints(rows, files):
    """What is wrong, a line each; `files` has the ids that each file names."""
    named = set().union(*files.values())
    lines = [f"rows.txt: no test names {row}" for row, pending in rows.items()
             if pending is None and row not in named]
    for file, ids in sorted(files.items()):
        for row in sorted(ids):
            if row not in rows:
                lines.append(f"{file}: {row} is not in rows.txt")
            elif rows[row] is not None:
                lines.append(f"{file}: {row} is named, and pending in rows.txt")
    return lines


class RowsTest(unittest.TestCase):
    def test_every_row_has_a_test(self):
        rows = read_rows((HERE / "rows.txt").read_text(encoding="utf-8"))
        files = {str(path.relative_to(TESTS)): named_rows(path.name, path.read_text("utf-8"))
                 for pattern in ("*_test.cc", "interop/*_test.py") for path in TESTS.rglob(pattern)}
        pending = [row for row, why in rows.items() if why is not None]
        print(f"{len(rows)} rows, {len(pending)} of them pending: {', '.join(pending)}")
        wrong = complaints(rows, files)
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    def test_rows_are_read(self):
        text = "# No row.\n\n1.1/a  some words\n1.2/b  more (pending: not yet)\n"
        self.assertEqual(read_rows(text), {"1.1/a": None, "1.2/b": "not yet"})
        for text in ("1.1/a\n", "one  word\n", "1.1/a  b\n1.1/a  c\n"):
            with self.assertRaises(ValueError):
                read_rows(text)

    def test_tags_are_found(self):
        cpp = 'TEST_CASE("a [1.1/no]", "[x][1.1/a]"\n          "[1.1/b]") {\n  "[1.1/no]";\n}\n'
        self.assertEqual(named_rows("a_test.cc", cpp), {"1.1/a", "1.1/b"})
        python = "    # [1.1/a]\n    def test_x(self):  # [1.1/b]\n        pass  # [1.1/no]\n"
        self.assertEqual(named_rows("a_test.py", python), {"1.1/a", "1.1/b"})

    def test_what_is_wrong_is_told(self):
        rows = {"1.1/a": None, "1.1/b": None, "1.1/c": "not yet"}
        self.assertEqual(complaints(rows, {"f": {"1.1/a", "1.1/b"}}), [])
        self.assertEqual(complaints(rows, {"f": {"1.1/a", "1.1/c", "1.1/d"}}),
                         ["rows.txt: no test names 1.1/b",
                          "f: 1.1/c is named, and pending in rows.txt",
                          "f: 1.1/d is not in rows.txt"])


if __name__ == "__main__":
    unittest.main()
