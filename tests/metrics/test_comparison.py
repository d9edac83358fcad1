import torch


def test_computes_once_per_function(make_pair):
    pair = make_pair([[1.0]], [[2.0]])
    calls = []

    def ratio(aligned, sample):
        calls.append(1)
        return aligned.depth / sample.depth

    def difference(aligned, sample):
        return aligned.depth - sample.depth

    assert pair.once(ratio) is pair.once(ratio)
    assert calls == [1]
    assert pair.once(difference).item() == -1
    assert torch.equal(pair.once(ratio), pair.aligned.depth / pair.sample.depth)


def test_two_batches_share_nothing(make_pair):
    first, second = make_pair([[1.0]], [[2.0]]), make_pair([[4.0]], [[2.0]])
    assert [pair.once(lambda aligned, _: aligned.depth.item()) for pair in (first, second)] == [1, 4]
