"""From the names of weights in the authors' releases to those in checkpoints on the hub, or in timm.

The maps to the hub are those of the conversions behind its checkpoints (github.com/huggingface/transformers, convert
scripts of dpt, zoedepth and depth_anything). The names on the hub do not change, those of the library do.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""Regular expression of a part of a name and its replacement, as of `re.sub`."""


def rename(state: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """Apply every rule in turn to every name.

    >>> import torch
    >>> rename({"blocks.3.bias": torch.ones(1)}, [(r"^blocks", "layer"), (r"3", "4")])
    {'layer.4.bias': tensor([1.])}
    """
    renamed: dict[str, Tensor] = {}
    for released, value in state.items():
        name = released
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def split_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Split the projections of attention that releases keep in one, named `qkv`, into the three that the hub has.

    >>> import torch
    >>> split_attention({"layer.qkv.bias": torch.arange(3)})
    {'layer.query.bias': tensor([0]), 'layer.key.bias': tensor([1]), 'layer.value.bias': tensor([2])}
    """
    parts: dict[str, Tensor] = {}
    for name, value in state.items():
        joint = re.fullmatch(r"(.*\.)qkv(\.\w+)", name)
        if joint:
            for part, values in zip(("query", "key", "value"), value.chunk(3), strict=True):
                parts[f"{joint[1]}{part}{joint[2]}"] = values.clone()
        else:
            parts[name] = value
    return parts


def _stage(match: re.Match[str]) -> str:
    """Count from 0 what the release counts from 1."""
    return f"neck.reassemble_stage.{match[2]}.{int(match[1]) - 1}"


DECODER: tuple[Rule, ...] = (
    (r"^.*scratch\.layer(\d)_rn\.", lambda match: f"neck.convs.{int(match[1]) - 1}."),
    (r"^.*scratch\.refinenet(\d)\.", lambda match: f"neck.fusion_stage.layers.{4 - int(match[1])}."),
    (r"^(neck\.fusion.*)\.out_conv\.", r"\1.projection."),
    (r"^(neck\.fusion.*)\.resConfUnit(\d)\.conv(\d)\.", r"\1.residual_layer\2.convolution\3."),
    (r"^pretrained\.act_postprocess(\d)\.0\.project\.", r"pretrained.\1.readout_projects."),
    (r"^pretrained\.act_postprocess(\d)\.3\.(?=\w+$)", r"pretrained.\1.layers.projection."),
    (r"^pretrained\.act_postprocess(\d)\.4\.(?=\w+$)", r"pretrained.\1.layers.resize."),
    (r"^pretrained\.(\d)\.(readout_projects|layers)", _stage),
)
"""The decoder that all dense prediction transformers share, and how it takes tokens for images."""

BLOCKS: tuple[Rule, ...] = (
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"^(pretrained\.model.*)\.norm1\.", r"\1.layernorm_before."),
    (r"^(pretrained\.model.*)\.norm2\.", r"\1.layernorm_after."),
)
"""The blocks of transformer encoders, before their own names."""

BEIT: tuple[Rule, ...] = (
    *BLOCKS,
    (r"\.gamma_(\d)$", r".lambda_\1"),
    (r"\.attn\.qkv\.", ".attention.attention.qkv."),
    (r"\.attn\.q_bias$", ".attention.attention.query.bias"),
    (r"\.attn\.v_bias$", ".attention.attention.value.bias"),
    (r"\.attn\.relative_position", ".attention.attention.relative_position_bias.relative_position"),
    (r"^pretrained\.model\.cls_token$", "backbone.embeddings.cls_token"),
    (r"^pretrained\.model\.patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"^pretrained\.model\.blocks\.", "backbone.encoder.layer."),
)

SWIN_V2: tuple[Rule, ...] = (
    *BLOCKS,
    (r"\.attn\.qkv\.", ".attention.self.qkv."),
    (r"\.attn\.q_bias$", ".attention.self.query.bias"),
    (r"\.attn\.v_bias$", ".attention.self.value.bias"),
    (r"\.attn\.logit_scale$", ".attention.self.logit_scale"),
    (r"\.attn\.cpb_mlp\.", ".attention.self.continuous_position_bias_mlp."),
    (r"^pretrained\.model\.patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"^pretrained\.model\.patch_embed\.norm\.", "backbone.embeddings.norm."),
    (r"^pretrained\.model\.layers\.", "backbone.encoder.layers."),
)

VIT: tuple[Rule, ...] = (
    *BLOCKS,
    (r"\.attn\.qkv\.", ".attention.attention.qkv."),
    (r"^pretrained\.model\.cls_token$", "dpt.embeddings.cls_token"),
    (r"^pretrained\.model\.pos_embed$", "dpt.embeddings.position_embeddings"),
    (r"^pretrained\.model\.patch_embed\.proj\.", "dpt.embeddings.patch_embeddings.projection."),
    (r"^pretrained\.model\.blocks\.", "dpt.encoder.layer."),
)

HYBRID: tuple[Rule, ...] = (
    (r"^pretrained\.model\.patch_embed\.backbone\.stem\.conv\.", "dpt.embeddings.backbone.bit.embedder.convolution."),
    (r"^pretrained\.model\.patch_embed\.backbone\.stem\.norm\.", "dpt.embeddings.backbone.bit.embedder.norm."),
    (
        r"^pretrained\.model\.patch_embed\.backbone\.stages\.(\d)\.blocks\.",
        r"dpt.embeddings.backbone.bit.encoder.stages.\1.layers.",
    ),
    (r"^pretrained\.model\.patch_embed\.proj\.", "dpt.embeddings.projection."),
    *VIT,
)


def dino_v2(released: str, hub: str) -> tuple[Rule, ...]:
    """Of an encoder whose names begin with `released` in a file and with `hub` in a checkpoint on the hub."""
    begin = rf"^{re.escape(released)}"
    return (
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"\.attn\.qkv\.", ".attention.attention.qkv."),
        (r"\.ls(\d)\.gamma$", r".layer_scale\1.lambda1"),
        (rf"{begin}(cls_token|mask_token)$", rf"{hub}embeddings.\1"),
        (rf"{begin}pos_embed$", f"{hub}embeddings.position_embeddings"),
        (rf"{begin}patch_embed\.proj\.", f"{hub}embeddings.patch_embeddings.projection."),
        (rf"{begin}norm\.", f"{hub}layernorm."),
        (rf"{begin}blocks\.", f"{hub}encoder.layer."),
    )


DEPTH_ANYTHING: tuple[Rule, ...] = (
    *DECODER,
    *dino_v2("pretrained.", "backbone."),
    (r"^depth_head\.projects\.(\d)\.", r"neck.reassemble_stage.layers.\1.projection."),
    (r"^depth_head\.resize_layers\.(\d)\.", r"neck.reassemble_stage.layers.\1.resize."),
    (r"^depth_head\.scratch\.output_conv1\.", "head.conv1."),
    (r"^depth_head\.scratch\.output_conv2\.0\.", "head.conv2."),
    (r"^depth_head\.scratch\.output_conv2\.2\.", "head.conv3."),
)

ZOEDEPTH: tuple[Rule, ...] = (
    # before the core, whose names then begin as those of MiDaS do
    (
        r"^(conv2|projectors|seed_bin_regressors?|seed_projector|attractors|conditional_log_binomial)\.",
        r"metric_head.\1.",
    ),
    (r"^(patch_transformer|mlp_classifier)\.", r"metric_head.\1."),
    (r"^(metric_head.*)\._net\.0\.", r"\1.conv1."),
    (r"^(metric_head.*)\._net\.2\.", r"\1.conv2."),
    (r"^metric_head\.mlp_classifier\.0\.", "metric_head.mlp_classifier.linear1."),
    (r"^metric_head\.mlp_classifier\.2\.", "metric_head.mlp_classifier.linear2."),
    (r"\.transformer_encoder\.layers\.", ".transformer_encoder."),
    (r"\.self_attn\.in_proj_(weight|bias)$", r".self_attn.qkv.\1"),
    (r"^core\.core\.", ""),
    *DECODER,
    *BEIT,
    (r"^scratch\.output_conv\.(\d)\.", lambda match: f"relative_head.conv{int(match[1]) // 2 + 1}."),
)

DEPTH_PRO: tuple[Rule, ...] = (
    *dino_v2("encoder.patch_encoder.", "depth_pro.encoder.patch_encoder.model."),
    *dino_v2("encoder.image_encoder.", "depth_pro.encoder.image_encoder.model."),
    *dino_v2("fov.encoder.0.", "fov_model.fov_encoder.model."),
    # the release counts from the finest feature map, the hub from the coarsest
    (
        r"^encoder\.upsample_latent(\d)\.",
        lambda m: f"depth_pro.neck.feature_upsample.intermediate.{1 - int(m[1])}.layers.",
    ),
    (r"^encoder\.upsample(\d)\.", lambda m: f"depth_pro.neck.feature_upsample.scaled_images.{2 - int(m[1])}.layers."),
    (r"^encoder\.upsample_lowres\.", "depth_pro.neck.feature_upsample.image_block.layers.0."),
    (r"^encoder\.fuse_lowres\.", "depth_pro.neck.fuse_image_with_low_res."),
    (r"^decoder\.convs\.(\d)\.", lambda m: f"depth_pro.neck.feature_projection.projections.{4 - int(m[1])}."),
    (r"^decoder\.fusions\.0\.", "fusion_stage.final."),
    (r"^decoder\.fusions\.(\d)\.", lambda m: f"fusion_stage.intermediate.{4 - int(m[1])}."),
    (r"^(fusion_stage.*)\.out_conv\.", r"\1.projection."),
    (
        r"^(fusion_stage.*)\.resnet(\d)\.residual\.([13])\.",
        lambda m: f"{m[1]}.residual_layer{m[2]}.convolution{(int(m[3]) + 1) // 2}.",
    ),
    (r"^head\.", "head.layers."),
    (r"^fov\.encoder\.1\.", "fov_model.fov_encoder.neck."),
    (r"^fov\.downsample\.0\.", "fov_model.conv."),
    (r"^fov\.head\.", "fov_model.head.layers."),
)

MIDAS_V2_LARGE: tuple[Rule, ...] = (
    (r"^pretrained\.layer1\.0\.", "encoder.conv1."),
    (r"^pretrained\.layer1\.1\.", "encoder.bn1."),
    (r"^pretrained\.layer1\.4\.", "encoder.layer1."),
    (r"^pretrained\.layer([234])\.", r"encoder.layer\1."),
)
"""To ResNeXt as timm names it."""

MIDAS_V2_SMALL: tuple[Rule, ...] = (
    (r"^pretrained\.layer1\.0\.", "encoder.conv_stem."),
    (r"^pretrained\.layer1\.1\.", "encoder.bn1."),
    (r"^pretrained\.layer1\.3\.", "encoder.blocks.0."),
    (r"^pretrained\.layer1\.4\.", "encoder.blocks.1."),
    (r"^pretrained\.layer2\.0\.", "encoder.blocks.2."),
    (r"^pretrained\.layer3\.0\.", "encoder.blocks.3."),
    (r"^pretrained\.layer3\.1\.", "encoder.blocks.4."),
    (r"^pretrained\.layer4\.0\.", "encoder.blocks.5."),
    (r"^pretrained\.layer4\.1\.", "encoder.blocks.6."),
)
"""To EfficientNet as timm names it."""

SWIN: tuple[Rule, ...] = (
    # the releases are older than the move of the downsampling from the end of a stage to the start of the next
    (
        r"^pretrained\.model\.layers\.(\d)\.downsample\.",
        lambda match: f"encoder.layers_{int(match[1]) + 1}.downsample.",
    ),
    (r"^pretrained\.model\.layers\.(\d)\.", r"encoder.layers_\1."),
    (r"^pretrained\.model\.patch_embed\.", "encoder.patch_embed."),
)
"""To Swin as timm names it."""


def next_vit(depths: Sequence[int]) -> tuple[Rule, ...]:
    """To Next-ViT as timm names it, with this number of blocks in each stage; the release counts them throughout."""
    blocks = [f"stages_{stage}.blocks.{block}" for stage, depth in enumerate(depths) for block in range(depth)]
    return (
        (r"^pretrained\.model\.stem\.(\d)\.", r"encoder.stem_\1."),
        (r"^pretrained\.model\.features\.(\d+)\.", _counted(blocks, "encoder.{}.")),
        (r"^(encoder.*\.mlp)\.conv(\d)\.", r"\1.fc\2."),
    )


def levit(depth: Sequence[int]) -> tuple[Rule, ...]:
    """To LeViT as timm names it, with this number of blocks in each stage.

    The release counts attention and perceptron of every block, and of what lies between the stages, throughout.
    """
    halves = []
    for stage, blocks in enumerate(depth):
        if stage:
            halves += [f"stages.{stage}.downsample.{half}" for half in ("attn_downsample", "mlp")]
        halves += [f"stages.{stage}.blocks.{block}.{half}" for block in range(blocks) for half in ("attn", "mlp")]
    return (
        (r"^pretrained\.model\.patch_embed\.(\d)\.", lambda m: f"encoder.levit.stem.conv{int(m[1]) // 2 + 1}."),
        (r"^pretrained\.model\.blocks\.(\d+)\.(?:m\.)?", _counted(halves, "encoder.levit.{}.")),
        (r"^(encoder.*\.mlp)\.0\.", r"\1.ln1."),
        (r"^(encoder.*\.mlp)\.2\.", r"\1.ln2."),
        (r"^(encoder.*\.(?:q|proj))\.1\.", r"\1.ln."),
        (r"^(encoder.*)\.c\.", r"\1.linear."),
    )


def _counted(names: Sequence[str], template: str) -> Callable[[re.Match[str]], str]:
    """Replace a number by the name that it counts to; one that counts too far stays and will be reported."""
    return lambda match: template.format(names[int(match[1])]) if int(match[1]) < len(names) else match[0]
