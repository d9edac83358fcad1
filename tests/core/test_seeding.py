import torch
from hypothesis import given
from hypothesis import strategies as st

from src.core.seeding import derive_seed


def test_seeds_are_the_same_on_every_machine():
    # int.from_bytes(hashlib.sha256(b"0\x1fkitchen/0001\x1f2").digest()[:8], "big") >> 1
    assert derive_seed(0, "kitchen/0001", 2) == 1628690592191624003


def test_every_key_and_its_place_counts():
    seeds = [
        derive_seed(0),
        derive_seed(1),
        derive_seed(0, "a"),
        derive_seed(0, "a", 0),
        derive_seed(0, "a", 1),
        derive_seed(0, 1, "a"),
        derive_seed(0, "a1"),
    ]
    assert len(set(seeds)) == len(seeds)


@given(st.integers(), st.text())
def test_torch_takes_any_of_them(seed, name):
    derived = derive_seed(seed, name)
    assert 0 <= derived < 2**63
    torch.Generator().manual_seed(derived)
