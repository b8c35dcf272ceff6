"""
Text from other sources that would control a terminal, or be taken for rich markup.
"""

from __future__ import annotations

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"
SEQUENCES = (
    # CSI: colors, cursor, screen, keyboard, and queries whose answers appear as input.
    *(f"{ESC}[{rest}" for rest in ("95m", "2J", "H", "3A", "1K", "?1049h", "?47h")),
    *(f"{ESC}[{rest}" for rest in ("c", "6n", "?2004h", "?1003h", "4h", "20l", "r")),
    *(f"{ESC}[{rest}" for rest in ("21t", "16t", "8;5;5t", "!p", "38;5;1m", "s", "u")),
    # OSC: title, link, clipboard, colors, working folder, notification, marks.
    *(f"{ESC}]{rest}{BEL}" for rest in ("0;title", "2;title", "8;;http://x.y", "7;/")),
    *(
        f"{ESC}]{rest}{ST}"
        for rest in ("52;c;eA==", "4;1;?", "9;note", "777;a", "10;?")
    ),
    *(f"{ESC}]{rest}{BEL}" for rest in ("133;A", "1337;File=:eA==", "104", "112")),
    # DCS, APC, PM and SOS; single escapes; a reset.
    *(f"{ESC}{rest}{ST}" for rest in ("P$qm", "P+q544e", "Pq#0", "_Gq=1;", "^x", "Xx")),
    *(f"{ESC}{rest}" for rest in ("c", "7", "8", "D", "M", "#8", "(0", "N", "Z")),
    # C1 control characters: CSI, OSC, DCS, APC, ST, NEL.
    *("\x9b31m", "\x9d0;t\x9c", "\x90q\x9c", "\x9fG\x9c", "\x85", "\x8d"),
    # Control characters without an escape.
    *("\a", "a\b", "\r", "\v", "\f", "\0", "\x0e", "\x7f"),
    # Bidirectional controls, and characters that cannot be encoded.
    *("\u202eabc", "\u2066x", "\u200f", "\u061c", "\u202a", "\u2067", "\ud800"),
)
# Text that looks like rich markup.
MARKUP = "[red]x[/] [link=http://x.y]l[/link] [/nothing] [bold :skull: \\["
# A few of each kind, short enough not to be cut anywhere.
SHORT = f"{ESC}[1J{ESC}]0;t{BEL}\x9b2m\r\b\u202e[/][b] :skull:"


def acting(output):
    """
    Return the control characters in the output, except for line breaks and tabs.
    """
    text = output.decode() if isinstance(output, bytes) else output
    turns = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return {
        c
        for c in text
        if c not in "\n\t" and (c < " " or "\x7f" <= c <= "\x9f" or c in turns)
    }
