from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
import time as real_time
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import pytest
from api.wire import Wire
from journal.recorded import keep, record
from service import TOKEN, answer, html, reset

from krea_cli.errors import KeyringError
from krea_cli.journal.database import Database
from krea_cli.journal.journal import Journal
from krea_cli.output.results.checks import fault, ok, warning
from krea_cli.runtime.clock import Clock

KEYS = {"check", "state", "message", "hint", "code", "exit_code"}
NAMES = [
    *("krea", "path", "codecs", "settings", "proxy", "certificates", "token"),
    *("keyring", "service", "models", "journal", "doubt", "terminal"),
]
JOBS = "GET /jobs"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
OTHERS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def plain_process(monkeypatch):
    """
    What libraries read of this process leads no test astray.
    """
    for name in (*VARIABLES, *map(str.upper, VARIABLES), *OTHERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "config.backends.Memory")


@pytest.fixture
def home(krea):
    return Path(krea.env["HOME"])


@pytest.fixture
def doctor(krea):
    """
    Runs the command; its exit code and what each check found, the last of them.
    """

    def run(*words, env=None):
        result = krea("doctor", "--json", *words, env=env)
        found = list(map(json.loads, result.out.splitlines()))
        assert all(set(each) == KEYS for each in found)
        assert TOKEN not in result.out + result.err
        faults = [each for each in found if each["state"] == "fault"]
        assert result.code == (faults[0]["exit_code"] if faults else 0)
        if faults:
            error = json.loads(result.err.splitlines()[-1])["error"]
            assert (faults[0]["code"], faults[0]["message"]) == (
                error["code"],
                error["message"],
            )
        return result.code, {each["check"]: each for each in found}

    return run


def snapshot(folder):
    return {
        str(path): (path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


def journal(home, time):
    """
    One of two records, of which one is in doubt.
    """
    database = Database(home / "state", now=time.wall)
    made = Journal(database, "https://krea.example")
    keep(made, "j1", service="https://krea.example")
    lost = record(service="https://krea.example")
    made.begin(lost)
    made.unconfirmed(lost.record)
    database.close()
    return home / "state" / "journal.db"


def now(date):
    """
    An answer with this Date, which http.server would set by itself.
    """
    return Wire(
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nDate: "
        + formatdate(date, usegmt=True).encode()
        + b'\r\n\r\n{"items": []}'
    )


def test_all_is_well(logged_in, service, doctor, home, time):
    """
    Exit 0, one free request, nothing changed (P9), and the token is not told.
    """
    path = journal(home, time)
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text("timeout = '5m'\n")
    before = snapshot(home)

    code, found = doctor()

    assert 0 == code
    assert set(NAMES) <= set(found)
    assert "from KREA_API_KEY" == found["token"]["message"]
    assert "config.backends.Memory" == found["keyring"]["message"]
    assert "token accepted" == found["access"]["message"]
    assert f"intact, 2 records in {path.parent}" == found["journal"]["message"]
    assert ["/jobs"] == [each.path for each in service.seen]
    assert before == snapshot(home)


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ([ok("token", "fine")], "Everything works."),
        ([warning("path", "hm")], "Found 1 warning."),
        (
            [
                warning("path", "a"),
                fault("token", KeyringError("b")),
                warning("x", "c"),
            ],
            "Found 1 problem and 2 warnings.",
        ),
    ],
)
def test_doctor_ends_with_what_it_found(krea, monkeypatch, results, says):
    monkeypatch.setattr("krea_cli.commands.doctor._checks", lambda _: {"all": dict})
    monkeypatch.setattr("krea_cli.commands.doctor.run_checks", lambda _: results)

    assert says == krea("doctor").err.splitlines()[0]


def test_doctor_calls_a_request_in_doubt_unconfirmed_in_a_pipe(logged_in, home, time):
    journal(home, time)

    out = logged_in("doctor").out

    assert re.search("^unconfirmed\twarning\t", out, re.MULTILINE)
    assert "doubt" not in out


def test_a_codec_that_is_missing(logged_in, service, doctor, monkeypatch):
    """
    It matters only to who wants files of that kind.
    """
    whole = doctor()[1]["codecs"]
    monkeypatch.setattr("PIL.features.check", lambda name: name != "avif")

    code, found = doctor()

    assert whole["message"].endswith("writes PNG, JPG, WEBP, AVIF, GIF, TIFF")
    assert 0 == code
    assert "warning" == found["codecs"]["state"]
    assert found["codecs"]["message"].endswith("cannot write AVIF")
    assert "another extension" in found["codecs"]["hint"]


def test_nothing_is_made_where_there_is_nothing(logged_in, doctor, home):
    """
    No folder, no journal, no cache.
    """
    assert 0 == doctor()[0]
    assert [] == list(home.iterdir())


def test_the_sandbox_is_checked_instead(krea, doctor, home, monkeypatch):
    """
    Without a token, and without asking the keyring; no trace of it is left.
    """
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Backend")

    code, found = doctor("--sandbox")

    assert 0 == code
    assert "the sandbox responds" in found["service"]["message"]
    assert "not needed in the sandbox" == found["token"]["message"]
    assert "access" not in found
    assert [] == list(home.iterdir())


@pytest.mark.parametrize(
    ("fault", "check", "code", "says", "hint"),
    [
        (answer(401, {"error": "no"}), "access", 4, "from KREA_", "Set KREA_"),
        (answer(500, {"error": "no"}), "service", 6, "Server error", None),
        (html(200), "service", 6, "an HTML page", "login page"),
        (reset, "service", 6, "was lost", "firewall"),
    ],
)
def test_what_the_service_says(
    logged_in, service, doctor, fault, check, code, says, hint
):
    """
    One request each; the checks after it are made all the same.
    """
    service.faults[JOBS] = [fault]

    ended, found = doctor()

    assert code == ended
    assert "fault" == found[check]["state"]
    assert says in found[check]["message"]
    assert hint is None or hint in found[check]["hint"]
    assert "ok" == found["journal"]["state"]
    assert 1 == len(service.seen)


def test_nobody_answers(logged_in, doctor):
    """
    Exit 6, and what to look at.
    """
    code, found = doctor("--api-url", "http://127.0.0.1:1")

    assert 6 == code
    assert "connect to 127.0.0.1:1" in found["service"]["message"]
    assert "proxy settings" in found["service"]["hint"]
    assert "terminal" in found


@pytest.mark.long
def test_somebody_is_silent(logged_in, doctor):
    """
    The network has seven seconds, and the keyring three.
    """
    wire = Wire(lambda _: real_time.sleep(20))
    began = real_time.monotonic()

    code, found = doctor("--api-url", wire.url())

    wire.close()
    assert 6 == code
    assert "did not respond in time" in found["service"]["message"]
    assert 6.5 < real_time.monotonic() - began < 9


@pytest.mark.long
def test_a_keyring_that_hangs(krea, service, doctor, monkeypatch):
    """
    It is given up once, after three seconds; the service is asked all the same.
    """
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "config.backends.Hanging")
    krea.env["KREA_API_URL"] = service.url
    began = real_time.monotonic()

    code, found = doctor()

    assert 4 == code
    assert "did not respond within 3 s" in found["token"]["message"]
    assert "KREA_API_KEY" in found["token"]["hint"]
    assert "not usable (see above)" == found["keyring"]["message"]
    assert "ok" == found["service"]["state"]
    assert 2.9 < real_time.monotonic() - began < 5


def test_trouble_with_the_keyring_is_told_once(logged_in, doctor, monkeypatch):
    """
    Where the token is missing for it, as the reason why; elsewhere as a warning.
    """
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Backend")

    _, there = doctor()
    _, missing = doctor(env={"KREA_API_KEY": ""})

    assert "Cannot open" in there["keyring"]["message"]
    # Whoever has a token needs no way to one.
    assert not there["keyring"]["hint"]
    assert "Cannot open" in missing["token"]["message"]
    assert "not usable (see above)" == missing["keyring"]["message"]


def test_without_a_token_the_service_is_asked(krea, service, doctor):
    """
    Whether it can be reached is worth knowing before a token is made; exit 4.
    """
    krea.env["KREA_API_URL"] = service.url

    code, found = doctor(env={"KREA_API_KEY": ""})

    assert 4 == code
    assert "KREA_API_KEY is set but empty" in found["token"]["message"]
    assert found["token"]["hint"].startswith("Log in: krea auth login\n")
    assert "ok" == found["service"]["state"]
    assert "access" not in found
    assert not service.seen[0].headers.get("Authorization")


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (59, "correct"),
        (180, "3 minutes behind"),
        (-7300, "2 hours ahead"),
    ],
)
def test_a_wrong_clock(logged_in, doctor, time, ahead, says):
    """
    More than a minute is a warning; no fault, as the work goes on.
    """
    wire = now(time.wall() + ahead)

    code, found = doctor("--api-url", wire.url())

    wire.close()
    assert 0 == code
    assert says in found["clock"]["message"]
    assert (abs(ahead) > 60) == ("warning" == found["clock"]["state"])


def test_a_broken_settings_file(logged_in, service, doctor, home):
    """
    Exit 2; told once, what does not hang on it is checked, and nothing is sent.
    """
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text("timeout = [\n")

    code, found = doctor()

    assert 2 == code
    assert "config.toml is not valid TOML" in found["settings"]["message"]
    assert "not checked (see above)" == found["token"]["message"]
    assert "ok" == found["journal"]["state"]
    assert set(NAMES) <= set(found)
    assert [] == service.seen


@pytest.mark.parametrize(
    ("change", "says", "hint"),
    [
        (lambda path: path.write_bytes(b"no database" * 500), "is damaged", "mv "),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "ends after", "mv "),
        (lambda path: set_version(path, 99), "by a newer version", "KREA_STATE_DIR"),
    ],
)
def test_a_journal_that_cannot_be_used(
    logged_in, doctor, home, time, change, says, hint
):
    """
    Exit 7 with the way out, and not a byte of it changed.
    """
    change(journal(home, time))
    before = snapshot(home)

    code, found = doctor()

    assert 7 == code
    assert says in found["journal"]["message"]
    assert hint in found["journal"]["hint"]
    assert "not checked (see above)" == found["doubt"]["message"]
    assert before == snapshot(home)


def set_version(path, version):
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")


def test_a_request_in_doubt(logged_in, doctor, home, time):
    """
    A warning with the command that settles it, at this service.
    """
    journal(home, time)
    wire = now(time.wall())
    url = wire.url()
    with closing(sqlite3.connect(home / "state" / "journal.db")) as db:
        db.execute("UPDATE records SET service = ?", (url,))
        db.commit()

    code, found = doctor("--api-url", url)

    wire.close()
    assert 0 == code
    assert "warning" == found["doubt"]["state"]
    assert "1 unconfirmed request" in found["doubt"]["message"]
    assert f"krea jobs recover --api-url {url}" in found["doubt"]["hint"]


def test_a_list_of_models_that_is_old(logged_in, doctor, time):
    """
    Prices may have changed since then.
    """
    time.elapsed += (31 + 18) * 24 * 3600

    code, found = doctor()

    assert 0 == code
    assert "warning" == found["models"]["state"]
    assert "Try to update the list: krea models refresh" == found["models"]["hint"]


@pytest.mark.parametrize("home", ["", "nowhere", "file"])
def test_a_home_that_is_none(logged_in, doctor, monkeypatch, tmp_path, home):
    """
    Every check is made, whether there is a home, or could be.
    """
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / home) if home else "")
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
        del logged_in.env[f"KREA_{name}_DIR"]

    code, found = doctor()

    assert set(NAMES) <= set(found)
    if home == "file":
        assert 2 == code
        assert f"{tmp_path / 'file'} is not a folder" in found["journal"]["message"]
    else:
        assert 0 == code
    assert not (tmp_path / "nowhere").exists()


def test_a_check_that_breaks_is_told(logged_in, doctor):
    """
    As a bug, exit 1; the others are made all the same.
    """

    def wall():
        raise ZeroDivisionError("no time")

    logged_in.clock = Clock(wall=wall)

    code, found = doctor()

    assert 1 == code
    assert (
        "This check crashed: ZeroDivisionError: no time" in found["models"]["message"]
    )
    assert set(NAMES) - {"doubt"} <= set(found)


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("HTTPS_PROXY", "garbage://secret:secret@proxy", "service"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "certificates"),
    ],
)
def test_variables_that_cannot_be_used(
    logged_in, doctor, monkeypatch, variable, value, check
):
    """
    Exit 2 and the name of the variable; nothing leaves this machine.
    """
    monkeypatch.setenv(variable, value)

    code, found = doctor("--api-url", "https://krea.invalid", env={variable: value})

    assert 2 == code
    assert "fault" == found[check]["state"]
    assert variable in found[check]["message"] + found[check]["hint"]
    assert "secret" not in json.dumps(found)


def program(folder):
    folder.mkdir()
    path = folder / "krea"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_other_programs_of_the_name(krea, doctor, tmp_path, monkeypatch):
    """
    Both are named, and the name that only this one has; links to one program are one.
    """
    own, other = program(tmp_path / "own"), program(tmp_path / "other")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "krea").symlink_to(own)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "bin" / "krea")])

    def found(*folders):
        path = os.pathsep.join(str(tmp_path / folder) for folder in folders)
        return doctor("--sandbox", env={"PATH": path})[1]["path"]

    several, alone = found("other", "own"), found("other")

    assert ("ok", str(own)) == (found("own")["state"], found("own")["message"])
    assert "ok" == found("bin", "own")["state"]
    assert ["warning"] * 2 == [several["state"], alone["state"]]
    assert f"{other} and {own}; the first one" in several["message"]
    assert "krea-cli" in several["hint"]
    assert f"another program: {other}" in alone["message"]
    assert "not on PATH" in found("nowhere")["message"]


@pytest.mark.parametrize(
    ("mark", "command"),
    [
        ("uv-receipt.toml", "uv tool update-shell"),
        ("pipx_metadata.json", "pipx ensurepath"),
        (None, None),
    ],
)
@pytest.mark.parametrize("is_linked", [True, False])
def test_the_folder_of_a_tool_does_not_go_on_path(
    krea, doctor, tmp_path, monkeypatch, mark, command, is_linked
):
    """
    It has another python and pip in it: what is named is the command that sets PATH, or
    the folder with the link that was started.
    """
    own = program(tmp_path / "own")
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "krea"
    link.symlink_to(own)
    if mark:
        (tmp_path / mark).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(link if is_linked else own)])

    found = doctor("--sandbox", env={"PATH": str(tmp_path / "nowhere")})[1]["path"]

    folder = link.parent if is_linked else own.parent
    assert "not on PATH" in found["message"]
    assert found["hint"].endswith(f": {command or folder}")


def test_this_program_is_named_as_it_was_started(krea, doctor, tmp_path, monkeypatch):
    """
    Beside the `krea` of another package: by the link, not by what it links to.
    """
    own, other = program(tmp_path / "own"), program(tmp_path / "npm")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "krea-cli").symlink_to(own)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "bin" / "krea-cli")])

    found = doctor("--sandbox", env={"PATH": str(other.parent)})[1]["path"]

    assert f"another program: {other}" in found["message"]
    assert found["hint"] == f"Run this one: {tmp_path / 'bin' / 'krea-cli'}"
