"""
A few soft notes as a WAV file.
"""

from __future__ import annotations

import array
import io
import math
import random
import sys
import wave

RATE = 44_100
SECONDS = 2.4

# A pentatonic scale: any order of its notes sounds pleasant.
_SCALE = (261.63, 293.66, 329.63, 392.00, 440.00, 523.25, 587.33, 659.26)
_NOTES = 6


def wav(rng: random.Random) -> bytes:
    """
    `SECONDS` of mono sound, 16 bits, another tune for each generator.
    """
    samples = [0.0] * round(RATE * SECONDS)
    for note in range(_NOTES):
        start = round(note * RATE * 0.28)
        _pluck(samples, start, rng.choice(_SCALE))
    loudest = max(map(abs, samples))
    pcm = array.array("h", (round(sample / loudest * 20_000) for sample in samples))
    if sys.byteorder == "big":
        pcm.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(pcm.tobytes())
    return file.getvalue()


def _pluck(samples: list[float], start: int, pitch: float) -> None:
    """
    Add one note that fades away, with a little of its octave.
    """
    step = math.tau * pitch / RATE
    for at in range(start, min(len(samples), start + RATE)):
        age = at - start
        loudness = min(1.0, age / 400) * math.exp(-age / (RATE * 0.22))
        samples[at] += loudness * (
            math.sin(age * step) + 0.3 * math.sin(2 * age * step)
        )
