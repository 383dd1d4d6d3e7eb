# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The repository itself: what its files may say, how large they grow, which part may know which."""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 700
# Longer by nature, with the reason.
LONG_FILES: dict[str, str] = {}

FOREIGN = ("sqlite3", "mosquitto", "mosquitto_broker", "mosquitto_plugin", "mqtt_protocol", "curl/", "cjson/", "cJSON")
# What a part's own sources and headers must not include: foreign headers, and the parts above it.
BORDERS = {
    "engine": (*FOREIGN, "pthread", "threads", "sluice_store/"),
    "store": ("mosquitto", "mqtt_protocol", "curl/"),
    "plugin": ("sqlite3",),
    "cli": ("sqlite3", "mosquitto_broker", "mosquitto_plugin"),
    "client": ("sqlite3", "mosquitto_broker", "mosquitto_plugin", "sluice_store/", "curl/", "uv"),
    "bridge": ("mosquitto_broker", "mosquitto_plugin"),
}


def tracked():
    """Files of the repository, those too that are not committed yet; a clone without git counts them all."""
    try:
        names = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others",
                                "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        paths = [ROOT / name for name in names.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*")
                 if not {".git", "build", "__pycache__"} & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in paths if path.is_file())


FILES = tracked()


def name(path):
    return str(path.relative_to(ROOT))


def text(path):
    return path.read_text(encoding="utf-8", errors="replace")


def ours(*suffixes):
    return [path for path in FILES if path.suffix in suffixes]


def scripts():
    """(path, interpreter) of everything that begins with #!, and of what those source."""
    found = []
    for path in FILES:
        with path.open("rb") as file:
            line = file.readline(200)
        if line.startswith(b"#!"):
            found.append((path, line.decode(errors="replace")))
        elif path.suffix == ".sh":
            found.append((path, "bash"))
    return found


def test_the_repository_stands_alone():
    """Nothing refers to a file beside the repository, nor to the place where it was written."""
    beside = "../" + "shared"
    place = re.compile(r"(?<![\w.])/work/\w")
    wrong = []
    for path in FILES:
        for number, line in enumerate(text(path).splitlines(), 1):
            if beside in line or place.search(line):
                wrong.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_no_source_file_has_grown_into_two():
    wrong = [f"{name(path)}: {len(text(path).splitlines())} lines" for path in ours(".c", ".h")
             if len(text(path).splitlines()) > MAX_LINES and name(path) not in LONG_FILES]
    assert not wrong, "\n".join(wrong)


def test_every_source_file_names_its_license():
    code = ours(".c", ".h", ".py", ".sql", ".sh") + [path for path, _ in scripts()]
    wrong = [name(path) for path in code
             if not re.search(r"SPDX-License-Identifier: (EPL-2.0 OR BSD-3-Clause$|\(EPL-2.0 OR BSD-3-Clause\) AND)",
                              "\n".join(text(path).splitlines()[:5]).replace(" */", ""), re.M)]
    assert not wrong, "\n".join(wrong)


def test_the_license_holds_both_texts():
    license_text = text(ROOT / "LICENSE")
    for part in ("Eclipse Public License - v 2.0", "Exhibit A", "Redistributions in binary form"):
        assert part in license_text


@pytest.mark.parametrize("part", BORDERS)
def test_a_part_includes_nothing_from_beyond_its_border(part):
    wrong = []
    for path in ours(".c", ".h"):
        if path.relative_to(ROOT).parts[0] != part:
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)
            if include and any(re.match(re.escape(border) + (r"" if border.endswith("/") else r"\.h"), include[1])
                               for border in BORDERS[part]):
                wrong.append(f"{name(path)}:{number}: {include[1]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", ["engine", "store"])
def test_every_header_compiles_alone(part, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("no C compiler")
    wrong = []
    for path in ours(".h"):
        parts = path.relative_to(ROOT).parts
        # A table made by a script is included by the one file whose types it uses.
        if parts[0] != part or "Made by scripts/" in text(path)[:400]:
            continue
        folders = [ROOT / "engine/include", ROOT / "store/include", ROOT / part / "src"]
        made = tmp_path / "alone.c"
        # Twice: the guard must hold, too.
        made.write_text(f'#include "{path}"\n#include "{path}"\n')
        run = subprocess.run([compiler, "-std=c17", "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra",
                              "-Werror", "-fsyntax-only", *(f"-I{folder}" for folder in folders), str(made)],
                             capture_output=True, text=True)
        if run.returncode != 0:
            wrong.append(f"{name(path)}:\n{run.stderr}")
    assert not wrong, "\n".join(wrong)


# --- documents ---

LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")


def without_code(path):
    kept, fence = [], False
    for line in text(path).splitlines():
        if line.lstrip().startswith("```"):
            fence = not fence
        elif not fence:
            kept.append(re.sub(r"`[^`]*`", "", line))
    return "\n".join(kept)


def links(path):
    """(link, file, anchor) of each relative link."""
    for link in LINK.findall(without_code(path)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        target, _, anchor = link.partition("#")
        yield link, (path.parent / target).resolve() if target else path, anchor


def anchors(path):
    """The anchors of a document's headings, as GitHub and its like make them."""
    found, fence = set(), False
    for line in text(path).splitlines():
        if line.lstrip().startswith("```"):
            fence = not fence
        heading = re.match(r"#+\s+(.*?)\s*#*$", line)
        if heading and not fence:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            while anchor in found:
                anchor += "-1"
            found.add(anchor)
    return found


def test_links_between_documents_lead_somewhere():
    if not (ROOT / "README.md").exists():
        pytest.skip("no README.md yet: documents are still to come")
    wrong = []
    for path in ours(".md"):
        for link, target, anchor in links(path):
            if not target.exists():
                wrong.append(f"{name(path)}: {link}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                wrong.append(f"{name(path)}: {link}: no such heading")
    assert not wrong, "\n".join(wrong)


def test_every_document_is_linked_from_another():
    if not (ROOT / "README.md").exists():
        pytest.skip("no README.md yet")
    linked = {target for path in ours(".md") for _, target, _ in links(path) if target != path}
    wrong = [name(path) for path in ours(".md") if path.relative_to(ROOT).parts[0] == "docs" and path not in linked]
    assert not wrong, "\n".join(wrong)


def test_the_changelog_has_a_place_for_what_is_not_released():
    assert re.search(r"^## \[?Unreleased\]?$", text(ROOT / "CHANGELOG.md"), re.M)


# --- scripts ---

def test_scripts_are_executable_and_libraries_are_not():
    wrong = [name(path) for path, interpreter in scripts()
             if bool(path.stat().st_mode & 0o100) != interpreter.startswith("#!")]
    assert not wrong, "\n".join(wrong)


def test_shellcheck_finds_nothing_in_the_scripts():
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck")
    shell = [name(path) for path, interpreter in scripts() if re.search(r"\b(ba|da)?sh\b", interpreter)]
    assert shell
    run = subprocess.run(["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", "--severity=warning", *shell],
                         cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
