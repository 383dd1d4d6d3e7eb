# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""libsluice as it is installed: what it shows and needs, and programs built with it as docs/library.md says."""
import os
import re
import shlex
import shutil
import subprocess

import pytest

from installation import REPOSITORY, install

PAGE = (REPOSITORY / "docs/library.md").read_text()
EXAMPLE = REPOSITORY / "docs/examples/match_lines.c"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
COMPILERS = [pytest.param(name, standard, suffix, id=f"{name}-{standard}")
             for name, standard, suffix in (("gcc", "c17", "c"), ("gcc", "c99", "c"), ("clang", "c17", "c"),
                                            ("g++", "c++11", "cc"), ("g++", "c++20", "cc"), ("clang++", "c++11", "cc"))
             if shutil.which(name)]
# A description, then all up to the semicolon: in our headers only functions have parentheses there.
DECLARATION = re.compile(r"(\*/\n)?SLUICE_API [^;{}]*?\b(sluice_\w+)\([^;]*;")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, f"{shlex.join(done.args)}\n{done.stdout}{done.stderr}"
    return done.stdout


def block(kind):
    """The one block of the page that says so behind its fence."""
    (found,) = re.findall(rf"^```{re.escape(kind)}\n(.*?)^```$", PAGE, re.M | re.S)
    return found


def headers(installed):
    return sorted((installed.include / "sluice").iterdir())


def functions(installed):
    """{name: whether a description stands right before it}, of all headers."""
    return {name: bool(description) for path in headers(installed)
            for description, name in DECLARATION.findall(path.read_text())}


def needed(program):
    return re.findall(r"^\s+NEEDED\s+(\S+)$", run("objdump", "-p", program), re.M)


def environment(installed, **more):
    return {**os.environ, "LD_LIBRARY_PATH": str(installed.libdir), "PKG_CONFIG_PATH": str(installed.libdir / "pkgconfig"), **more}


def check_example(program, installed, tmp_path):
    (tmp_path / "patterns").write_text(block("json patterns"))
    output = run(program, tmp_path / "patterns", input=block("json events"), env=environment(installed))
    assert output == block("text output")


# --- what it is ---

def test_the_shared_library_shows_the_functions_of_its_headers_and_nothing_else(installed):
    symbols = run("nm", "-D", "--defined-only", installed.libdir / "libsluice.so")
    shown = {line.split()[-1] for line in symbols.splitlines()}
    assert "sluice_match" in shown and "sluice_pattern_compile" in shown
    assert shown == set(functions(installed))


def test_the_shared_library_needs_libc_alone(installed):
    if installed.sanitized:
        pytest.skip("sanitizers bring their libraries")
    assert needed(installed.libdir / "libsluice.so") == ["libc.so.6"]


def test_the_shared_library_has_its_name_and_links(installed):
    assert re.search(r"SONAME\s+libsluice\.so\.0$", run("objdump", "-p", installed.libdir / "libsluice.so"), re.M)
    assert os.readlink(installed.libdir / "libsluice.so") == "libsluice.so.0"
    assert (installed.libdir / "libsluice.so.0").is_file()


def test_the_static_library_defines_names_of_ours_alone(installed):
    symbols = run("nm", "--defined-only", "--extern-only", "--no-sort", installed.libdir / "libsluice.a")
    names = {line.split()[-1] for line in symbols.splitlines() if len(line.split()) == 3}
    assert "sluice_match" in names
    assert {name for name in names if not name.startswith(("sluice_", "__odr_asan"))} == set()


# --- its headers ---

def test_the_page_lists_the_headers_that_are_installed_and_names_those_that_are_not(installed):
    names = {path.name for path in headers(installed)}
    assert set(re.findall(r"^\| `(\w+\.h)` \|", PAGE, re.M)) == names
    for path in (REPOSITORY / "engine/include/sluice").iterdir():
        assert path.name in names or f"`{path.name}`" in PAGE, path.name


def test_a_header_declares_no_function_that_is_not_shown(installed):
    for path in headers(installed):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        code = re.sub(r"^#.*$", "", code, flags=re.M)
        declared = set(re.findall(r"\b(sluice_\w+)\(", code)) - set(re.findall(r"\b(sluice_\w+)\([^;{]*\)\n\{", code))
        called = set(re.findall(r"return (sluice_\w+)\(", code))
        assert declared - called <= set(functions(installed)), path.name


def test_every_function_is_described(installed):
    assert [name for name, described in functions(installed).items() if not described] == []


@pytest.mark.parametrize("compiler, standard, suffix", COMPILERS)
def test_every_header_compiles_alone_without_warnings(compiler, standard, suffix, installed, tmp_path):
    for path in headers(installed):
        source = tmp_path / f"{path.stem}.{suffix}"
        source.write_text(f"#include <sluice/{path.name}>\n#include <sluice/{path.name}>\n")
        run(compiler, f"-std={standard}", *WARNINGS, "-fsyntax-only", f"-I{installed.include}", source)


CPP = r"""
#include <sluice/explain.h>
#include <sluice/matcher.h>
#include <sluice/rule.h>

#include <cstdio>

int main()
{
	struct sluice_pattern *pattern;
	struct sluice_error error;
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_explanation *explanation;
	struct sluice_buffer text = {};
	event.payload = SLUICE_STR("{\"state\":\"off\"}");
	if (event.qos != -1 || event.topic.data ||
	    sluice_pattern_compile(sluice_str("{\"state\":[\"on\"]}"), &pattern, &error) ||
	    sluice_explain(pattern, &event, &explanation, &error))
		return 1;
	sluice_explanation_write_text(explanation, &text);
	std::fwrite(text.data, 1, text.len, stdout);
	sluice_buffer_finish(&text);
	sluice_explanation_destroy(explanation);
	sluice_pattern_destroy(pattern);
	return 0;
}
"""


@pytest.mark.parametrize("compiler", [name for name in ("g++", "clang++") if shutil.which(name)])
def test_a_cpp_program_uses_it(compiler, installed, tmp_path):
    if installed.sanitized and compiler != "g++":
        pytest.skip("the library was built with the sanitizers of gcc")
    (tmp_path / "why.cc").write_text(CPP)
    run(compiler, "-std=c++11", *WARNINGS, *installed.sanitized, f"-I{installed.include}", tmp_path / "why.cc",
        f"-L{installed.libdir}", "-lsluice", "-o", tmp_path / "why")
    assert run(tmp_path / "why", env=environment(installed)) == '$.state: "off" is not "on"\n'


# --- programs ---

def test_the_example_builds_with_pkg_config_and_does_what_the_page_says(installed, tmp_path):
    shutil.copy(EXAMPLE, tmp_path)
    command = block("sh pkg-config").replace("cc ", shlex.join(["cc", "-std=c17", *WARNINGS, *installed.sanitized]) + " ", 1)
    run("sh", "-ec", command, cwd=tmp_path, env=environment(installed))
    assert "libsluice.so.0" in needed(tmp_path / "match_lines")
    check_example(tmp_path / "match_lines", installed, tmp_path)


def test_pkg_config_knows_the_version_and_any_prefix(installed, tmp_path):
    ask = ["pkg-config", "--variable=includedir", "sluice"]
    version = re.search(r"VERSION (\d+\.\d+\.\d+)", (REPOSITORY / "CMakeLists.txt").read_text())[1]
    assert run("pkg-config", "--modversion", "sluice", env=environment(installed)).strip() == version
    moved = tmp_path / "moved"
    shutil.copytree(installed.root / "usr", moved, symlinks=True)
    where = moved / installed.libdir.relative_to(installed.root / "usr") / "pkgconfig"
    found = run(*ask, env=environment(installed, PKG_CONFIG_PATH=str(where))).strip()
    assert os.path.realpath(found) == str(moved / "include")


@pytest.mark.parametrize("target", ["sluice", "sluice_static"])
def test_the_example_builds_with_cmake(target, installed, tmp_path):
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(block("cmake").replace("Sluice::sluice", f"Sluice::{target}"))
    flags = shlex.join([*WARNINGS, *installed.sanitized])
    run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={installed.root / 'usr'}",
        f"-DCMAKE_C_FLAGS={flags}")
    run("cmake", "--build", tmp_path / "build")
    program = tmp_path / "build/match_lines"
    assert ("libsluice.so.0" in needed(program)) == (target == "sluice")
    check_example(program, installed, tmp_path)


def test_a_faulty_pattern_is_told_with_its_line_and_place(installed, tmp_path):
    run("cc", *installed.sanitized, f"-I{installed.include}", EXAMPLE, f"-L{installed.libdir}", "-lsluice", "-o", tmp_path / "match_lines")
    (tmp_path / "patterns").write_text('{"a": [1]}\n{"a": [{"prefixx": "b"}]}\n')
    done = subprocess.run([tmp_path / "match_lines", tmp_path / "patterns"], input="", capture_output=True, text=True,
                          env=environment(installed))
    assert done.returncode == 1
    assert done.stderr == 'line 2: $.a[0]: unknown operator "prefixx", did you mean "prefix"?\n'


def test_another_minor_version_is_not_taken_by_cmake(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(no LANGUAGES C)\nfind_package(Sluice 0.2 CONFIG)\n"
        "if(Sluice_FOUND)\n\tmessage(FATAL_ERROR found)\nendif()\n")
    run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={installed.root / 'usr'}")


def test_the_library_alone_needs_neither_sqlite_nor_mosquitto(installed, tmp_path):
    """Configured so that looking for either fails."""
    configure, *_ = block("sh").splitlines()
    assert configure.startswith("cmake -G Ninja -B build/library ")
    run(*shlex.split(configure.replace("build/library", str(tmp_path)).replace("RelWithDebInfo", "Debug")),
        "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON", cwd=REPOSITORY)
    run("cmake", "--build", tmp_path, "--parallel", 2)
    library = run("cmake", "--install", tmp_path, env={**os.environ, "DESTDIR": str(tmp_path / "root")})
    assert "libsluice.so" in library
    alone = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*") if not path.is_dir()}
    both = {path for name in ("library", "dev") for path in install(tmp_path / name, "--component", name)}
    different = re.compile(r"SluiceConfig-\w+\.cmake$")  # named after the kind of build
    assert {path for path in both if not different.search(path)} <= alone
    assert not any("mosquitto" in path for path in alone)
