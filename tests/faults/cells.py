"""
The exit code of krea for each fault at each route of the service.

The codes are those of design, written down by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

PICTURE_IN, PICTURE_OUT = "in.png", "owl.png"
GENERATE = ("generate", "an owl", "-o", PICTURE_OUT, "-v")

# Only the response to this request shows if there is a job.
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
# The job keeps running, whatever a poll returns.
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
# The list is fetched to find the job of an unconfirmed request. If that fails, the
# request stays unconfirmed.
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
# The job is paid for and completed: either the file is saved, or the exit code is 7.
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
# Uploads are free and come before paid requests, so no failure is unconfirmed.
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

# A training costs money like a job of a model. Its result is the id of a style.
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
    A command line to run while the route `name` has a fault, after the faults `first`.
    `codes` has the exit code for each fault.
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
        Return the command line.  It has a short timeout if the fault is permanent or a
        job may still appear, because krea waits for those until the end.
        """
        if self.at == "jobs":
            return self.route.words
        is_lasting = self.fault.endswith("*") and self.at != "result"
        is_short = is_lasting or self.at == "in doubt" or self.code == 11
        return (*self.route.words, "--timeout", "3" if is_short else "20")

    @property
    def takes_long(self):
        """
        Return True if krea waits for a silent or very slow response.
        """
        return self.fault.startswith(("hang", "trickle"))


CELLS = [Cell(at, fault) for at, route in ROUTES.items() for fault in route.codes]
# The most important cells, which run each time.
SHARP = [
    Cell("submit", "reset-after"),
    Cell("job", "junk*"),
    Cell("result", "expired*"),
]
