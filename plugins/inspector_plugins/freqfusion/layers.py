"""FreqFusion and its parts, as published.

Chen et al., "Frequency-aware Feature Fusion for Dense Image Prediction", arXiv 2408.12879. A shallow map of high
resolution and a deep map of low resolution become two maps of high resolution: the deep one is smoothed while it is
upsampled, by low-pass filters of its own for every pixel (the ALPF generator), and optionally resampled towards similar
neighbours (the offset generator); the details of the shallow one are strengthened by high-pass filters (the AHPF
generator). The equations are in the docstrings of the classes.
"""

from __future__ import annotations

from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from inspector_plugins.freqfusion import foreign_arguments
from inspector_plugins.freqfusion.reassembly import PADDINGS, carafe, hamming2D, kernels, start, widened
from inspector_plugins.freqfusion.similarity import compute_similarity

__all__ = [
    "FreqFusion",
    "FreqFusionSum",
    "LocalSimGuidedSampler",
    "carafe",
    "compute_similarity",
    "hamming2D",
]


class LocalSimGuidedSampler(nn.Module):
    """Resamples a map with offsets that point from unlike to like neighbours (arXiv 2408.12879, the offset generator).

    The sampling is DySample's in the style "lp" (Liu et al. 2023, arXiv 2308.15085): a pixel is read from
    (o_lr + o_hr) * sigmoid(d_lr + d_hr) from its own position, in pixels of the low resolution, where the offsets o and
    their scales d are predicted from the normalised maps and their similarities.

    Args:
        in_channels: C of the two guiding maps.
        scale: of their sizes; only 2 exists.
        style: only ``lp`` exists.
        groups: that many groups of channels of the sampled map have their own offsets.
        use_direct_scale: predict d; otherwise 0.25 replaces the sigmoid.
        kernel_size: of the predicting convolutions, odd.
        local_window: side of the neighbourhood in which similarity is taken, odd.
        sim_type: without effect, as officially: similarity is the cosine.
        norm: normalise the guiding maps, in ``in_channels // 8`` groups.
        direction_feat: offsets come from ``sim``, the similarities alone, or ``sim_concat``, with the map itself.
    """

    init_pos: Tensor

    def __init__(
        self,
        in_channels: int,
        scale: int = 2,
        style: str = "lp",
        groups: int = 4,
        use_direct_scale: bool = True,
        kernel_size: int = 1,
        local_window: int = 3,
        sim_type: str = "cos",
        norm: bool = True,
        direction_feat: str = "sim_concat",
    ) -> None:
        super().__init__()
        if scale != 2 or style != "lp":
            raise ValueError(f"LocalSimGuidedSampler has scale 2 and style lp only, not {scale} and {style!r}")
        if direction_feat not in ("sim", "sim_concat"):
            raise ValueError(f"expected direction_feat sim or sim_concat, not {direction_feat!r}")
        _check_odd(kernel_size=kernel_size)
        _check_odd(local_window=local_window, least=3)
        if groups < 1 or in_channels < groups or in_channels % groups:
            raise ValueError(f"expected in_channels to be a multiple of groups, not {in_channels} and {groups}")
        if norm and (in_channels < 8 or in_channels % (in_channels // 8)):
            raise ValueError(
                f"norm makes {in_channels} // 8 groups of equal size, which {in_channels} in_channels are not"
            )
        self.scale, self.style, self.groups = scale, style, groups
        self.local_window, self.sim_type, self.direction_feat = local_window, sim_type, direction_feat
        neighbours = local_window**2 - 1
        whole = in_channels + neighbours
        offset_in, scale_in = (neighbours, in_channels) if direction_feat == "sim" else (whole, whole)
        padding = kernel_size // 2
        self.offset = nn.Conv2d(offset_in, 2 * groups * scale**2, kernel_size, padding=padding)
        start(self.offset, 0.001)
        if use_direct_scale:
            self.direct_scale = nn.Conv2d(scale_in, 2 * groups * scale**2, kernel_size, padding=padding)
            start(self.direct_scale, 0.0)
        self.hr_offset = nn.Conv2d(offset_in, 2 * groups, kernel_size, padding=padding)
        start(self.hr_offset, 0.001)
        if use_direct_scale:
            self.hr_direct_scale = nn.Conv2d(scale_in, 2 * groups, kernel_size, padding=padding)
            start(self.hr_direct_scale, 0.0)
        self.norm_hr: nn.Module = nn.GroupNorm(in_channels // 8, in_channels) if norm else nn.Identity()
        self.norm_lr: nn.Module = nn.GroupNorm(in_channels // 8, in_channels) if norm else nn.Identity()
        quarters = torch.tensor([-0.25, 0.25])  # positions of the four small pixels in a large one; exact in 16 bit too
        across, down = quarters.repeat(2), quarters.repeat_interleave(2)
        self.register_buffer("init_pos", torch.cat([across.repeat(groups), down.repeat(groups)]).view(1, -1, 1, 1))

    def forward(self, hr_x: Tensor, lr_x: Tensor, feat2sample: Tensor) -> Tensor:
        """Sample.

        Args:
            hr_x: (N, C, 2h, 2w), guides.
            lr_x: (N, C, h, w), guides.
            feat2sample: (N, D, H, W), D a multiple of ``groups``; usually H = 2h and W = 2w.

        Returns:
            (N, D, 2h, 2w).
        """
        return self.sample(feat2sample, self.get_offset(hr_x, lr_x))

    def get_offset(self, hr_x: Tensor, lr_x: Tensor) -> Tensor:
        """Offsets for reading, (N, 2 * groups * 4, h, w), pixels of ``lr_x`` from the centre of each of its pixels.

        The first half of the channels is along x, the second along y; in each, 4 small pixels a group.
        """
        _check_double("LocalSimGuidedSampler", hr_x, lr_x)
        hr_offset_map, hr_scale_map = self._directions(self.norm_hr(hr_x))
        lr_offset_map, lr_scale_map = self._directions(self.norm_lr(lr_x))
        offset = self.offset(lr_offset_map) + F.pixel_unshuffle(self.hr_offset(hr_offset_map), self.scale)
        if not hasattr(self, "direct_scale"):
            return offset * 0.25 + self.init_pos  # type: ignore[no-any-return]
        scale = self.direct_scale(lr_scale_map) + F.pixel_unshuffle(self.hr_direct_scale(hr_scale_map), self.scale)
        return offset * scale.sigmoid() + self.init_pos  # type: ignore[no-any-return]

    def sample(self, x: Tensor, offset: Tensor) -> Tensor:
        """Read ``x`` (N, D, H, W) at ``offset``, bilinearly and clamped at the border."""
        if x.shape[1] % self.groups:
            raise ValueError(f"expected channels in {self.groups} groups, not {x.shape[1]} channels")
        h, w = offset.shape[2:]
        along_x, along_y = widened(offset).chunk(2, 1)
        columns = torch.arange(w, device=offset.device, dtype=along_x.dtype) + 0.5
        rows = torch.arange(h, device=offset.device, dtype=along_y.dtype)[:, None] + 0.5
        places = ((along_x + columns) * (2 / w) - 1, (along_y + rows) * (2 / h) - 1)
        grid = torch.stack([F.pixel_shuffle(place, self.scale) for place in places], -1).flatten(0, 1)
        groups = widened(x).reshape(x.shape[0] * self.groups, -1, *x.shape[2:])
        read = F.grid_sample(groups, grid.to(groups.dtype), padding_mode="border", align_corners=False)
        return read.reshape(x.shape[0], -1, *read.shape[2:]).to(x.dtype)

    def flops(self, hr_x: Tensor, lr_x: Tensor, feat2sample: Tensor) -> int:
        """Of the similarities and of bilinear reading."""
        pixels = (hr_x.numel() + lr_x.numel()) * (self.local_window**2 - 1)
        return 2 * pixels + 2 * 4 * feat2sample.shape[0] * feat2sample.shape[1] * hr_x.shape[2] * hr_x.shape[3]

    def _directions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs for predicting the offsets, and for predicting their scales."""
        similarity = compute_similarity(x, self.local_window, dilation=2)
        if self.direction_feat == "sim":
            return similarity, x
        both = torch.cat([x, similarity], 1)
        return both, both

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> LocalSimGuidedSampler:
        """Build the sampler from one of other code.

        Raises:
            ValueError: naming the keys that are missing or do not fit.
        """
        return foreign_arguments.build(cls, foreign, foreign_arguments.sampler_arguments)


class FreqFusion(nn.Module):
    """Fuses a map of high resolution with one of half its size (arXiv 2408.12879).

    With h, l the maps compressed by 1x1 convolutions, E and E2 the encoders, N the normalisation of their output to
    kernels (softmax, then a Hamming window, then sum 1) and CARAFE(x, kernels) the reassembly::

        e2 = E2(h);  h <- 2h - CARAFE(h, N(e2));  e = E(h)                    the initial fusion
        M_low = e + CARAFE(E(l), N(e));  M_high = e2 + CARAFE(E2(l), N(M_low))
        lr' = CARAFE(lr, N(M_low));  hr' = hr + (hr - CARAFE(hr, N(M_high)))

    Args:
        hr_channels, lr_channels: of the two maps.
        scale_factor: only 1 exists.
        lowpass_kernel, highpass_kernel: sides of the kernels, odd.
        up_group: that many groups of channels have kernels of their own; it divides all numbers of channels.
        encoder_kernel, encoder_dilation: of the encoders.
        compressed_channels: of h and l.
        align_corners: of ``upsample_mode``.
        upsample_mode: ``nearest``, ``bilinear`` or ``bicubic``; how the low map is enlarged without ``semi_conv``.
        feature_resample: resample lr' by a LocalSimGuidedSampler.
        feature_resample_group, feature_resample_norm: its ``groups`` and ``norm``.
        comp_feat_upsample: the initial fusion; otherwise M = E(h) + nearest(E(l)).
        use_high_pass: without, hr' is hr, and the initial fusion leaves h as it is.
        use_low_pass: without effect, as officially.
        hr_residual: without, hr' is only what the high-pass filter passes.
        semi_conv: encode h and l apart; otherwise M = E(h + nearest(l)), and the maps may be of any size.
        hamming_window: N applies one. It is recomputed from its formula; the buffers exist for their keys.
        padding: see :func:`carafe`; ``reflect`` as the official code in plain torch, ``zeros`` as with mmcv. Weights
            trained with one lose accuracy with the other.
    """

    def __init__(
        self,
        hr_channels: int,
        lr_channels: int,
        scale_factor: int = 1,
        lowpass_kernel: int = 5,
        highpass_kernel: int = 3,
        up_group: int = 1,
        encoder_kernel: int = 3,
        encoder_dilation: int = 1,
        compressed_channels: int = 64,
        align_corners: bool = False,
        upsample_mode: str = "nearest",
        feature_resample: bool = False,
        feature_resample_group: int = 4,
        comp_feat_upsample: bool = True,
        use_high_pass: bool = True,
        use_low_pass: bool = True,
        hr_residual: bool = True,
        semi_conv: bool = True,
        hamming_window: bool = True,
        feature_resample_norm: bool = True,
        padding: str = "reflect",
    ) -> None:
        super().__init__()
        if scale_factor != 1:
            raise ValueError(f"FreqFusion has scale_factor 1 only (the maps differ by 2 in size), not {scale_factor}")
        channels = (hr_channels, lr_channels, compressed_channels)
        if up_group < 1 or min(channels) < 1 or any(count % up_group for count in channels):
            raise ValueError(f"expected hr, lr and compressed channels in up_group {up_group} groups, not {channels}")
        _check_odd(lowpass_kernel=lowpass_kernel, highpass_kernel=highpass_kernel, encoder_kernel=encoder_kernel)
        if encoder_dilation < 1:
            raise ValueError(f"expected an encoder_dilation of at least 1, not {encoder_dilation}")
        if upsample_mode not in ("nearest", "bilinear", "bicubic"):
            raise ValueError(f"expected upsample_mode nearest, bilinear or bicubic, not {upsample_mode!r}")
        if padding not in PADDINGS:
            raise ValueError(f"expected padding {' or '.join(PADDINGS)}, not {padding!r}")
        if feature_resample and (feature_resample_group < 1 or lr_channels % feature_resample_group):
            raise ValueError(f"expected lr_channels in {feature_resample_group} groups, not {lr_channels} channels")
        self.hr_channels, self.lr_channels, self.compressed_channels = channels
        self.scale_factor, self.up_group = scale_factor, up_group
        self.lowpass_kernel, self.highpass_kernel = lowpass_kernel, highpass_kernel
        self.align_corners, self.upsample_mode = align_corners, upsample_mode
        self.feature_resample, self.comp_feat_upsample = feature_resample, comp_feat_upsample
        self.use_high_pass, self.use_low_pass = use_high_pass, use_low_pass
        self.hr_residual, self.semi_conv, self.hamming_window = hr_residual, semi_conv, hamming_window
        self.padding = padding

        self.hr_channel_compressor = nn.Conv2d(hr_channels, compressed_channels, 1)
        self.lr_channel_compressor = nn.Conv2d(lr_channels, compressed_channels, 1)
        same = encoder_dilation * (encoder_kernel // 2)
        self.content_encoder = nn.Conv2d(
            compressed_channels, lowpass_kernel**2 * up_group, encoder_kernel, padding=same, dilation=encoder_dilation
        )
        if feature_resample:
            self.dysampler = LocalSimGuidedSampler(
                compressed_channels,
                groups=feature_resample_group,
                kernel_size=encoder_kernel,
                norm=feature_resample_norm,
            )
        if use_high_pass:
            self.content_encoder2 = nn.Conv2d(
                compressed_channels,
                highpass_kernel**2 * up_group,
                encoder_kernel,
                padding=same,
                dilation=encoder_dilation,
            )
        for name, side in (("hamming_lowpass", lowpass_kernel), ("hamming_highpass", highpass_kernel)):
            window = torch.from_numpy(hamming2D(side, side)).float()[None, None] if hamming_window else torch.ones(1)
            self.register_buffer(name, window)
        for module in self.modules():  # those of the sampler too, as officially
            if isinstance(module, nn.Conv2d):
                start(module)
        start(self.content_encoder, 0.001)
        if use_high_pass:
            start(self.content_encoder2, 0.001)

    def forward(self, hr_feat: Tensor, lr_feat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fuse.

        Args:
            hr_feat: (N, hr_channels, 2h, 2w).
            lr_feat: (N, lr_channels, h, w).

        Returns:
            the low-pass kernels (N, up_group * lowpass_kernel**2, 2h, 2w); hr' (N, hr_channels, 2h, 2w);
            lr' (N, lr_channels, 2h, 2w).

        Raises:
            ValueError: for maps of other sizes.
        """
        self._check(hr_feat, lr_feat)
        sharpened, compressed, low, high = self._encode(hr_feat, lr_feat)
        mask_lr = self._kernels(low, self.lowpass_kernel).to(lr_feat.dtype)
        if self.semi_conv:
            lr_feat = self._reassembled(lr_feat, mask_lr, up=2)
        else:
            aligned = None if self.upsample_mode == "nearest" else self.align_corners
            enlarged = F.interpolate(lr_feat, hr_feat.shape[2:], mode=self.upsample_mode, align_corners=aligned)
            lr_feat = self._reassembled(enlarged, mask_lr)
        if high is not None:
            details = self._high_part(hr_feat, high)
            hr_feat = hr_feat + details if self.hr_residual else details
        if self.feature_resample:
            lr_feat = self.dysampler(sharpened, compressed, lr_feat)
        return mask_lr, hr_feat, lr_feat

    def flops(self, hr_feat: Tensor, lr_feat: Tensor) -> int:
        """Of the reassemblies: a multiplication and an addition for each tap of each output value."""
        low, high = self.lowpass_kernel**2, self.highpass_kernel**2
        products = low * self.lr_channels
        if self.use_high_pass:
            products += high * self.hr_channels
        if self.semi_conv and self.comp_feat_upsample:
            products += low * low * self.up_group
            if self.use_high_pass:
                products += high * self.compressed_channels + low * high * self.up_group
        return 2 * products * hr_feat.shape[0] * hr_feat.shape[2] * hr_feat.shape[3]

    def _encode(self, hr_feat: Tensor, lr_feat: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """h (after the initial fusion), l, and what the low-pass and the high-pass kernels are made of."""
        h, l = self.hr_channel_compressor(hr_feat), self.lr_channel_compressor(lr_feat)  # noqa: E741
        high = None
        if not self.semi_conv:
            both = h + F.interpolate(l, h.shape[2:], mode="nearest")
            return h, l, self.content_encoder(both), self.content_encoder2(both) if self.use_high_pass else None
        if not self.comp_feat_upsample:
            low = self.content_encoder(h) + F.interpolate(self.content_encoder(l), h.shape[2:], mode="nearest")
            if self.use_high_pass:
                high = self.content_encoder2(h) + F.interpolate(self.content_encoder2(l), h.shape[2:], mode="nearest")
            return h, l, low, high
        if self.use_high_pass:
            high = self.content_encoder2(h)
            h = h + self._high_part(h, high)
        low = self.content_encoder(h)
        low = low + self._reassembled(self.content_encoder(l), self._kernels(low, self.lowpass_kernel), up=2)
        if high is not None:
            high = high + self._reassembled(self.content_encoder2(l), self._kernels(low, self.lowpass_kernel), up=2)
        return h, l, low, high

    def _kernels(self, logits: Tensor, kernel_size: int) -> Tensor:
        return kernels(logits, kernel_size, self.up_group, self.hamming_window)

    def _reassembled(self, x: Tensor, low_kernels: Tensor, up: int = 1) -> Tensor:
        return carafe(x, low_kernels, self.lowpass_kernel, self.up_group, up, self.padding)

    def _high_part(self, x: Tensor, high: Tensor) -> Tensor:
        """The part of ``x`` that the high-pass filters pass."""
        size = self.highpass_kernel
        return x - carafe(x, self._kernels(high, size), size, self.up_group, padding=self.padding)

    def _check(self, hr_feat: Tensor, lr_feat: Tensor) -> None:
        for name, feat, channels in (("hr_feat", hr_feat, self.hr_channels), ("lr_feat", lr_feat, self.lr_channels)):
            if feat.ndim != 4 or feat.shape[1] != channels:
                raise ValueError(f"FreqFusion expects {name} (N, {channels}, H, W), not {tuple(feat.shape)}")
        if self.semi_conv or self.feature_resample:
            _check_double("FreqFusion", hr_feat, lr_feat)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> FreqFusion:
        """Build the module from one of other code: the official one, or that of the YOLO collections.

        The latter are rows of a network's table (with its ``f``, the list of rows that they read), are called with the
        list [hr, lr], return hr' + lr', and take CARAFE from mmcv; they become a :class:`FreqFusionSum`.

        Raises:
            ValueError: naming the keys or arguments that are missing or do not fit.
        """
        chosen = FreqFusionSum if foreign_arguments.takes_a_list(foreign) else cls
        return foreign_arguments.build(chosen, foreign, foreign_arguments.fusion_arguments)


class FreqFusionSum(FreqFusion):
    """FreqFusion as the YOLO collections use it: one list of maps in, hr' + lr' out."""

    def __init__(self, hr_channels: int, lr_channels: int, **arguments: Any) -> None:
        if hr_channels != lr_channels:
            raise ValueError(f"hr' + lr' needs equal channels, not {hr_channels} and {lr_channels}")
        super().__init__(hr_channels, lr_channels, **arguments)

    def forward(self, maps: list[Tensor]) -> Tensor:  # type: ignore[override]
        """[hr (N, C, 2h, 2w), lr (N, C, h, w)] -> (N, C, 2h, 2w)."""
        _, hr, lr = super().forward(*maps)
        return hr + lr

    def flops(self, maps: list[Tensor]) -> int:  # type: ignore[override]
        """Of the reassemblies."""
        return super().flops(*maps)


def _check_odd(least: int = 1, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < least or size % 2 == 0:
            raise ValueError(f"expected an odd {name} of at least {least}, not {size}")


def _check_double(owner: str, hr: Tensor, lr: Tensor) -> None:
    (n, _, h, w), (high_n, _, high_h, high_w) = lr.shape, hr.shape
    if (high_n, high_h, high_w) != (n, 2 * h, 2 * w):
        raise ValueError(
            f"{owner} needs a high-resolution map of exactly twice the size of the low one, {2 * h}x{2 * w} beside "
            f"{h}x{w} and as many images, not {high_h}x{high_w} ({high_n} and {n} images)"
        )
