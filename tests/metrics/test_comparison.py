import torch


def test_computes_once_per_function(make_pair):
    pair = make_pair([[1.0]], [[2.0]])
    calls = []

    def ratio(pair):
        calls.append(1)
        return pair.aligned.depth / pair.sample.depth

    def difference(pair):
        return pair.aligned.depth - pair.sample.depth

    assert pair.once(ratio) is pair.once(ratio)
    assert calls == [1]
    assert pair.once(difference).item() == -1
    assert torch.equal(pair.once(ratio), pair.aligned.depth / pair.sample.depth)


def test_two_batches_share_nothing(make_pair):
    both = make_pair([[1.0]], [[2.0]]), make_pair([[4.0]], [[2.0]])

    def depth(pair):
        return pair.aligned.depth.item()

    assert [pair.once(depth) for pair in both] == [1, 4]
