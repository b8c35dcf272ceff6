"""
A user with a computer of their own, who runs krea as processes and follows its hints.
"""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
from base64 import b64encode
from contextlib import closing
from urllib.parse import quote

from conftest import SYSTEM, Process, png
from faults.cells import PICTURE_OUT
from service import TOKEN, Handler, Service

FOLDERS = ("home", "state", "cache", "config", "temporary", "work")
# A command in a sentence. It ends with the sentence or the line, or before the next
# sentence with a command.
_COMMAND = re.compile(
    r"\bkrea ((?:jobs recover|wait|download)\b.*?)"
    r"(?=\. [A-Z]|\.?$| (?:If not|Look for it|Then): krea)",
    re.MULTILINE,
)
# The order in which a user tries the commands in hints.
_CHOICE = ("--adopt", "wait", "download", "--resubmit", "recover")
_FORMS = {
    "raw": TOKEN,
    "base64": b64encode(TOKEN.encode()).decode().rstrip("="),
    "url-encoded": quote(TOKEN, safe=""),
    "first 8": TOKEN[:8],
    "last 8": TOKEN[-8:],
}


class ElsewhereHandler(Handler):
    """
    Serve the results from another origin than the API.
    """

    def _base_url(self):
        return super()._base_url().replace("127.0.0.1", "localhost")


class TwoOrigins(Service):
    handler_class = ElsewhereHandler

    @property
    def elsewhere(self):
        """
        Return the requests to other origins than the API.
        """
        return [one for one in self.seen if one.headers["Host"].startswith("localhost")]


def service(folder, **options):
    """
    Return a service on real time, with small results on another origin.
    """
    return TwoOrigins(folder, token=TOKEN, **{"picture": png(), **options})


class User(Process):
    """
    A user of krea. `said` has all output of krea on both streams.
    """

    def __init__(self, folder, url):
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        kept = {name: os.environ[name] for name in SYSTEM if name in os.environ}
        env = kept | {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "temporary"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "KREA_API_URL": url,
            "KREA_API_KEY": TOKEN,
        }
        for name in ("state", "cache", "config"):
            env[f"KREA_{name.upper()}_DIR"] = str(folder / name)
        super().__init__(env, folder / "work")
        self.folder = folder
        self.picture = self.cwd / PICTURE_OUT
        self.said = []

    def __call__(self, *argv, **options):
        result = super().__call__(*argv, **options)
        self.said += [result.out, result.err]
        return result

    def follow(self, said):
        """
        Run the commands in krea's hints until the picture exists or there are no more.
        Return these commands.
        """
        self.rests()
        pasted = []
        while not self.picture.exists() and (words := choose(said)):
            assert words not in pasted, f"in a circle: {pasted}, {said}"
            pasted.append(words)
            result = self(*words)
            said = result.err
            if result.code == 0 and words[:2] == ["jobs", "recover"] and result.out:
                # Later hints have only the id of the job.
                is_settled = "--adopt" in words or "--resubmit" in words
                said += f"\nkrea wait {result.out.strip()}" if is_settled else ""
        return pasted

    def rests(self):
        """
        Make the journal's records a minute older.
        """
        path = self.folder / "state" / "journal.db"
        if path.exists():
            with closing(sqlite3.connect(path)) as db, db:
                db.execute(
                    "UPDATE records SET created_at = created_at - 60,"
                    " resent_at = resent_at - 60"
                )

    def leaks(self, service):
        """
        Return all places with the token in any form: output, files and their names, and
        requests to other origins.
        """
        places = {f"output {n}": text.encode() for n, text in enumerate(self.said)}
        for path in self.folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            places[str(path.relative_to(self.folder))] = content + str(path).encode()
        for n, one in enumerate(service.elsewhere):
            places[f"request {n}"] = f"{one.path} {one.headers}".encode()
        return [
            f"{form} in {place}"
            for place, content in places.items()
            for form, token in _FORMS.items()
            if token.encode() in content
        ]

    def names_way_to(self, job_id, said):
        """
        Return True if a hint has a command to collect the job, by its id or its run.
        """
        return any(
            words[0] in ("wait", "download")
            and not {job_id, self.run_of(job_id)}.isdisjoint(words)
            for words in commands(said)
        )

    def run_of(self, job_id):
        """
        Return the reference to the run of a job.
        """
        query = "SELECT run FROM records WHERE job_id = ?"
        with closing(sqlite3.connect(self.folder / "state" / "journal.db")) as db:
            return f"@{db.execute(query, (job_id,)).fetchone()[0][:8]}"

    @property
    def rest(self):
        """
        Return the temporary files that were not deleted.
        """
        return [*self.cwd.glob(".krea-*"), *(self.folder / "temporary").iterdir()]


def commands(said):
    """
    Return the commands in the output, as lists of words.
    """
    return [shlex.split(found) for found in _COMMAND.findall(said)]


def choose(said):
    """
    Return the command in the output to run first, with a fixed name for the results.
    """
    named = [words for words in commands(said) if "JOB" not in words]
    # Without the job list, a user does not submit again.
    is_blind = "Cannot get Krea's job list" in said
    for word in ("recover",) if is_blind else _CHOICE:
        for words in named:
            if word in words:
                if word in ("wait", "download") and "-o" not in words:
                    return [*words, "-o", PICTURE_OUT]
                return words
    return None
