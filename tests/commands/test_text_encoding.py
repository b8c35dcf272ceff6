"""
Text as other programs save and type it: byte order marks, line endings of Windows, and
bytes that are not UTF-8.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import png
from service import TOKEN

BOM = b"\xef\xbb\xbf"
NOT_UTF8 = "caf\udce9"


def body(result):
    return json.loads(result.out)["body"]


@pytest.mark.parametrize(
    "text", [BOM + b"an\r\nowl\r\n", b"an\r\nowl\r\n", BOM + b"an\nowl\n", b"an\rowl\r"]
)
@pytest.mark.parametrize("words", [["-"], ["--prompt-file", "owl.txt"]])
def test_a_prompt_has_no_traces_of_its_file(krea, words, text):
    """
    From a file or a pipe: no byte order mark, no carriage return.
    """
    Path("owl.txt").write_bytes(text)
    krea.stdin = text

    result = krea("generate", *words, "--dry-run", "--json")

    assert "an\nowl" == body(result)["prompt"]


@pytest.mark.parametrize("text", [BOM, BOM + b"\r\n"])
def test_a_prompt_of_a_byte_order_mark_alone_is_empty(krea, text):
    krea.stdin = text

    assert "prompt is empty" in krea("generate", "-", "--dry-run").err


@pytest.mark.parametrize("file", ["-", "fields.json"])
def test_params_may_have_a_byte_order_mark(krea, file):
    krea.stdin = BOM + b'{"resolution": "4K"}\r\n'
    Path("fields.json").write_bytes(krea.stdin)

    result = krea("generate", "an owl", "--params", file, "--dry-run", "--json")

    assert "4K" == body(result)["resolution"]


@pytest.mark.parametrize("file", ["-", "owl.png.json"])
def test_a_sidecar_may_have_a_byte_order_mark(logged_in, file):
    """
    An editor may have added it. The sidecar is also still known as that of its result.
    """
    assert 0 == logged_in("generate", "an owl", "-o", "owl.png", "--sidecar").code
    sidecar = Path("owl.png.json")
    sidecar.write_bytes(BOM + sidecar.read_bytes())
    logged_in.stdin = sidecar.read_bytes()

    replayed = logged_in("replay", file, "--dry-run", "--json")
    saved_again = logged_in("download", "@last", "-o", "owl.png", "--force")

    assert "an owl" == body(replayed)["prompt"]
    assert 0 == saved_again.code
    assert "warning" not in saved_again.err


def test_a_token_from_a_file_may_have_a_byte_order_mark(krea, service, monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "config.backends.Memory")
    krea.env["KREA_API_URL"] = service.url
    krea.stdin = BOM + TOKEN.encode() + b"\r\n"

    assert 0 == krea("auth", "login").code


def test_settings_may_have_a_byte_order_mark(krea):
    config = Path(krea.env["KREA_CONFIG_DIR"])
    config.mkdir()
    (config / "config.toml").write_bytes(BOM + b'output = "there"\r\n')

    assert "there/\n" == krea("config", "get", "output").out
    assert 0 == krea("config", "set", "output", "here").code
    assert "here/\n" == krea("config", "get", "output").out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((NOT_UTF8,), "prompt"),
        (("owl", "--negative-prompt", NOT_UTF8), "negative_prompt"),
        (("owl", "-p", f"system={NOT_UTF8}"), "system"),
        (("owl", "-p", rf'system:={{"a": ["{NOT_UTF8}"]}}'), "system"),
        (("owl", "-p", r'system:="\ud800"'), "system"),
        (("owl", "-p", f'system:={{"{NOT_UTF8}": 1}}'), "system"),
        (("owl", "-p", f"{NOT_UTF8}=1"), r"caf\udce9"),
        (("owl", "-i", f"https://a.test/{NOT_UTF8}.png"), "image_urls"),
        (("owl", "--webhook", f"https://a.test/{NOT_UTF8}"), "webhook"),
        (("owl", "--params", "fields.json"), "system"),
        (("--prompt-file", "latin1.txt"), "latin1.txt"),
        (("-",), "the prompt"),
    ],
)
@pytest.mark.parametrize("options", [["--dry-run"], ["--no-validate"]])
def test_text_that_is_not_utf8_is_refused(logged_in, service, words, named, options):
    """
    In a dry run as in a real one, with the name of the field; JSON about it is JSON.
    """
    Path("fields.json").write_text(r'{"system": "\udce9"}')
    Path("latin1.txt").write_bytes("café".encode("latin-1"))
    logged_in.stdin = "café".encode("latin-1")

    result = logged_in("generate", *words, *options, "--json")

    [line] = result.err.splitlines()
    assert (2, "") == (result.code, result.out)
    assert r"\ud" not in line.replace(r"\\ud", "")
    assert named in json.loads(line)["error"]["message"]
    assert [] == service.requests("POST")


def test_json_names_a_file_that_is_not_utf8(krea):
    """
    Such a file can be sent. No half of a character stands in the JSON about it.
    """
    Path(f"{NOT_UTF8}.png").write_bytes(png())
    words = ("generate", "an owl", "-i", f"{NOT_UTF8}.png", "--dry-run")

    told = krea(*words, "--json")
    _, *plain, _ = krea(*words).out.splitlines()

    wanted = ["(upload of caf\N{REPLACEMENT CHARACTER}.png)"]
    assert wanted == body(told)["image_urls"]
    assert wanted == json.loads("\n".join(plain))["image_urls"]


def test_a_dry_run_prints_json_whatever_the_prompt(krea):
    """
    Also where control characters are escaped for the terminal.
    """
    prompt = "a \x7f\x85\u202e\x1b[1m owl"

    _, *plain, _ = krea("generate", prompt, "--dry-run").out.splitlines()

    assert prompt == json.loads("\n".join(plain))["prompt"]
    assert "\u202e" not in "".join(plain)
