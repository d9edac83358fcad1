"""The fingerprint of a measurement: what names its folder."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def fingerprint(measurement: Mapping[str, Any]) -> str:
    """Hash a measurement to 12 hexadecimal digits; equal content gives equal digits, whatever the order of keys.

    Args:
        measurement: plain JSON values.

    >>> fingerprint({"seed": 0, "model": "ramp"}) == fingerprint({"model": "ramp", "seed": 0})
    True
    """
    text = json.dumps(measurement, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
