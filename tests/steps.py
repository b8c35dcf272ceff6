"""
Parse output as GitHub Actions does, according to its documentation: the log of a step,
and the file of its outputs.
"""

from __future__ import annotations

import re

_DATA = {"%0A": "\n", "%0D": "\r"}
_PROPERTY = _DATA | {"%3A": ":", "%2C": ","}


def commands(log):
    """
    Return the commands in a log: name, properties, data.
    """
    return [found for line in re.split("\r\n|\r|\n", log) for found in _commands(line)]


def _commands(line):
    if found := re.match(r"\s*::(\S+?)(?: (.*?))?::(.*)", line, re.DOTALL):
        name, properties, data = found.groups("")
        pairs = [pair.split("=", 1) for pair in properties.split(",") if pair]
        values = {key: _unescaped(value, _PROPERTY) for key, value in pairs}
        yield name, values, _unescaped(data, _DATA)
    for name in re.findall(r"##\[([^]]*)\]", line):
        yield name, {}, line


def _unescaped(text, escapes):
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text.replace("%25", "%")


def outputs(text):
    """
    Return the outputs in the file. If one is set twice, the last value counts.
    """
    lines, found = iter(text.split("\n")), {}
    for line in lines:
        if "<<" in line:
            name, _, end = line.partition("<<")
            value = []
            while (part := next(lines)) != end:
                value.append(part)
            found[name] = "\n".join(value)
        elif line:
            name, equals, value = line.partition("=")
            assert equals, line
            found[name] = value
    return found
