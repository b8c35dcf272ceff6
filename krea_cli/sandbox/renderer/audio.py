"""
Generate a few soft notes as a WAV file.
"""

from __future__ import annotations

import io
import math
import random
import struct
import wave

RATE, SECONDS = 44_100, 2.4
# Notes of a pentatonic scale sound pleasant in any order. Frequencies in Hz.
_SCALE = (261.63, 293.66, 329.63, 392.00, 440.00, 523.25, 587.33, 659.26)


def wav(rng: random.Random) -> bytes:
    """
    Return a tune of `SECONDS` that `rng` chooses, as mono 16-bit WAV.
    """
    samples = [0.0] * round(RATE * SECONDS)
    for note in range(6):
        start, step = round(note * RATE * 0.28), math.tau * rng.choice(_SCALE) / RATE
        for age in range(min(RATE, len(samples) - start)):
            loudness = min(1.0, age / 400) * math.exp(-age / (RATE * 0.22))
            tone = math.sin(age * step) + 0.3 * math.sin(2 * age * step)
            samples[start + age] += loudness * tone
    loudest = max(map(abs, samples))
    pcm = [round(sample / loudest * 20_000) for sample in samples]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(struct.pack(f"<{len(pcm)}h", *pcm))
    return file.getvalue()
