"""
Batches as they may go: a project on two machines with a journal each, whose runs are
killed, lose responses and come two at once, and whose lock is passed on and merged in
any order, while somebody edits and deletes results and changes the manifest.

Every bill is counted where it arises, at the service.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from batch import forked
from conftest import png
from PIL import Image
from service import TOKEN, Service

MANIFEST, LOCK = "pictures.toml", "pictures.toml.lock"
PICTURE = png((24, 16))
EDITED = b"edited by hand"
# What may go wrong at the service while a run is on its way.
FAULTS = (
    "submit:reset",
    "submit:reset-after",
    "submit:reset-after",
    "submit:reset-after*3",
    "submit:junk-after",
    "submit:500-after",
    "submit:503",
    "submit:402",
    "submit:429",
    "submit:fails",
    "submit:takes=40",
    "job:404",
    "job:500",
    "job:junk",
    "jobs:500",
    "jobs:reset",
    "result:expired",
    "result:cut*",
    "result:503*",
    "upload:500",
)
# In this many steps a run dies; the last is more than a run of four items has.
MAX_STEPS = (6, 20, 60, 130)


class Bench:
    """
    The process that forks runs; *breaks* names what it does wrong.
    """

    def __init__(self, *breaks):
        self._process = subprocess.Popen(
            [sys.executable, forked.__file__, *breaks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def run(self, runs):
        """
        Start the runs at the same moment, and return how each ended: `code` is None for
        one that was killed.
        """
        self._process.stdin.write(json.dumps(runs) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@dataclass
class Machine:
    """
    A computer with a copy of the project. With *owes* its last run was killed or made
    something outside the project, so that its lock may not know of a job yet.
    """

    name: str
    folder: Path
    owes: bool = False

    @property
    def lock(self):
        return self.folder / "project" / LOCK

    @property
    def out(self):
        return self.folder / "project" / "out"

    def results(self):
        return sorted(self.out.glob("[!.]*"))


@dataclass
class Wish:
    """
    An item of the manifest; one that takes the result of another one *needs* it.
    """

    name: str
    ext: str = "png"
    version: int = 0
    needs: str | None = None
    twin: str | None = None

    @property
    def output(self):
        return f"out/{self.name}.{self.ext}"


@dataclass
class World:
    """
    One project, from its first run to its last. *log* says what was done.
    """

    bench: Bench
    service: Service
    folder: Path
    draw: random.Random
    runs: int = 0
    log: list = field(default_factory=list)
    # How often each prompt may be on the bill.
    allowed: Counter = field(default_factory=Counter)
    ends: Counter = field(default_factory=Counter)
    has_travelled: bool = False

    def __post_init__(self):
        self.machines = [Machine(name, self.folder / name) for name in ("one", "two")]
        for machine in self.machines:
            (machine.folder / "project").mkdir(parents=True)
        self.at = self.machines[0]
        more = [
            Wish("fox"),
            Wish("twin", twin="owl"),
            Wish("night", needs="owl"),
        ]
        chosen = [each for each in more if self.draw.random() < 0.5]
        self.wishes = [Wish("owl"), Wish("cat", ext="webp"), *chosen]
        self.write_manifest()

    # --- the project ---------------------------------------------------------------

    def wish(self, name):
        return next(each for each in self.wishes if each.name == name)

    def prompt(self, wish):
        if wish.twin:
            return self.prompt(self.wish(wish.twin))
        base = f" with {self.prompt(self.wish(wish.needs))}" if wish.needs else ""
        return f"{wish.name} {wish.version}{base}"

    def write_manifest(self):
        order = list(self.wishes)
        self.draw.shuffle(order)
        text = "".join(
            f'[[pictures]]\nprompt = "{self.prompt(each)}"\n'
            f'output = "{each.output}"\n'
            + (f'image = "{self.wish(each.needs).output}"\n' if each.needs else "")
            for each in order
        )
        for machine in self.machines:
            (machine.folder / "project" / MANIFEST).write_text(text)

    def change_prompt(self):
        wish = self.draw.choice([each for each in self.wishes if not each.twin])
        wish.version = self.draw.choice([0, 1, wish.version + 1])
        self.write_manifest()
        return f"{wish.name} is {self.prompt(wish)}"

    def rename_output(self):
        wish = self.draw.choice([each for each in self.wishes if each.name != "owl"])
        wish.ext = {"png": "webp", "webp": "png"}[wish.ext]
        self.write_manifest()
        return wish.output

    def delete_result(self):
        for path in self.at.results():
            if self.draw.random() < 0.5:
                path.unlink()

    def edit_result(self):
        if found := self.at.results():
            path = self.draw.choice(found)
            path.write_bytes(EDITED)
            return path.name
        return None

    def tear_lock(self):
        """
        Lose lines of the lock that this machine's own journal has.
        """
        if self.has_travelled or not self.at.lock.exists():
            return None
        lines = self.at.lock.read_text().splitlines(keepends=True)
        kept = [line for line in lines if self.draw.random() < 0.5]
        self.at.lock.write_text("".join(kept))
        self.at.owes = True
        return f"{len(kept)} of {len(lines)} lines"

    # --- machines ------------------------------------------------------------------

    def pass_on(self):
        """
        Take the lock to the other machine, as git, cat or a copy would.
        """
        if self.at.owes:
            self.run(*self.draw.choice([(), ("--no-wait",), ("--collect",)]))
            if self.at.owes:
                return None
        there = next(each for each in self.machines if each is not self.at)
        lines = self.at.lock.read_text().splitlines() if self.at.lock.exists() else []
        if there.lock.exists():
            lines += there.lock.read_text().splitlines()
        lines += [each for each in lines if self.draw.random() < 0.2]
        self.draw.shuffle(lines)
        there.lock.write_text("".join(f"{line}\n" for line in lines))
        self.at, self.has_travelled = there, True
        return there.name

    # --- runs ----------------------------------------------------------------------

    def words(self):
        """
        The options of a run.
        """
        output = self.draw.choice(self.wishes).output
        return self.draw.choice(
            [
                *[()] * 6,
                ("--no-wait",),
                ("--no-wait",),
                ("--collect",),
                ("--limit", "1"),
                ("--only", output),
                ("--shard", "1/2"),
                ("--shard", "2/2"),
                ("--timeout", "1s"),
                ("--check",),
                ("--prune", "--yes"),
                ("--again", "failed"),
                ("--again", output),
                ("--again", output),
            ]
        )

    def allow(self, words):
        """
        Note what --again may put on the bill.
        """
        if "--again" not in words:
            return
        which = words[words.index("--again") + 1]
        if which == "failed":
            jobs = self.service.store.jobs()
            prompts = {job.fields["prompt"] for job in jobs if job.failure}
        else:
            prompts = {
                self.prompt(each) for each in self.wishes if each.output == which
            }
        self.allowed.update(prompts)

    def run(self, *words, dies_at=None):
        return self.run_all([(words, dies_at)])[0]

    def run_all(self, runs):
        at = self.at
        for words, _ in runs:
            self.allow(words)
        ended = self.bench.run(
            [
                {
                    "cwd": str(at.folder / "project"),
                    "env": self.env(at),
                    "words": ["batch", MANIFEST, *words],
                    "dies_at": dies_at,
                }
                for words, dies_at in runs
            ]
        )
        self.runs += len(runs)
        codes = [each["code"] for each in ended]
        self.ends.update(codes)
        # A run that came to its end has written down what the journal knows.
        came_to_an_end = [
            each["code"] in (0, 3, 8, 9, 11) and "--prune" not in words
            for each, (words, _) in zip(ended, runs, strict=True)
        ]
        self.at.owes = None in codes or (self.at.owes and not all(came_to_an_end))
        self.log.append(f"{at.name}: {runs} -> {codes}")
        for each in ended:
            # A job that Krea does not know any more is exit 2 where it is the only one.
            is_usage = each["code"] == 2 and "not found" not in each["err"]
            assert each["code"] not in (1, -1), f"{each['err']}\n{self}"
            assert not is_usage, f"{each['err']}\n{self}"
        self.check()
        return ended

    def env(self, machine):
        return {
            "HOME": str(machine.folder),
            "KREA_API_URL": self.service.url,
            "KREA_API_KEY": TOKEN,
            **{
                f"KREA_{name}_DIR": str(machine.folder / name.lower())
                for name in ("STATE", "CONFIG", "CACHE")
            },
        }

    # --- what must hold ------------------------------------------------------------

    def bills(self):
        return Counter(job.fields["prompt"] for job in self.service.store.jobs())

    def check(self):
        for prompt, count in self.bills().items():
            assert count <= 1 + self.allowed[prompt], f"{count} x {prompt}\n{self}"
        for machine in self.machines:
            for path in machine.results():
                content = path.read_bytes()
                assert content == EDITED or is_whole(path), f"{path}\n{self}"

    def __str__(self):
        return "\n".join(map(str, self.log))

    # --- a history -----------------------------------------------------------------

    def go_on(self):
        """
        Do one thing after the other, most of them runs.
        """
        between = (
            self.change_prompt,
            self.rename_output,
            self.delete_result,
            self.edit_result,
            self.tear_lock,
            *[self.pass_on] * 4,
        )
        for _ in range(self.draw.randint(4, 9)):
            if self.draw.random() < 0.6:
                act = self.draw.choice(between)
                self.log.append(f"{act.__name__}: {act()}")
            self.run_with_trouble()
        self.come_to_an_end()

    def run_with_trouble(self):
        faults = self.draw.choices(FAULTS, k=self.draw.choice([0, 0, 1, 2]))
        faults = [
            f"{each}+{self.draw.randrange(3)}".removesuffix("+0") for each in faults
        ]
        self.log.append(f"faults: {faults}")
        self.service.add_faults(*faults)
        count = self.draw.choice([1, 1, 1, 2])
        self.run_all([(self.words(), self.moment_of_death()) for _ in range(count)])
        self.service._faults.clear()

    def moment_of_death(self):
        if self.draw.random() < 0.5:
            return None
        return self.draw.randrange(self.draw.choice(MAX_STEPS))

    def come_to_an_end(self):
        """
        Without further trouble everything is there that is not unconfirmed or failed.
        """
        ended = [self.run(), self.run()]
        if ended[-1]["code"] == 0:
            missing = [
                each.output
                for each in self.wishes
                if not (self.at.folder / "project" / each.output).is_file()
            ]
            assert not missing, f"{missing}\n{self}"
        assert ended[0]["code"] == ended[1]["code"] or ended[0]["code"] == 8, f"{self}"


def history(bench, folder, seed):
    """
    Return a world after one random history.
    """
    with Service(
        folder / "service", token=TOKEN, clock=forked.wall, picture=PICTURE
    ) as service:
        world = World(bench, service, folder, random.Random(seed))
        world.log.append(f"seed: {seed}")
        world.go_on()
    return world


def is_whole(path):
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.size == (24, 16)
    except OSError:
        return False
