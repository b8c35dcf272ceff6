"""
`krea help scripting` names the keys of each object that the program prints.
"""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from commands.test_models_refresh import operation
from conftest import png
from service import answer, reset, reset_after

from krea_cli.catalog.catalog import Catalog
from krea_cli.cli.help import topics
from krea_cli.runtime.clock import Clock
from krea_cli.runtime.signals import Interrupted

PRO = "image/google/nano-banana-pro"
ANY = {"...": None}


def sections():
    """
    For each command of the text, in its words, the shape of its object.
    """
    text = topics.text("scripting").partition("```text\n")[2].partition("```")[0]
    found, names = {}, []
    for line in text.splitlines():
        if shape := re.match(r"  ([A-Z]+)  +(.+)", line):
            names = [shape[1]]
            found[shape[1]] = shape[2]
        elif heading := re.fullmatch(r"  (\S.*)", line):
            names = heading[1].split(", ")
            found |= dict.fromkeys(names, "")
        elif line.startswith(" " * 10):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


SECTIONS = sections()


def shape(text):
    """
    What the notation of the text stands for: keys, with the shapes of those that are
    objects or lists of objects.
    """
    words = re.findall(r"[A-Za-z_0-9]+|[\[\]{}]", text)

    def read():
        keys = {}
        while words and words[0] not in "]}":
            word = words.pop(0)
            if words and words[0] in "[{":
                words.pop(0)
                keys[word] = read() or ANY
                words.pop(0)
            elif word.isupper():
                keys |= shape(SECTIONS[word])
            else:
                keys[word] = None
        return keys

    return read()


def difference(told, value, where=""):
    """
    Where the value has other keys than the text tells.
    """
    if isinstance(value, list):
        for each in value:
            yield from difference(told, each, f"{where}[]")
    elif isinstance(value, dict) and told != ANY:
        if set(told or ()) != set(value):
            yield where, sorted(set(told or ()) ^ set(value))
        for key in set(told or ()) & set(value):
            yield from difference(told[key], value[key], f"{where}.{key}")


class Reader:
    """
    Runs commands with --json; keeps what each told, under its heading.
    """

    def __init__(self, krea):
        self.krea = krea
        self.told = {}
        self.said = []

    def __call__(self, heading, *words, code=0):
        result = self.krea(*words, "--json", "-v")
        assert code == result.code, result
        objects = [json.loads(line) for line in result.out.splitlines()]
        self.told.setdefault(heading, []).extend(objects)
        self.said += [json.loads(line) for line in result.err.splitlines()]
        return objects[0] if objects else None


@pytest.fixture
def reader(logged_in):
    return Reader(logged_in)


def jobs(read, service):
    job = read("generate", "generate", "an owl", "-o", "owl.png")["job_id"]
    read("generate --dry-run", "generate", "an owl", "--dry-run")
    image = ["-m", "krea-2/large", "-i", "owl.png"]
    read("generate --dry-run", "generate", "an owl", *image, "--dry-run")
    read("generate", "generate", "an owl", "-o", "elf.png", "--sidecar")
    read("replay", "replay", "elf.png.json", "-o", "again.png")
    read("replay --dry-run", "replay", "elf.png.json", "--dry-run")
    read("status", "status", job)
    read("wait", "wait", job)
    read("download", "download", job, "-o", "owl.png")
    read("jobs list", "jobs", "list")
    read("jobs list --remote", "jobs", "list", "--remote")
    read("jobs show", "jobs", "show", job)
    read("jobs cost", "jobs", "cost")
    read("jobs cost", "jobs", "cost", "--by", "day")
    read("upload", "upload", "owl.png")


def doubts(read, service):
    service.faults["POST /generate"] = [reset_after]
    read("jobs list", "generate", "an owl", code=11)
    [*_, candidate] = read("jobs recover", "jobs", "recover")["candidates"]
    job = candidate["job_id"]
    read("jobs recover --adopt", "jobs", "recover", "--adopt", job)
    for way_out in ("--resubmit", "--forget"):
        service.faults["POST /generate"] = [reset]
        read("jobs list", "generate", "an owl", code=11)
        read(f"jobs recover {way_out}", "jobs", "recover", way_out)
    read("jobs list", "jobs", "list")
    read("jobs forget", "jobs", "forget", job, "--force")
    read("cancel", "cancel", job, code=3)


def look(read, service):
    read("models list", "models", "list", "banana")
    read("models show", "models", "show", "kling-3.0")
    read("auth status", "auth", "status")
    for words in (["list"], ["get", "model"], ["set", "color", "never"]):
        read(f"config {words[0]}", "config", *words)
    read("config unset", "config", "unset", "color")
    read("config path", "config", "path")
    read("doctor", "doctor")
    read("help", "help", "exit-codes")


def account(read, service):
    Path("owl.png").write_bytes(png())
    uploaded = read("upload", "upload", "owl.png")["id"]
    read("assets list", "assets", "list")
    read("assets delete", "assets", "delete", uploaded)
    train = ("styles", "train", "ink", "owl.png", "--model", "k2")
    read("styles train --dry-run", *train, "--dry-run")
    style = read("styles train", *train)["style_id"]
    read("styles list", "styles", "list")
    read("styles show", "styles", "show", style)


def batch(read, service):
    table = Path("animals.csv")
    table.write_text("name\nowl\nelk\n")
    words = ("batch", "animals.csv", "a {name}", "-o", "animals/{name}.png")
    read("batch --dry-run", *words, "--dry-run")
    read("batch --check", *words, "--check", code=12)
    read("batch", *words)
    table.write_text("name\nowl\n")
    read("batch --prune", *words, "--prune", "--yes")


def sandbox(read, service):
    models = Catalog.bundled().models
    paths = {f"/generate/{model.path}": operation(model) for model in models}
    paths["/generate/image/acme/cat-1"] = paths[f"/generate/{PRO}"]
    del paths["/generate/image/google/imagen-3"]
    service.faults["GET /openapi.json"] = [answer(200, {"paths": paths})]
    read("models refresh", "models", "refresh")
    read("sandbox reset", "sandbox", "reset")

    def sleep(_):
        raise Interrupted(signal.SIGINT)

    read.krea.clock = Clock(sleep=sleep)
    read("sandbox serve", "sandbox", "serve", "--port", "0", code=130)


PARTS = (jobs, doubts, look, account, batch, sandbox)


@pytest.mark.parametrize("part", PARTS)
def test_every_object_has_the_keys_that_are_told(reader, service, part):
    """
    No key is missing and none is secret, of results and of what standard error says.
    """
    part(reader, service)
    for said in reader.said:
        [kind] = said
        reader.told.setdefault(kind, []).append(said[kind])

    assert not {
        heading: found
        for heading, values in reader.told.items()
        if (found := [*difference(shape(SECTIONS[heading]), values)]) or not values
    }


@pytest.mark.long
def test_every_section_is_compared(reader, service):
    """
    The text tells of nothing that the program does not print.
    """
    for part in PARTS:
        part(reader, service)

    # These tell what `auth status` tells, and need a keyring.
    unseen = {"auth login", "auth logout"}
    unseen |= {"error", "warning", "log"}
    assert unseen == {
        heading
        for heading in SECTIONS
        if not heading.isupper() and heading not in reader.told
    }
