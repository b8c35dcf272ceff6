"""
Text of foreign origin never acts: on every path from the service, the disk and the
command line to the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import terminals
from commands.test_models_refresh import operation
from conftest import png
from hostile import MARKUP, SEQUENCES, SHORT, acting
from service import TOKEN, answer

from krea_cli.catalog.catalog import Catalog

JOB = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
FORMS = {
    "human": (True, ()),
    "plain": (False, ()),
    "quiet": (True, ("-q",)),
    "json": (False, ("--json",)),
    "verbose": (True, ("-v",)),
}


def bad_job(text, **fields):
    """
    A job with the text wherever the service may write.
    """
    return {
        "job_id": JOB,
        "status": "failed",
        "created_at": text,
        "completed_at": text,
        "model": text,
        "type": text,
        "result": {"urls": [text, f"https://x.example/{text}"], text: text},
        "error": {"code": text, "message": text},
        **fields,
    }


def bad_answer(status, text):
    """
    A refusal with the text wherever the service may write.
    """
    issue = {"path": [text], "message": text}
    body = {"error": text, "message": text, "details": [issue], "replacement": text}
    # No header can hold most of them; those that can stand here.
    headers = {"Retry-After": "\x9b31m", "X-Request-Id": "\x9b31m"}
    return answer(status, body, headers)


def spec(text):
    """
    The models that krea knows, two of them with the text in all their words, and a new
    one that is called so.
    """
    models = Catalog.bundled().models
    paths = {f"/generate/{model.path}": operation(model) for model in models}
    changed = [paths[f"/generate/{model.path}"] for model in models[:2]]
    for path in changed:
        path["post"]["summary"] = text
        body = path["post"]["requestBody"]["content"]["application/json"]["schema"]
        body["properties"][text] = {"type": text, "enum": [text], "default": text}
        body["properties"]["prompt"] = {"type": "string", "description": text}
        path["post"]["x-krea-pricing"]["unit"] = text
    paths[f"/generate/image/{text}/{text}"] = paths["/generate/image/new/cat"] = path
    return {"paths": paths}


@dataclass(frozen=True)
class Way:
    """
    A command line and what the service answers to it.
    """

    words: tuple
    faults: dict


def named(text):
    """
    The name of a file with as much of the text as the system allows.
    """
    name = f"{text}.png".translate({0: "", ord("/"): ""})
    return name.encode("utf-8", "replace").decode()


def paths(text):
    """
    Each way of foreign text through the program, by its name.
    """
    fails = {"GET /jobs/": [answer(200, bad_job(text))] * 3}
    strange = answer(200, bad_job(text, status=text))
    page = {"items": [bad_job(text), bad_job(text, status=text)], "next": text}
    done = answer(200, bad_job(text, status="completed"))
    refused = {
        f"refused {status}": Way(
            ("generate", "an owl", "--no-wait"),
            {"POST /generate": [bad_answer(status, text)] * 9},
        )
        for status in (400, 401, 402, 404, 410, 418, 422, 429, 500, 503)
    }
    name = named(text)
    asset = {"id": text, "mime_type": text, "uploaded_at": text}
    return {
        **refused,
        "status": Way(("status", JOB), fails),
        "exit status": Way(("status", JOB, "--exit-status"), fails),
        "strange status": Way(("status", JOB), {"GET /jobs/": [strange]}),
        "wait": Way(("wait", JOB), fails),
        "strange wait": Way(
            ("wait", JOB, "--timeout", "9s"), {"GET /jobs/": [strange] * 40}
        ),
        "download": Way(("download", JOB), {"GET /jobs/": [done] * 40}),
        "cancel": Way(("cancel", JOB), {"DELETE": [bad_answer(409, text)] * 9} | fails),
        "list": Way(("jobs", "list", "--remote"), {"GET /jobs": [answer(200, page)]}),
        "taken": Way(
            ("generate", "an owl", "--no-wait"),
            {"POST /generate": [answer(200, bad_job(text))]},
        ),
        "no id": Way(
            ("generate", "an owl", "--no-wait"),
            {"POST /generate": [answer(200, bad_job(text, job_id=text))]},
        ),
        "no JSON": Way(
            ("status", JOB),
            {
                "GET /jobs/": [
                    answer(200, content=text.encode("utf-8", "replace"), media="a/b")
                ]
            },
        ),
        "upload": Way(
            ("upload", "photo.png"),
            {"POST /assets": [answer(200, {"image_url": "https://x.y/a", **asset})]},
        ),
        "odd upload": Way(
            ("upload", "photo.png"),
            {"POST /assets": [answer(200, {"image_url": text, **asset})]},
        ),
        "refresh": Way(
            ("models", "refresh"), {"GET /openapi.json": [answer(200, spec(text))]}
        ),
        "refreshed": Way(("models", "list"), {}),
        "new model": Way(("models", "show", "new/cat"), {}),
        "doctor": Way(("doctor",), {"GET /jobs": [bad_answer(503, text)] * 9}),
        "prompt": Way(("generate", text, "--no-wait"), {}),
        "prompt kept": Way(("jobs", "list"), {}),
        "prompt shown": Way(("jobs", "show"), {}),
        "dry run": Way(("generate", text, "--dry-run", "-p", f"x={text}"), {}),
        "argument": Way((text,), {}),
        "option": Way(("status", f"--{text}"), {}),
        "job": Way(("status", text, "@last", f"a{text}"), {}),
        "record": Way(("jobs", "recover", text), {}),
        "model": Way(("generate", "an owl", "-m", text), {}),
        "field": Way(("generate", "an owl", "-p", f"{text}={text}"), {}),
        "image": Way(("generate", "an owl", "-i", text), {}),
        "no file": Way(("upload", text), {}),
        "file": Way(("upload", name), {}),
        "image kept": Way(("generate", "an owl", "-i", name, "-o", "{stem}.png"), {}),
        "image shown": Way(("jobs", "show"), {}),
        "output": Way(("generate", "an owl", "-o", f"{name}/out/"), {}),
        "there": Way(("generate", "an owl", "-o", name), {}),
        "replayed": Way(("replay", name), {}),
        "address": Way(("status", JOB, "--api-url", f"https://{text}"), {}),
        "setting": Way(("config", "set", text, text), {}),
        "value": Way(("config", "set", "model", text), {}),
        "settings": Way(("config", "list"), {}),
        "topic": Way(("help", text), {}),
        "shown": Way(("show", text), {}),
    }


def follow(krea, service, form, text):
    """
    Run every path in one form: what each wrote, with its code.
    """
    krea.is_terminal, words = FORMS[form]
    krea.env["NO_PREVIEW"] = "1"
    Path("photo.png").write_bytes(png())
    Path(named(text)).write_bytes(png())
    for name, path in paths(text).items():
        service.faults.clear()
        service.faults |= {route: list(them) for route, them in path.faults.items()}
        yield name, krea(*path.words, *words)


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """
    One that can do all but colours, also to rich, which looks at the process.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


# What rich writes between the words: its spinner, bold and dim.
RICH = re.compile(r"\r?\x1b\[(\?25[lh]|2K|1A|[0-9;]*m)|\r(?=\n)")


def check(name, form, result):
    assert "Traceback" not in result.err, (name, result)
    assert 1 != result.code, (name, result)
    for stream in (result.out, result.err):
        assert set() == acting(RICH.sub("", stream)), (name, stream)
        if form == "json" and result.code not in (1, None):
            for line in stream.splitlines():
                json.loads(line)


@pytest.mark.parametrize(
    "form",
    [
        form if form == "human" else pytest.param(form, marks=pytest.mark.long)
        for form in FORMS
    ],
)
def test_nothing_of_others_acts(logged_in, service, form):
    """
    In every field of the service, every argument and every form: it is shown, escaped;
    nothing breaks, and each path ends as it would with other words.
    """
    codes = {}
    for name, result in follow(logged_in, service, form, SHORT):
        check(name, form, result)
        codes[name] = result.code

    assert {3} == {codes["exit status"], codes["wait"]}
    assert 0 == codes["status"] == codes["list"] == codes["refresh"]


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at", range(0, len(SEQUENCES), 8))
def test_no_sequence_of_all_acts(logged_in, service, form, at):
    """
    As above, with every sequence that is known to act, a few at a time so that none is
    cut away, and with the markup of rich.
    """
    text = "".join(SEQUENCES[at : at + 8]) + MARKUP
    for name, result in follow(logged_in, service, form, text):
        check(name, form, result)


@pytest.mark.long
@pytest.mark.parametrize("form", [(), ("-v",), ("-q",), ("--json",)])
@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_no_byte_of_others_reaches_a_real_terminal(shell, service, form, term):
    """
    With the spinner, colours and links of a real one there is nothing of theirs among
    the program's own; without these there is nothing at all.
    """
    shell.env |= {"KREA_API_URL": service.url, "KREA_API_KEY": TOKEN, "TERM": term}
    for at in range(0, len(SEQUENCES), 10):
        some = SEQUENCES[at : at + 10]
        text = "".join(some)
        service.faults["GET /jobs/"] = [answer(200, bad_job(text))]
        service.faults["POST /generate"] = [bad_answer(410, text)]
        for words in (("wait", JOB), ("generate", named(text), "-o", named(text))):
            argv = (sys.executable, "-m", "krea_cli", *words, *form)
            shown = terminals.run(argv, env=shell.env)

            output = shown.output.decode().replace("\r\n", "\n")
            # krea itself asks the terminal for its capabilities.
            output = output.replace("\x1b[16t\x1b[c", "")
            assert shown.code in (2, 3), output
            assert not [one for one in some if len(one) > 1 and one in output], output
            if term == "dumb":
                assert set() == acting(output), output
