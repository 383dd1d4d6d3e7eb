# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Reads docker/Dockerfile and .dockerignore: as much of their languages as ours use, anything else is an error."""
import fnmatch
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}


class Instruction:
    def __init__(self, line, name, text):
        self.line, self.name, self.text = line, name, text
        self.flags = {}
        while self.text.startswith("--"):
            flag, _, self.text = self.text.partition(" ")
            key, _, value = flag[2:].partition("=")
            self.flags[key] = value
            self.text = self.text.lstrip()

    def words(self):
        return self.json() if self.text.startswith("[") else self.text.split()

    def json(self):
        words = json.loads(self.text)
        assert isinstance(words, list) and all(isinstance(word, str) for word in words), self
        return words

    def __repr__(self):
        return f"line {self.line}: {self.name} {self.text}"


class Stage:
    def __init__(self, base, name):
        self.base, self.name, self.instructions = base, name, []

    def all(self, name):
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last(self, name):
        return self.all(name)[-1]

    def health_command(self):
        keyword, _, command = self.last("HEALTHCHECK").text.partition(" ")
        assert keyword == "CMD", "HEALTHCHECK NONE?"
        return json.loads(command)

    def volumes(self):
        return [path for volume in self.all("VOLUME") for path in volume.words()]


def parse(path=ROOT / "docker/Dockerfile"):
    stages, pending, began = [], "", 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("#") or (not pending and not line.strip()):
            continue
        began = began if pending else number
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        name, _, text = re.sub(r"\s+", " ", pending).strip().partition(" ")
        pending = ""
        assert name in KNOWN, f"line {began}: {name} is not among the instructions that this test understands"
        if name == "FROM":
            words = text.split()
            assert len(words) == 1 or (len(words) == 3 and words[1] == "AS"), f"line {began}: FROM {text}"
            stages.append(Stage(words[0], words[2] if len(words) == 3 else None))
        else:
            stages[-1].instructions.append(Instruction(began, name, text))
    assert not pending, "the last line is continued"
    return stages


def ignored(path, patterns):
    """Whether a path (relative, with /) or a folder that it is in matches a pattern."""
    names = path.split("/")
    for pattern in patterns:
        for end in range(1, len(names) + 1):
            whole = "/".join(names[:end])
            if fnmatch.fnmatch(whole, pattern) or (
                    pattern.startswith("**/") and fnmatch.fnmatch(names[end - 1], pattern[3:])):
                return True
    return False


def ignore_patterns():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert not any(pattern.startswith("!") for pattern in patterns), "exceptions are not understood here"
    return patterns


def context_files(source="."):
    """What COPY SOURCE copies from the repository: (path relative to the repository) of each file."""
    patterns = ignore_patterns()
    start = ROOT / source
    found = [start] if start.is_file() else []
    folders = [start] if start.is_dir() else []
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if ignored(str(path.relative_to(ROOT)), patterns):
                continue
            (folders if path.is_dir() and not path.is_symlink() else found).append(path)
    return [path.relative_to(ROOT) for path in found if not ignored(str(path.relative_to(ROOT)), patterns)]
