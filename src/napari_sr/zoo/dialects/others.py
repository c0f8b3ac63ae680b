"""Networks that napari-sr does not run, by the keys of their weights, so that a refusal names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from napari_sr.errors import CheckpointError

#: Kind of a network: for super-resolution or other restoration, or for something else.
Kind = Literal["restoration", "discriminator", "features", "other"]


@dataclass(frozen=True)
class OtherNetwork:
    """A network that is recognized and not run.

    Parameters
    ----------
    name : str
        Its name.
    keys : tuple of str
        Keys that all of its files have, and no file of another network.
    reader : str or None, default None
        A program that reads its weights, if there is one.
    kind : {"restoration", "discriminator", "features", "other"}, default "restoration"
        Kind of the network.
    channels : tuple of int, default ()
        Numbers of input channels of its first layer, the first of `keys`; () for any.
    """

    name: str
    keys: tuple[str, ...]
    reader: str | None = None
    kind: Kind = "restoration"
    channels: tuple[int, ...] = ()

    def matches(self, tensors: Mapping[str, Tensor]) -> bool:
        """Return whether weights, of which only names and sizes are used, are those of this network."""
        if not all(key in tensors for key in self.keys):
            return False
        shape = tensors[self.keys[0]].shape
        return not self.channels or (len(shape) > 1 and shape[1] in self.channels)


def _spandrel(name: str, *keys: str, reader: str = "spandrel") -> OtherNetwork:
    """Make an entry for a network that spandrel reads (github.com/chaiNNer-org/spandrel)."""
    return OtherNetwork(name, keys, reader)


def _other(name: str, *keys: str, kind: Kind = "restoration", channels: tuple[int, ...] = ()) -> OtherNetwork:
    return OtherNetwork(name, keys, kind=kind, channels=channels)


#: The package of spandrel for networks whose licenses restrict their use.
_EXTRA = "spandrel_extra_arches"
_BLOCKS = "layers.0.residual_group.blocks.0"

#: The networks; the first entry that matches is named.
OTHER_NETWORKS: tuple[OtherNetwork, ...] = (
    # Networks with residual blocks.
    _spandrel("RCAN", "body.0.body.0.body.0.weight", "body.0.body.0.body.3.conv_du.0.weight"),
    _other("RCAN", "conv_first.weight", "body.0.residual_group.0.rcab.0.weight"),
    _other("RCAN", "conv1.weight", "trunk.0.rcab.0.rcab.0.weight"),
    _other("MDSR", "head.0.weight", "pre_process.0.0.body.0.weight"),
    _other("EDSR", "head.0.weight", "body.0.body.0.weight", "body.0.body.2.weight", "tail.1.weight"),
    _other("EDSR", "conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight", "conv_last.weight"),
    _other("EDSR", "conv1.weight", "trunk.0.rcb.0.weight", "trunk.0.rcb.2.weight"),
    _other("RDN", "SFENet1.weight", "RDBs.0.LFF.weight"),
    _other("CARN", "entry.weight", "c1.body.0.weight"),
    _other("IMDN", "fea_conv.weight", "IMDB1.c1.weight"),
    _other("RFDN", "fea_conv.weight", "B1.c1_d.weight"),
    _other("HAN", "head.0.weight", "csa.conv.weight"),
    _other("SAN", "head.0.weight", "body.0.0.body.0.weight", "non_local.non_local.g.weight"),
    _other("DRN", "head.0.weight", "down.0.0.dual_module.0.0.weight"),
    _other("DBPN", "feat0.conv.weight", "up1.up_conv1.deconv.weight"),
    _other("VDSR", "input.weight", "residual_layer.0.conv.weight", "output.weight"),
    _other("VDSR", "conv1.0.weight", "trunk.0.conv.weight", "conv2.weight"),
    _other("FSRCNN", "first_part.0.weight", "mid_part.0.weight", "last_part.weight"),
    _other("FSRCNN", "feature_extraction.0.weight", "shrink.0.weight", "deconv.weight"),
    _other("ESPCN", "first_part.0.weight", "first_part.2.weight", "last_part.0.weight"),
    _other("ESPCN", "feature_maps.0.weight", "sub_pixel.0.weight"),
    _other("BasicVSR", "spynet.basic_module.0.basic_module.0.weight", "backward_trunk.main.0.weight"),
    _other("EDVR", "conv_first.weight", "pcd_align.offset_conv1.l1.weight"),
    _spandrel("MM-RealSR", "conv_first.weight", "body.0.rdb1.conv1.weight", "am_list.0.fc.0.weight"),
    _spandrel("Swift-SRGAN", "initial.cnn.depthwise.weight", "final_conv.pointwise.weight"),
    _spandrel("Real-CUGAN", "unet1.conv1.conv.0.weight", "unet2.conv_bottom.weight"),
    # Networks with attention.
    _spandrel("HAT", f"{_BLOCKS}.conv_block.cab.0.weight", "layers.0.residual_group.overlap_attn.qkv.weight"),
    _spandrel("ATD", "layers.0.residual_group.layers.0.attn_atd.scale"),
    _spandrel("DRCT", "layers.0.swin1.attn.qkv.weight", "layers.0.adjust1.weight"),
    _spandrel("CRAFT", "layers.0.residual_group.hf_blocks.0.attn.temperature"),
    _spandrel("SRFormer", f"{_BLOCKS}.attn.aligned_relative_position_index", reader=_EXTRA),
    _spandrel("Swin2SR", f"{_BLOCKS}.attn.logit_scale", "patch_embed.proj.weight"),
    _spandrel("SwinIR", f"{_BLOCKS}.norm1.weight", f"{_BLOCKS}.attn.relative_position_bias_table"),
    _spandrel("RGT", "before_RG.1.weight", "layers.0.blocks.0.gamma"),
    _spandrel("DAT", "before_RG.1.weight", "layers.0.blocks.0.attn.qkv.weight"),
    _spandrel("GRL", "norm_start.weight", "layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale"),
    _spandrel("DITN", "sft.weight", "UFONE.0.ITLs.0.attn.temperature"),
    _spandrel("Omni-SR", "residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "input.weight"),
    _spandrel("DCTLSA", "fea_conv.weight", "B1.body.0.transformer_body.0.blocks.0.attn.qkv.weight"),
    _spandrel("IPT", "head.0.0.weight", "body.encoder.layers.0.self_attn.in_proj_weight"),
    _spandrel("FDAT", "groups.0.blocks.0.attn.bias", "groups.0.blocks.0.inter.cg.1.weight"),
    _spandrel("AuraSR", "mid_attn.layers.0.0.to_out.weight", "mid_block2.block1.proj.weights"),
    # Small and recent networks.
    _spandrel("SPAN", "conv_1.sk.weight", "block_1.c1_r.eval_conv.weight"),
    _spandrel("RealPLKSR", "feats.0.weight", "feats.1.channel_mixer.0.weight"),
    _spandrel("PLKSR", "feats.0.weight", "feats.1.channe_mixer.0.weight"),
    _spandrel("SAFMN", "to_feat.weight", "feats.0.safm.mfr.0.weight"),
    _spandrel("SAFMN", "to_feat.1.weight", "feats.0.layers.0.safm.mfr.0.weight"),
    _spandrel("MoSR", "gblocks.0.weight", "gblocks.1.fc1.weight"),
    _spandrel("MoESR", "in_to_dim.weight", "blocks.0.blocks.0.fc1.weight"),
    _spandrel("SeemoRe", "conv_1.weight", "body.0.local_block.block.proj.weight"),
    # Networks for denoising, deblurring and faces.
    _other("FFDNet", "model.0.weight", "model.2.weight", "model.4.weight", channels=(5, 13, 15)),
    _spandrel("DnCNN", *(f"model.{n}.weight" for n in range(0, 16, 2))),
    _spandrel("DnCNN", "model.0.weight", "model.2.weight", "model.3.running_mean", "model.5.weight"),
    _other("DnCNN", "dncnn.0.weight", "dncnn.2.weight"),
    _other("IRCNN", *(f"model.{n}.weight" for n in range(0, 14, 2))),
    _spandrel("SCUNet", "m_head.0.weight", "m_tail.0.weight"),
    _spandrel("FBCNN", "m_head.weight", "qf_pred.0.res.0.weight"),
    _spandrel("DRUNet", "m_head.weight", "m_down1.0.res.0.weight", "m_body.0.res.0.weight"),
    _spandrel("KBNet", "intro.weight", "middle_blks.0.w"),
    _spandrel("NAFNet", "intro.weight", "middle_blks.0.sca.1.weight"),
    _spandrel("KBNet", "patch_embed.proj.weight", "latent.0.ffn.qkv.weight", "refinement.0.attn.dwconv.0.weight"),
    _spandrel("FFTformer", "patch_embed.proj.weight", "refinement.0.ffn.fft"),
    _spandrel("Restormer", "latent.0.attn.temperature", "refinement.0.attn.qkv.weight", reader=_EXTRA),
    _spandrel("Uformer", "input_proj.proj.0.weight", "encoderlayer_0.blocks.0.norm1.weight"),
    _spandrel("GFPGAN", "toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"),
    _spandrel("RestoreFormer", "quantize.embedding.weight", "encoder.conv_in.weight", "decoder.conv_out.weight"),
    _spandrel("RetinexFormer", "body.0.estimator.conv1.weight", "body.0.denoiser.embedding.weight"),
    _spandrel("HVI-CIDNet", "HVE_block0.1.weight", "trans.density_k"),
    _spandrel("MixDehazeNet", "layer1.blocks.0.conv3_19.weight", "patch_embed.proj.weight"),
    _spandrel("LaMa", "model.1.bn_l.running_mean"),
    # What is no generator.
    _other("the discriminator of Real-ESRGAN", "conv0.weight", "conv1.weight_orig", kind="discriminator"),
    _other("the discriminator of ESRGAN", "conv0_0.weight", "bn0_1.weight", "linear1.weight", kind="discriminator"),
    _other("a discriminator of SRGAN", "features.0.weight", "features.3.running_mean", kind="discriminator"),
    _other("a discriminator of SRGAN", "net.0.weight", "net.3.running_mean", "net.23.weight", kind="discriminator"),
    _other(
        "a discriminator of napari-sr",
        "first.weight",
        "down.0.parametrizations.weight.original",
        "last.weight",
        kind="discriminator",
    ),
    _other("VGG", "features.0.weight", "features.2.weight", "features.28.weight", kind="features"),
    _other("Stable Diffusion", "model.diffusion_model.input_blocks.0.0.weight", kind="other"),
    _other("Stable Diffusion", "diffusion_model.input_blocks.0.0.weight", kind="other"),
    _other("Segment Anything", "image_encoder.patch_embed.proj.weight", kind="other"),
    _other("Cellpose", "downsample.down.res_down_0.conv.conv_0.0.weight", kind="other"),
)


def refuse_other_networks(tensors: Mapping[str, Tensor], known: str) -> None:
    """Raise `CheckpointError` if the weights are those of a network of `OTHER_NETWORKS`; the message names it.

    `known` are the names of the networks whose weights can be used; the values of the tensors are not used.
    """
    other = next((other for other in OTHER_NETWORKS if other.matches(tensors)), None)
    if other is None:
        return
    if other.reader is not None:
        raise CheckpointError(
            f"This is {other.name}, which {other.reader} reads and napari-sr does not run: use weights of {known}."
        )
    if other.kind == "restoration":
        raise CheckpointError(f"This is {other.name}, which napari-sr does not run: use weights of {known}.")
    reasons = {
        "discriminator": "which only takes part in training: choose the file of the generator",
        "features": "a network for perceptual losses that upscales nothing: choose a super-resolution model",
        "other": f"which is no super-resolution network: use weights of {known}",
    }
    raise CheckpointError(f"This is {other.name}, {reasons[other.kind]}.")
