"""Formula: an error made of sums over the valid pixels, so that an image can be taken piece by piece."""

import functools
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.functional.residuals import PerImage, Residuals

Term = Callable[[Residuals], PerImage]
"""Sums something over the valid pixels of each image, (b,) float64."""


class Formula:
    """Some sums over the valid pixels, and the error they make; called with residuals it is the error of each image.

    Args:
        terms: the sums. Formulas that name the same function share its result.
        value: the error out of n, the number of valid pixels, and the sums, each (b,); lends its name and docstring.
    """

    def __init__(self, terms: tuple[Term, ...], value: Callable[..., PerImage]) -> None:
        self.terms = terms
        self.value = value
        functools.update_wrapper(self, value)

    def __call__(self, errors: Residuals) -> PerImage:
        """Return the error of each image, (b,) float64."""
        return self.value(errors.n, *(term(errors) for term in self.terms))


def of_sums(*terms: Term) -> Callable[[Callable[..., PerImage]], Formula]:
    """Make a function of n and of the sums of `terms` a formula."""
    return lambda value: Formula(terms, value)


class Accumulator:
    """Evaluates formulas over images that come in pieces, each sum of each piece being taken once.

    Args:
        formulas: by name.
    """

    def __init__(self, formulas: Mapping[str, Formula]) -> None:
        self._formulas = dict(formulas)
        self._terms = tuple(dict.fromkeys(term for formula in formulas.values() for term in formula.terms))
        self._sums: list[Float[Tensor, " kb"]] = []  # n and the terms, one after another

    def add(self, errors: Residuals) -> None:
        """Add a piece of the batch, (b, 1, h, w) with an h and w of its own; all pieces have the same pilot."""
        self._sums.append(torch.cat([errors.n, *(term(errors) for term in self._terms)]))

    def compute(self) -> dict[str, PerImage]:
        """Return the error of each image by name, (b,) float64."""
        n, *totals = torch.stack(self._sums).sum(0).chunk(1 + len(self._terms))
        total = dict(zip(self._terms, totals, strict=True))
        return {
            name: formula.value(n, *(total[term] for term in formula.terms)) for name, formula in self._formulas.items()
        }
