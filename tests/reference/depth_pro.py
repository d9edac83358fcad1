"""Depth Pro computed from weights under the names of its release, with the functions of torch only.

Written from the paper (Bochkovskii et al., ICLR 2025, sections 3.1 and 3.2, appendix) and from the names and shapes of
the released weights: a pyramid of three scales, cut into overlapping tiles that one encoder sees, the whole image that
another one sees, a decoder from the coarsest map to the finest, and a third encoder for the field of view.
"""

import torch
from torch.nn import functional


def depth_pro(weights, pixels, *, heads, side, hooks, cut):  # noqa: C901  # one part after the other
    """Inverse depth of the canonical camera (b, 1, h, w) and field of view in degrees (b,).

    Args:
        weights: by the names of the release.
        pixels: (b, 3, 4 side, 4 side).
        heads: of attention, in every encoder.
        side: of the tiles that the encoders see, in pixels.
        hooks: blocks of the tiles' encoder whose tokens are the two finest maps, the finer one first.
        cut: (fine, middle) tokens that are cut where two tiles meet.
    """

    def convolve(x, name, **options):
        return functional.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), **options)

    def double(x, name):
        return functional.conv_transpose2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), stride=2)

    def enlarge(x, name):
        x, layer = convolve(x, f"{name}.0"), 1
        while f"{name}.{layer}.weight" in weights:
            x, layer = double(x, f"{name}.{layer}"), layer + 1
        return x

    def half(x, scale):
        return functional.interpolate(x, scale_factor=scale, mode="bilinear")

    def encoded(x, name):
        return _vit({key.removeprefix(name): value for key, value in weights.items() if key.startswith(name)}, x, heads)

    def tiled(x, step, border):
        starts = range(0, x.shape[-1] - side + 1, step)
        blocks = [
            [encoded(x[..., top : top + side, left : left + side], "encoder.patch_encoder.") for left in starts]
            for top in starts
        ]
        return [
            _joined([[one[number] for one in row] for row in blocks], border) for number in (hooks[0], hooks[1], -1)
        ]

    whole = half(pixels, 0.25)
    finest, finer, fine = tiled(pixels, side * 3 // 4, cut[0])
    _, _, middle = tiled(half(pixels, 0.5), side // 2, cut[1])
    coarse = enlarge(encoded(whole, "encoder.patch_encoder.")[-1], "encoder.upsample2")
    image = double(encoded(whole, "encoder.image_encoder.")[-1], "encoder.upsample_lowres")
    maps = [
        enlarge(finest, "encoder.upsample_latent0"),
        enlarge(finer, "encoder.upsample_latent1"),
        enlarge(fine, "encoder.upsample0"),
        enlarge(middle, "encoder.upsample1"),
        convolve(torch.cat((coarse, image), 1), "encoder.fuse_lowres"),
    ]

    def refine(x, name):
        inner = convolve(functional.relu(x), f"{name}.residual.1", padding=1)
        return x + convolve(functional.relu(inner), f"{name}.residual.3", padding=1)

    fused = lowest = None
    for level in (4, 3, 2, 1, 0):
        skip = convolve(maps[level], f"decoder.convs.{level}", padding=1) if level else maps[0]
        lowest = skip if level == 4 else lowest
        name = f"decoder.fusions.{level}"
        fused = refine(skip if fused is None else fused + refine(skip, f"{name}.resnet1"), f"{name}.resnet2")
        fused = double(fused, f"{name}.deconv") if level else fused
        fused = convolve(fused, f"{name}.out_conv")
    out = double(convolve(fused, "head.0", padding=1), "head.1")
    out = functional.relu(convolve(out, "head.2", padding=1))
    inverse = functional.relu(convolve(out, "head.4"))

    tokens = encoded(whole, "fov.encoder.0.")[-1].permute(0, 2, 3, 1)
    seen = (tokens @ weights["fov.encoder.1.weight"].T + weights["fov.encoder.1.bias"]).permute(0, 3, 1, 2)
    x = seen + functional.relu(convolve(lowest, "fov.downsample.0", stride=2, padding=1))
    for layer in (0, 2):
        x = functional.relu(convolve(x, f"fov.head.{layer}", stride=2, padding=1))
    return inverse, convolve(x, "fov.head.4").flatten()


def _joined(rows, border):
    """One map from square tiles, without `border` tokens on either side of where two of them meet."""
    last = len(rows) - 1

    def inside(number, length):
        return slice(border if number else 0, length - border if number != last else length)

    return torch.cat(
        [
            torch.cat(
                [tile[..., inside(y, tile.shape[-2]), inside(x, tile.shape[-1])] for x, tile in enumerate(row)], -1
            )
            for y, row in enumerate(rows)
        ],
        -2,
    )


def _vit(w, pixels, heads):
    """Tokens of the patches after every block, and normalised at the end, as maps (b, c, h, w)."""

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    kernel = w["patch_embed.proj.weight"]
    patches = functional.conv2d(pixels, kernel, w["patch_embed.proj.bias"], stride=kernel.shape[-1])
    rows, columns = patches.shape[-2:]
    x = torch.cat((w["cls_token"].expand(len(pixels), -1, -1), patches.flatten(2).transpose(1, 2)), 1) + w["pos_embed"]
    states, block = [], 0
    while f"blocks.{block}.norm1.weight" in w:
        name = f"blocks.{block}"
        qkv = linear(norm(x, f"{name}.norm1"), f"{name}.attn.qkv").unflatten(-1, (3, heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attended = ((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + w[f"{name}.ls1.gamma"] * linear(attended, f"{name}.attn.proj")
        inner = functional.gelu(linear(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1"))
        x = x + w[f"{name}.ls2.gamma"] * linear(inner, f"{name}.mlp.fc2")
        states.append(x)
        block += 1
    states.append(norm(x, "norm"))
    return [state[:, 1:].transpose(1, 2).unflatten(2, (rows, columns)) for state in states]
