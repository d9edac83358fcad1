"""Seeds that depend on what is computed, never on when, where or in which batch."""

import hashlib


def derive_seed(seed: int, *keys: str | int) -> int:
    """Return a 63-bit seed that is a pure function of the run's seed and of the keys.

    Stochastic models draw the noise of an image from `derive_seed(seed, sample_id, member)`, so results depend on
    neither batch size, order nor rank.

    >>> derive_seed(0, "kitchen/0001") == derive_seed(0, "kitchen/0001") != derive_seed(1, "kitchen/0001")
    True
    """
    text = "\x1f".join(str(part) for part in (seed, *keys))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
