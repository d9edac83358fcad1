import torch

from src.core.weighted_median import weighted_median


def test_each_row_on_its_own_and_nothing_without_weight():
    values = torch.tensor([[3.0, 1.0, 2.0, 9.0], [3.0, 1.0, 2.0, 9.0]])
    weight = torch.tensor([[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 2.0]])
    assert weighted_median(values, weight).tolist() == [0, 3]


def test_half_of_the_weight_is_enough():
    assert weighted_median(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]])).tolist() == [0]
