"""Feature maps of LeViT and Next-ViT as MiDaS takes them, computed from weights under the names of its releases.

Written from the papers (Graham et al., ICCV 2021; Li et al., arXiv 2207.05501) and from the names and shapes of the
released weights, with the functions of torch only: no encoder of a library is run.
"""

import torch
from torch.nn import functional


def normalise(x, weights, name):
    """Batch normalisation of channels in axis 1, with the statistics of training."""
    w = {part: weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")}
    shape = (1, -1, *[1] * (x.ndim - 2))
    scaled = (x - w["running_mean"].reshape(shape)) / (w["running_var"].reshape(shape) + 1e-5).sqrt()
    return scaled * w["weight"].reshape(shape) + w["bias"].reshape(shape)


def levit(weights, pixels, hooks):  # noqa: C901  # one block after the other
    """Outputs of the numbered blocks, as square maps."""

    def linear(x, name):  # tokens (b, n, c), normalised
        y = x @ weights[f"{name}.c.weight"].T
        return normalise(y.transpose(1, 2), weights, f"{name}.bn").transpose(1, 2)

    def attend(q, k, v, name, side, step):
        heads = weights[f"{name}.attention_biases"].shape[0]
        # one learnt bias for every distance between two pixels, counted in rows and columns
        bias = torch.empty(heads, q.shape[2], k.shape[2])
        queries = [(y, x) for y in range(0, side, step) for x in range(0, side, step)]
        keys = [(y, x) for y in range(side) for x in range(side)]
        for i, (y, x) in enumerate(queries):
            for j, (v_y, v_x) in enumerate(keys):
                bias[:, i, j] = weights[f"{name}.attention_biases"][:, abs(y - v_y) * side + abs(x - v_x)]
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias
        out = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return linear(functional.hardswish(out), f"{name}.proj.1")

    def heads_of(x, name, widths):
        heads = weights[f"{name}.attention_biases"].shape[0]
        return x.unflatten(2, (heads, -1)).transpose(1, 2).split(widths, -1)

    x = pixels
    for number in (0, 2, 4, 6):
        x = functional.conv2d(x, weights[f"patch_embed.{number}.c.weight"], stride=2, padding=1)
        x = normalise(x, weights, f"patch_embed.{number}.bn")
        x = functional.hardswish(x) if number < 6 else x
    side, tokens, maps = x.shape[-1], x.flatten(2).transpose(1, 2), []
    for block in range(max(hooks) + 1):
        name = f"blocks.{block}"
        heads = len(weights.get(f"{name}.attention_biases", weights.get(f"{name}.m.attention_biases", ())))
        if f"{name}.kv.c.weight" in weights:
            value = weights[f"{name}.proj.1.c.weight"].shape[1] // heads
            key = weights[f"{name}.kv.c.weight"].shape[0] // heads - value
            k, v = heads_of(linear(tokens, f"{name}.kv"), name, [key, value])
            coarse = tokens.unflatten(1, (side, side))[:, ::2, ::2].flatten(1, 2)
            (q,) = heads_of(linear(coarse, f"{name}.q.1"), name, [key])
            tokens = attend(q, k, v, name, side, 2)
            side = (side + 1) // 2
        elif f"{name}.m.qkv.c.weight" in weights:
            value = weights[f"{name}.m.proj.1.c.weight"].shape[1] // heads
            key = (weights[f"{name}.m.qkv.c.weight"].shape[0] // heads - value) // 2
            q, k, v = heads_of(linear(tokens, f"{name}.m.qkv"), f"{name}.m", [key, key, value])
            tokens = tokens + attend(q, k, v, f"{name}.m", side, 1)
        else:
            tokens = tokens + linear(functional.hardswish(linear(tokens, f"{name}.m.0")), f"{name}.m.2")
        if block in hooks:
            maps.append(tokens.transpose(1, 2).unflatten(2, (side, side)))
    return maps


def next_vit(weights, pixels, hooks):  # noqa: C901  # one block after the other
    """Outputs of the numbered blocks, the last of their stages."""
    head = 32  # channels of a head or group

    def conv(x, name, **options):
        return functional.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), **options)

    def embed(x, name, halve):
        x = functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) if halve else x
        return normalise(conv(x, f"{name}.conv"), weights, f"{name}.norm") if f"{name}.conv.weight" in weights else x

    def local(x, name):
        x = conv(x, f"{name}.group_conv3x3", padding=1, groups=x.shape[1] // head)
        return conv(torch.relu(normalise(x, weights, f"{name}.norm")), f"{name}.projection")

    def distant(x, name, reduction):
        tokens = x.flatten(2).transpose(1, 2)
        pooled = functional.avg_pool1d(tokens.transpose(1, 2), reduction**2, reduction**2)
        if reduction > 1:
            pooled = normalise(pooled, weights, f"{name}.norm")
        q, k, v = (
            (source @ weights[f"{name}.{part}.weight"].T + weights[f"{name}.{part}.bias"]).unflatten(2, (-1, head))
            for part, source in (("q", tokens), ("k", pooled.transpose(1, 2)), ("v", pooled.transpose(1, 2)))
        )
        scores = torch.einsum("bnhc,bmhc->bhnm", q, k) / head**0.5
        out = torch.einsum("bhnm,bmhc->bnhc", scores.softmax(-1), v).flatten(2)
        out = out @ weights[f"{name}.proj.weight"].T + weights[f"{name}.proj.bias"]
        return out.transpose(1, 2).unflatten(2, x.shape[-2:])

    def perceptron(x, norm, name):
        x = conv(normalise(x, weights, norm), f"{name}.conv1")
        return conv(torch.relu(x), f"{name}.conv2")

    x = pixels
    for number, stride in enumerate((2, 1, 1, 2)):
        x = conv(x, f"stem.{number}.conv", stride=stride, padding=1)
        x = torch.relu(normalise(x, weights, f"stem.{number}.norm"))
    maps, stage = [], 0
    for block in range(max(hooks) + 1):
        name = f"features.{block}"
        x = embed(x, f"{name}.patch_embed", halve=block - 1 in hooks)
        if f"{name}.e_mhsa.q.weight" in weights:
            x = x + distant(normalise(x, weights, f"{name}.norm1"), f"{name}.e_mhsa", (8, 4, 2, 1)[stage])
            out = embed(x, f"{name}.projection", halve=False)
            x = torch.cat([x, out + local(out, f"{name}.mhca")], 1)
            x = x + perceptron(x, f"{name}.norm2", f"{name}.mlp")
        else:
            x = x + local(x, f"{name}.mhca")
            x = x + perceptron(x, f"{name}.norm", f"{name}.mlp")
        if block in hooks:
            maps.append(x)
            stage += 1
    return maps
