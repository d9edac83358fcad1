"""One depth map from several that agree up to scale and shift."""

import torch
from jaxtyping import Float
from torch import Tensor


def consensus(depth: Float[Tensor, "e 1 h w"]) -> Float[Tensor, "1 1 h w"]:
    """Align the members of an ensemble in closed form and take their median.

    Members get the scales s and shifts t that minimise the sum over pairs of |s_i d_i + t_i - s_j d_j - t_j|^2, given
    the sum of their squared deviations from the mean. The shifts remove the means; the scales follow from the first
    eigenvector of the members' correlation matrix (Kettenring, Biometrika 1971, MAXVAR). A change of the input by
    rounding changes the result by as much, where the minimiser of the library stops after two steps along a gradient
    that is rounding. A member that runs against the others is turned round.

    Args:
        depth: affine-invariant depth of e members.

    Returns:
        Median of the aligned members (of an even number the lower one), from 0 (nearest) to 1 (farthest); NaN
        everywhere if a member is not finite.
    """
    members = depth.double().flatten(1)
    centred = members - members.mean(1, keepdim=True)
    unit = centred / centred.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    correlation = (unit @ unit.T).nan_to_num()  # NaN has no eigenvectors; it comes back with the members
    leading = torch.linalg.eigh(correlation).eigenvectors[:, -1]
    leading = leading * torch.where(leading.sum() < 0, -1, 1)
    median: Tensor = (leading[:, None] * unit).median(0).values
    low, high = median.aminmax()
    spread = (high - low).clamp_min(torch.finfo(torch.float64).tiny)
    return ((median - low) / spread).to(depth.dtype).reshape(1, *depth.shape[1:])
