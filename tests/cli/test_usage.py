# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The command line: help, wrong words, completion, the config file, the man page."""
import json
import re
import shutil

import pytest

from environment import BUILD, REPOSITORY, free_port, run, sluice

MAN = REPOSITORY / "docs/man/sluice.1"


def verbs():
    lines = sluice("help").out.splitlines()
    return [re.match(r"  (\S+(?: \S+)?) ", line).group(1).strip() for line in lines if line.startswith("  ")]


def test_help_lists_the_verbs_of_the_issue():
    wanted = {f"rule {verb}" for verb in ("put", "get", "list", "delete", "enable", "disable", "import", "export", "diff")}
    wanted |= {f"bus {verb}" for verb in ("put", "get", "list", "delete")}
    wanted |= {f"queue {verb}" for verb in ("put", "get", "list", "delete", "status", "peek", "purge", "redrive")}
    wanted |= {"match", "explain", "tap", "status", "backup", "restore", "bench", "completion"}
    assert wanted <= set(verbs())


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_help_in_two_ways(verb):
    text = sluice(*verb.split(), "--help").out
    assert text.startswith(f"Usage: sluice {verb} [options]")
    assert sluice("help", *verb.split()).out == text


@pytest.mark.parametrize("arguments, hint", [
    ((), ""), (("rul",), 'did you mean "rule"?'), (("rule", "pt"), 'did you mean "put"?'), (("rule",), ""),
    (("rule", "put"), "it takes: FILE"), (("rule", "put", "a", "b"), 'unexpected "b"'),
    (("rule", "list", "--cafle", "x"), "did you mean --cafile?"), (("rule", "list", "--db"), "needs a value"),
    (("rule", "list", "--limit", "x", "--db", "y"), "--limit"), (("rule", "list", "--full=yes"), "takes no value"),
    (("match",), "--cases"), (("match", "--rules", "a"), "--events"), (("--db", "x", "rule", "list"), "a verb comes first"),
    (("explain",), "EVENT"), (("tap",), "--rule"), (("backup", "x"), "--db"), (("completion", "fish"), "bash or zsh"),
    (("status", "-p", "99999"), "--port"), (("status", "-V", "mqttv31"), "mqttv5"), (("status", "-L", "http://x"), "mqtt://"),
    (("bench", "--rules", "-", "--events", "-"), "standard input"), (("rule", "list", "-hp"), "unknown option"),
    (("queue", "redrive", "q", "--limit", "0"), "--limit"), (("queue", "peek", "q", "--after", "x"), "--after"),
    (("queue", "purge", "q", "--db", "x"), "unknown option"), (("queue", "delete", "q", "--purge", "--db", "x"), "--purge needs the broker"),
])
def test_a_wrong_command_line_is_exit_2_with_a_hint(arguments, hint):
    result = sluice(*arguments, check=False)
    assert result.code == 2
    assert hint in result.err


def test_a_missing_file_is_exit_7_and_named():
    result = sluice("rule", "import", "--db", "/tmp/never.db", "/nonexistent/rules", check=False)
    assert result.code == 7 and "/nonexistent/rules" in result.err


def test_no_broker_is_exit_4_and_says_where_it_looked():
    port = free_port()
    result = sluice("rule", "list", "-h", "127.0.0.1", "-p", port, check=False)
    assert result.code == 4
    assert result.err == f"sluice: cannot connect to 127.0.0.1:{port}: Connection refused\n"


def test_failures_are_json_too():
    result = sluice("rule", "list", "-h", "127.0.0.1", "-p", free_port(), "--json", check=False)
    assert json.loads(result.err)["code"] == "io"
    assert result.out == ""


def test_connection_options_come_from_the_config_file(tmp_path):
    port = free_port()
    (tmp_path / "sluice").write_text(f"# where\n-h 127.0.0.1\n\n--port   {port} \n")
    result = sluice("rule", "list", check=False, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert f"127.0.0.1:{port}" in result.err
    other = free_port()
    result = sluice("rule", "list", "-p", other, check=False, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert f"127.0.0.1:{other}" in result.err
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "sluice").write_text(f"-L mqtt://127.0.0.1:{port}\n")
    result = sluice("rule", "list", check=False, env={"HOME": str(home), "XDG_CONFIG_HOME": ""})
    assert f"127.0.0.1:{port}" in result.err


@pytest.mark.parametrize("line, hint", [("--nonsense 1", "unknown option"), ("-p", "needs a value"), ("-p x", "no whole number")])
def test_a_faulty_config_file_is_named_with_its_line(tmp_path, line, hint):
    (tmp_path / "sluice").write_text(f"-h 127.0.0.1\n{line}\n")
    result = sluice("rule", "list", check=False, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.code == 2
    assert f"{tmp_path}/sluice:2: " in result.err and hint in result.err


def test_version_is_the_same_in_all_forms():
    assert sluice("version").out == sluice("--version").out
    assert sluice("version").out == f"sluice {sluice('version', '--json').json['version']}\n"


@pytest.mark.parametrize("words, expected", [
    (["sluice", "ru"], ["rule"]), (["sluice", "rule", "im"], ["import"]), (["sluice", "rule", "put", "--if"], ["--if-revision"]),
    (["sluice", "rule", "list", "--state", "S"], ["SHADOW"]), (["sluice", "completion", "z"], ["zsh"]),
    (["sluice", "queue", "red"], ["redrive"]), (["sluice", "queue", "delete", "--keep-"], ["--keep-messages"]),
])
def test_bash_completes_verbs_options_and_values(words, expected):
    script = sluice("completion", "bash").out
    script += f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _sluice; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    assert run("bash", "--norc", "-c", script).out.split() == expected


def test_the_zsh_completion_is_well_formed():
    script = sluice("completion", "zsh").out
    assert script.startswith("#compdef sluice\n")
    if shutil.which("zsh"):
        run("zsh", "-n", input=script)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_stands_in_the_man_page(verb):
    assert re.search(rf"^\.B[RI]? \"?sluice {re.escape(verb)}\b", MAN.read_text(), re.M), verb


@pytest.mark.parametrize("page", sorted((REPOSITORY / "docs/man").glob("*.[1-8]")), ids=lambda page: page.name)
def test_the_man_pages_are_clean(page):
    result = run("groff", "-man", "-Tutf8", "-ww", "-K", "utf8", "-rCHECKSTYLE=1", page)
    assert result.err == ""


def test_the_man_page_names_every_exit_status():
    text = MAN.read_text()
    status = text[text.index(".SH EXIT STATUS"):]
    assert re.findall(r"^\.B (\d)$", status, re.M) == [str(code) for code in range(8)]


def test_the_plugins_man_page_names_every_option():
    options = re.findall(r'strcmp\(key, "(\w+)"\)', (REPOSITORY / "plugin/options.c").read_text())
    page = (REPOSITORY / "docs/man/mosquitto_sluice.7").read_text()
    assert options and all(f"plugin_opt_{option}" in page for option in options)


def test_install_puts_everything_where_debian_keeps_it(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", "/usr", env={"DESTDIR": str(tmp_path)})
    triplet = run("gcc", "-dumpmachine").out.strip()
    for path in ("bin/sluice", "share/man/man1/sluice.1", "share/man/man7/mosquitto_sluice.7", "share/sluice/sql/001-*.sql",
                 "share/sluice/json/rule.schema.json", "share/bash-completion/completions/sluice",
                 "share/zsh/vendor-completions/_sluice", f"lib/{triplet.replace('-pc-', '-')}/mosquitto_sluice.so"):
        assert list((tmp_path / "usr").glob(path)), path
