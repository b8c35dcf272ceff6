"""
What TAB offers, by the answer that the shells' scripts ask for.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from krea_cli.catalog.catalog import Catalog
from krea_cli.cli.completion import build, candidates, grammar, scripts
from krea_cli.cli.completion.candidates import Candidate
from krea_cli.cli.completion.main import complete
from krea_cli.cli.help import man_page, topics

COMPLETIONS = Path(__file__).parents[2] / "completions"
MODELS = Catalog.bundled().models


@pytest.fixture
def tab(krea):
    """
    What is offered for a line: words with their descriptions, or "files".
    """

    def press(line, shell="fish", word=""):
        asked = {"_KREA_COMPLETE": shell, "_KREA_LINE": line, "_KREA_WORD": word}
        kind, *lines = complete(krea.env | asked)
        if kind == "files":
            return kind
        return dict(line.partition("\t")[::2] for line in lines)

    return press


@pytest.fixture
def job(logged_in):
    """
    A job of the service.
    """
    return logged_in("generate", "an owl", "--no-wait").out.strip()


OFFERED = {
    "krea ge": {"generate"},
    "krea jobs ": {"list", "show", "forget", "recover", "cost"},
    "krea jobs --json li": {"list"},
    "krea generate --neg": {"--negative-prompt"},
    "krea generate x --no-w": {"--no-wait"},
    "krea wait --an": {"--any"},
    "krea --vers": {"--version"},
    "krea generate -m bfl/flux-1-d": {"bfl/flux-1-dev"},
    "krea generate -m flux-1-d": {"flux-1-dev"},
    "krea generate --model=bfl/flux-1-d": {"--model=bfl/flux-1-dev"},
    "krea generate '-m' \"bfl/flux-1-d": {"bfl/flux-1-dev"},
    "krea models show bfl/flux-1-d": {"bfl/flux-1-dev"},
    "krea generate -p asp": {"aspect_ratio="},
    "krea generate -p aspect_ratio=16": {"aspect_ratio=16:9"},
    "krea generate -p no_such=": set(),
    "krea generate -m none -p asp": set(),
    "krea generate --resolution ": {"1K", "2K", "4K"},
    "krea generate -mkrea-2/large --aspect-ratio 16": {"16:9"},
    "krea generate -m bfl/flux-1-dev --resolution ": set(),
    "krea generate --color a": {"auto", "always"},
    "krea generate -- --a": set(),
    "krea generate x -- --a": set(),
    "krea models list --kind 3": {"3d"},
    "krea config get ap": {"api_url"},
    "krea config set api_url h": set(),
    "krea config set model bfl/flux-1-d": {"bfl/flux-1-dev"},
    "krea config set sandbox ": {"true", "false"},
    "krea config set nosuch ": set(),
    "krea help ex": {"exit-codes"},
    "krea nosuch ": set(),
    "krea generate a b ": set(),
}


@pytest.mark.parametrize(("line", "offered"), OFFERED.items(), ids=OFFERED)
def test_what_is_offered(tab, line, offered):
    """
    Commands, options, models, the fields of the model and what it allows, settings,
    topics: what fits where the word stands, and what the word begins.
    """
    assert offered == set(tab(line))


def test_everything_is_there(tab):
    """
    All models with their names, all fields with what they may be, all commands.
    """
    [pro] = [model for model in MODELS if model.id == "google/nano-banana-pro"]

    assert {model.id: model.name for model in MODELS} == tab("krea generate -m ")
    assert {f"{name}=" for name in pro.fields} == set(tab("krea generate -p "))
    assert "a number" == tab("krea generate -m bfl/flux-1-dev -p ")["seed="]
    assert {"generate", "help"} <= set(tab("krea "))
    assert set(topics.NAMES) < set(tab("krea help "))


def test_booleans_are_words(tab):
    """
    A field that is true or false offers both, as -p reads them.
    """
    model = next(
        (model.id, name)
        for model in MODELS
        for name, schema in model.fields.items()
        if schema.get("type") == "boolean"
    )
    offered = tab(f"krea generate -m {model[0]} -p {model[1]}=")

    assert {f"{model[1]}=true", f"{model[1]}=false"} == set(offered)


def test_the_model_of_the_settings_counts(krea, tab):
    """
    Where no -m is given; --model wins, and the last one of several.
    """
    krea.env["KREA_MODEL"] = "bfl/flux-1-dev"

    assert "steps=" in tab("krea generate -p ")
    assert "steps=" not in tab("krea generate -m x -m nano-banana-pro -p ")


def test_images_are_offered_for_images(tab, photo):
    """
    Pictures and folders beside the word, for -i and in media fields; other options
    that take files leave it to the shell, and so do a tilde and a variable.
    """
    for name in ("b c.png", "notes.txt", ".hidden.png", "clip.mp4", "line\n.png"):
        Path(name).touch()
    Path("sub").mkdir()
    shutil.copy(photo, "sub/in.jpg")

    assert {"b c.png", "sub/"} == set(tab("krea generate -i "))
    assert {"sub/in.jpg"} == set(tab("krea generate x -i sub/"))
    assert {".hidden.png"} == set(tab("krea generate -i .h"))
    assert {"image_urls=@sub/in.jpg"} == set(tab("krea generate -p image_urls=@sub/i"))
    assert {} == tab("krea generate -i no/such/")
    assert {"files"} == {
        tab(f"krea {line}")
        for line in (
            "generate -o ",
            "upload ",
            "replay ",
            "generate -i ~/",
            "config set output ",
        )
    }
    assert "files" == tab('krea generate -i "$PWD/sub/i', shell="bash")


def test_quotes_are_read_as_the_shell_reads_them(tab):
    """
    A backslash escapes a quote within single quotes in fish, a backtick anything in
    PowerShell; what is in open quotes is offered as it is, since they insert it so.
    """
    Path('a"$b.png').touch()

    assert {"flux-1-dev"} == set(tab(r"krea generate 'it\'s' -m flux-1-d"))
    assert {"--wait"} == set(tab('krea replay "a`" b" --wai', "powershell"))
    for shell in ("zsh", "fish", "powershell"):
        assert {'a"$b.png'} == set(tab("krea generate -i 'a", shell))
    assert {} == tab("krea generate -i 'a", "bash", "a")


@pytest.mark.parametrize(
    ("typed", "word", "inserted"),
    [
        ('"my dir"/f\\ o', '"my dir"/f\\ o', {r"my\ dir/f\ one.png"}),
        ("my' 'dir/f", "my' 'dir/f", {r"my\ dir/f\ one.png"}),
        ('"my dir"/"f o', "f o", {"f one.png"}),
        ('"my dir/f o', '"my dir/f o', {"my dir/f one.png"}),
        ('"my dir"/f', 'dir"/f', set()),
    ],
)
def test_in_bash_nothing_typed_is_lost(tab, typed, word, inserted):
    """
    Bash replaces the word by what it is told: that begins with what was typed, quotes
    in it or not; where it is unclear what is replaced, nothing is offered.
    """
    Path("my dir").mkdir()
    Path("my dir/f one.png").touch()

    assert inserted == set(tab(f"krea generate x -i {typed}", "bash", word))


def test_jobs_are_offered_with_what_tells_them_apart(tab, job, krea):
    """
    How old, and how the prompt begins; the newest first, those of the service that the
    line means, and @last; the journal is as it was.
    """
    with closing(sqlite3.connect(journal(krea))) as db:
        db.execute("UPDATE records SET created_at = strftime('%s', 'now') - 7300")
        db.commit()
    described = {job: "submitted, 2h ago, nano-banana-pro: an owl"}
    before = contents(journal(krea).parent)
    last = {"@last": "jobs of the last command"}

    assert last | described == tab("krea status ")
    assert described == tab(f"krea download @last {job[:5]}")
    assert {} == tab(f"krea jobs recover --adopt {job[:5]}")
    assert {} == tab("krea status --sandbox ")
    assert {} == tab("krea status --api-url https://other.example ")
    assert before == contents(journal(krea).parent)


def test_runs_with_several_jobs_are_offered_above_their_jobs(tab, job, krea):
    with closing(sqlite3.connect(journal(krea))) as db, db:
        [(run,)] = db.execute("SELECT run FROM records")
        name, other = f"@{run[:8]}", "0" * 36
        assert name not in tab("krea wait ")
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM records")
        db.execute("UPDATE copy SET number = 9, record = 'r', job_id = ?", (other,))
        db.execute("INSERT INTO records SELECT * FROM copy")

    found = tab("krea wait ")

    assert ["@last", name, other, job] == list(found)
    assert found[name].startswith("2 jobs of one command, ")


@pytest.mark.parametrize(
    ("state", "offering"),
    [
        ("submitted", {"status", "wait", "download", "cancel"}),
        ("completed", {"status", "download"}),
        ("failed", {"status"}),
    ],
)
def test_jobs_are_offered_to_commands_that_can_use_them(
    tab, job, krea, state, offering
):
    with closing(sqlite3.connect(journal(krea))) as db, db:
        db.execute("UPDATE records SET state = ?", (state,))

    for command in ("status", "wait", "download", "cancel"):
        assert (command in offering) == (job in tab(f"krea {command} {job[:5]}"))


def journal(krea):
    return Path(krea.env["KREA_STATE_DIR"], "journal.db")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def spoil(path):
    path.write_bytes(path.read_bytes()[:5000] + b"junk" * 2000)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("harm", [spoil, empty, Path.unlink, remove])
def test_a_journal_that_cannot_be_read_offers_nothing(tab, job, krea, harm):
    """
    No error, and nothing is made or changed.
    """
    path = journal(krea)
    harm(path)
    before = contents(path.parent)

    assert {} == tab("krea status ")
    assert before == contents(path.parent)
    assert path.parent.exists() is (harm is not remove)


def test_a_locked_journal_is_not_waited_for(tab, job, krea):
    """
    With somebody else writing, the jobs are there or not, but at once; never an error.
    """
    with closing(sqlite3.connect(journal(krea), isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("UPDATE records SET state = 'failed'")

        offered = tab("krea status ")

        db.execute("ROLLBACK")
    assert offered in ({}, tab("krea status "))


HOSTILE = "x\n$(touch pwned)\t`touch pwned`\x1b]0;owned\x07 a:b 'q' \"d\" \u202e"


@pytest.mark.parametrize("shell", [*scripts.NAMES])
def test_what_the_service_said_stays_in_its_line(krea, job, shell):
    """
    A status and a model of foreign origin are one description, without a control
    character; an id that could not be one is not offered.
    """
    with closing(sqlite3.connect(journal(krea))) as db:
        db.execute("UPDATE records SET state = ?, model = ?", (HOSTILE, HOSTILE))
        copied = "INSERT INTO records SELECT * FROM copy"
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM records")
        db.execute("UPDATE copy SET number = 9, record = 'r', job_id = ?", (HOSTILE,))
        db.execute("UPDATE copy SET run = ?", (HOSTILE,))
        db.execute(copied)
        db.commit()
    asked = {"_KREA_COMPLETE": shell, "_KREA_LINE": "krea status "}

    kind, last, told = complete(krea.env | asked)

    assert ["words", "@last"] == [kind, last.partition("\t")[0].replace("\\", "")]
    assert job == told.partition("\t")[0]
    assert told.replace("\t", "").isprintable()
    assert len(told) < 110
    assert shell != "bash" or told == job


def test_broken_settings_offer_nothing(krea, shell):
    """
    As a process: exit 0 and not a word; names are offered all the same.
    """
    Path(krea.env["KREA_CONFIG_DIR"]).mkdir(parents=True)
    Path(krea.env["KREA_CONFIG_DIR"], "config.toml").write_text("model = [")
    shell.env |= {"_KREA_COMPLETE": "zsh", "_KREA_LINE": "krea generate -p "}

    result = shell()

    assert (0, "", "") == (result.code, result.out, result.err)


def test_the_grammar_is_that_of_the_commands():
    """
    If not: python -m krea_cli.cli.completion.build completions
    """
    assert build.document() == grammar.FILE.read_text("utf-8")


def test_scripts_and_man_page_are_those_of_the_package():
    """
    If not: python -m krea_cli.cli.completion.build completions
    """
    expected = {name: scripts.text(shell) for shell, name in scripts.NAMES.items()}
    expected[build.MAN_PAGE] = man_page.text()

    assert expected == {
        path.name: path.read_text("utf-8") for path in COMPLETIONS.iterdir()
    }


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200f", "\u200b", "\x1b"])
@pytest.mark.parametrize("line", ["krea generate -m ", 'krea generate -m "'])
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_no_candidate_turns_words_around(monkeypatch, krea, shell, line, char):
    """
    One that acts on a terminal, or on the words after it, is not offered.
    """
    found = [Candidate(f"good/{char}evil"), Candidate("good/model")]
    monkeypatch.setattr(candidates, "find", lambda line, session: found)
    asked = {"_KREA_COMPLETE": shell, "_KREA_LINE": line, "_KREA_WORD": ""}

    assert ["words", "good/model"] == complete(krea.env | asked)
