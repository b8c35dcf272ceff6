"""
Which fault of the service, at which of its routes, ends krea with which exit code.

The codes are those of design, written down by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

PICTURE_IN, PICTURE_OUT = "in.png", "owl.png"
GENERATE = ("generate", "an owl", "-o", PICTURE_OUT, "-v")

# Nothing but the answer to this one request says whether there is a job.
SUBMIT = {
    "reset": 11,
    "reset-after": 11,
    "close": 11,
    "close-after": 11,
    "hang": 11,
    "hang-after": 11,
    "html": 11,
    "html-after": 11,
    "html=502": 11,
    "empty": 11,
    "empty-after": 11,
    "junk": 11,
    "junk-after": 11,
    "slow": 0,
    "trickle": 0,
    "400": 2,
    "401": 4,
    "402": 5,
    "403": 4,
    "404": 2,
    "408": 11,
    "408-after": 11,
    "409": 2,
    "410": 2,
    "413": 2,
    "422": 2,
    "429": 0,
    "429=99": 6,
    "429=junk*": 6,
    "500-after": 11,
    "502": 11,
    "503": 11,
    "503=1": 11,
    "503-after": 11,
    "504": 11,
    "fails": 3,
    "takes=1": 0,
}
# The job is there and goes on, whatever a look at it says.
JOB = {
    "reset": 0,
    "reset*": 8,
    "close": 0,
    "hang*": 8,
    "html": 0,
    "html*": 8,
    "empty": 0,
    "empty*": 8,
    "junk": 0,
    "junk*": 8,
    "trickle*": 8,
    "missing*": 8,
    "no-urls": 0,
    "no-urls*": 3,
    "401": 4,
    "402": 5,
    "403": 4,
    "404": 0,
    "404*": 8,
    "408": 0,
    "410": 2,
    "422": 2,
    "429=1": 0,
    "429=99": 6,
    "500*": 8,
    "503=1": 0,
}
# It is looked at when a submission is in doubt, which it stays without it.
LOOKED = {
    "hang*": 11,
    "reset*": 11,
    "html*": 11,
    "slow": 11,
    "401*": 11,
    "429=99*": 11,
    "500*": 11,
    "503": 11,
}
LISTED = {
    "reset": 0,
    "reset*": 6,
    "close": 0,
    "hang": 0,
    "html": 6,
    "empty": 6,
    "junk": 6,
    "trickle": 0,
    "400": 2,
    "401": 4,
    "402": 5,
    "403": 4,
    "429=1": 0,
    "429=99": 6,
    "500*": 6,
    "503=1": 0,
}
# The job is paid for and completed: either the file is there, or it is exit 7.
RESULT = {
    "reset": 0,
    "reset*": 7,
    "close": 0,
    "hang": 0,
    "html": 7,
    "html*": 7,
    "empty": 7,
    "empty*": 7,
    "junk": 7,
    "junk*": 7,
    "slow": 0,
    "trickle": 7,
    "cut": 0,
    "cut=0": 0,
    "cut*": 7,
    "expired": 0,
    "expired*": 7,
    "401": 0,
    "404*": 7,
    "410": 0,
    "429=1": 0,
    "503*": 7,
}
# It is free and comes before what is paid for, so every failure is a known one.
UPLOAD = {
    "reset": 6,
    "reset-after": 6,
    "close": 6,
    "close-after": 6,
    "hang": 6,
    "html": 6,
    "empty": 6,
    "junk": 6,
    "slow": 0,
    "trickle": 0,
    "400": 2,
    "401": 4,
    "402": 5,
    "413": 2,
    "422": 2,
    "429": 0,
    "500": 6,
    "503": 6,
}

# A training is paid for like a job of a model. Its result is the id of a style.
TRAIN = {
    "reset": 11,
    "reset-after": 11,
    "junk-after": 11,
    "500-after": 11,
    "400": 2,
    "401": 4,
    "402": 5,
    "429": 0,
    "429=99": 6,
    "fails": 3,
}


@dataclass(frozen=True)
class Route:
    """
    What is run while *name* has a fault, *first* having gone wrong; *codes* has the
    exit code for each fault.
    """

    name: str
    codes: dict
    words: tuple = GENERATE
    first: tuple = ()


ROUTES = {
    "submit": Route("submit", SUBMIT),
    "job": Route("job", JOB),
    "jobs": Route("jobs", LISTED, words=("jobs", "list", "--remote", "-v")),
    "in doubt": Route("jobs", LOOKED, first=("submit:reset-after",)),
    "result": Route("result", RESULT),
    "upload": Route("upload", UPLOAD, words=(*GENERATE, "-i", PICTURE_IN)),
}


@dataclass(frozen=True)
class Cell:
    """
    One fault, by the name of its route in ROUTES.
    """

    at: str
    fault: str

    def __str__(self):
        return f"{self.at}:{self.fault}"

    @property
    def route(self):
        return ROUTES[self.at]

    @property
    def code(self):
        return self.route.codes[self.fault]

    @property
    def faults(self):
        return (*self.route.first, f"{self.route.name}:{self.fault}")

    @property
    def words(self):
        """
        The command line.  What goes wrong for ever is waited for to the end, and so is
        a job that may still appear, so that there is little time for them.
        """
        if self.at == "jobs":
            return self.route.words
        is_lasting = self.fault.endswith("*") and self.at != "result"
        is_short = is_lasting or self.at == "in doubt" or self.code == 11
        return (*self.route.words, "--timeout", "3" if is_short else "20")

    @property
    def takes_long(self):
        """
        Whether silence or a byte a second is waited for.
        """
        return self.fault.startswith(("hang", "trickle"))


CELLS = [Cell(at, fault) for at, route in ROUTES.items() for fault in route.codes]
# The sharpest of them, for every run.
SHARP = [
    Cell("submit", "reset-after"),
    Cell("job", "junk*"),
    Cell("result", "expired*"),
]
