"""The fingerprint depends on what is measured and on nothing else."""

import re

from src.records.fingerprint import fingerprint


def test_order_of_keys_does_not_matter_but_every_value_does():
    base = {"model": {"weights": "a/b", "steps": 4}, "seed": 0}
    assert fingerprint(base) == fingerprint({"seed": 0, "model": {"steps": 4, "weights": "a/b"}})
    for other in (
        {"model": {"weights": "a/b", "steps": 4}, "seed": 1},
        {"model": {"weights": "a/b", "steps": "4"}, "seed": 0},
        {"model": {"weights": "a/b", "steps": 4}, "seed": 0, "limit": None},
    ):
        assert fingerprint(other) != fingerprint(base)


def test_it_is_the_sha256_of_canonical_json():
    # printf '{"a":1,"b":"\xc3\xa4"}' | sha256sum
    assert fingerprint({"b": "ä", "a": 1}) == "f5300ffcfd6f"
    assert re.fullmatch(r"[0-9a-f]{12}", fingerprint({}))
