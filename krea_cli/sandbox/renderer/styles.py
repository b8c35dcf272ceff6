"""
Which style a prompt asks for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from PIL import Image

from krea_cli.sandbox.renderer import graded, painted

Style = Callable[[Image.Image, random.Random], Image.Image]

# The first that matches wins, so what is said more exactly stands first.
_WORDS: tuple[tuple[str, Style], ...] = (
    (r"water ?colou?r|aquarelle|gouache|ink wash", painted.watercolour),
    (r"pop ?art|warhol|screen ?print", painted.pop_art),
    (r"pixel|8-?bit|16-?bit|minecraft|retro game", painted.pixels),
    (r"comic|cartoon|anime|manga|ghibli|graphic novel", painted.comic),
    (r"sketch|pencil|charcoal|drawing|line ?art|etching|engraving", painted.sketch),
    (r"neon|cyber|synthwave|vaporwave|blade ?runner|sci-?fi", graded.neon),
    (r"black (and|&|n) white|monochrome|noir|b&w|gr[ae]yscale", graded.noir),
    (r"sepia|vintage|retro|old photo|antique|polaroid|faded|victorian", graded.vintage),
    (r"snow|winter|frost|ice|icy|blizzard|christmas", graded.snow),
    (r"sunset|sunrise|golden|autumn|warm|summer|dawn|desert", graded.golden),
    (r"night|dark|moon|midnight|dusk|gloomy|storm", graded.night),
    (r"duotone|risograph|two-tone|poster", graded.duotone),
    (r"oil|impasto|van gogh|monet|impressionis\w+|paint\w*|canvas", painted.oil),
)
_OTHERWISE: tuple[Style, ...] = (
    painted.watercolour,
    painted.oil,
    painted.comic,
    graded.golden,
    graded.duotone,
    graded.neon,
)


def named(prompt: str) -> Style | None:
    """
    The style that the prompt names, if it names one.
    """
    for words, style in _WORDS:
        if re.search(rf"\b({words})\b", prompt, re.IGNORECASE):
            return style
    return None


def chosen(prompt: str, rng: random.Random) -> Style:
    """
    The style that the prompt names, else any, the same for the same generator.
    """
    return named(prompt) or rng.choice(_OTHERWISE)
