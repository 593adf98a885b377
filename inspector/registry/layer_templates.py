"""Templates of layer plugins, one for each kind of layer: a folder of two files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from inspector.api import LayerKind

_HOOKS = '''\
"""NAME: DESCRIPTION."""

from __future__ import annotations

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "NAME",
    "version": "0.1",
    "api": 1,
    "kinds": ["layer"],
    "requires": ["torch"],
    "description": "DESCRIPTION",
    "description_zh": "DESC_ZH",
    "licence": "AGPL-3.0-or-later",
}


@hookimpl
def inspector_layers():
    return [
        LayerSpec(
            id="NAME",
            title=Text("TITLE", "TITLE_ZH"),
            kind="KIND",
            load=load,
            paper="PAPER",
            about=Text("DESCRIPTION.", "DESC_ZH。"),EXTRA
        )
    ]


def load():
    """The classes, the main one first. torch is imported only now; the classes are in a file of their own, so that a
    checkpoint can name them."""
    from .layers import CLASS

    return (CLASS,)
'''
_CLASSES = '''\
"""DESCRIPTION: PAPER."""

import torch
from torch import nn
IMPORTS

class CLASSBODY
'''
_PRESET = '\n            presets={"NAME": "+WORD=NAME"},  # yolo11n-seg-NAME'


@dataclass(frozen=True)
class _Template:
    title: str
    title_zh: str
    description: str
    description_zh: str
    paper: str
    name: str
    body: str
    extra: str = ""
    imports: str = ""
    word: str = ""


_SQUEEZE = '''(nn.Module):
    """Convolution 3x3, then each channel is weighted by what the whole image shows: (N, c1, H, W) -> (N, c2, H, W).

    Args:
        stride: pixels of the image per pixel of the map.
    """

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        hidden = max(c2 // 4, 1)
        self.convolve = nn.Sequential(nn.Conv2d(c1, c2, 3, padding=1, bias=False), nn.BatchNorm2d(c2), nn.SiLU())
        self.weigh = nn.Sequential(nn.Linear(c2, hidden), nn.ReLU(), nn.Linear(hidden, c2), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolve(x)
        return y * self.weigh(y.mean((2, 3)))[:, :, None, None]'''
_SE = (
    "Squeeze and excitation", "压缩与激励", "Squeeze and excitation after a convolution", "卷积后的压缩与激励",
    "Hu et al., 2018, arXiv:1709.01507", "SqueezeExcitation", _SQUEEZE,
)  # fmt: skip
_TEMPLATES: dict[str, _Template] = {
    "block": _Template(*_SE, extra=_PRESET, word="block"),
    "convolution": _Template(*_SE),
    "attention": _Template(
        "Channel gate", "通道门控", "Weights each channel by its mean", "按通道均值加权",
        "Hu et al., 2018, arXiv:1709.01507", "ChannelGate",
        '''(nn.Module):
    """Weights each channel by what the whole image shows: (N, c1, H, W) -> (N, c2, H, W), c1 == c2."""

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        hidden = max(c1 // 4, 1)
        self.weigh = nn.Sequential(nn.Linear(c1, hidden), nn.ReLU(), nn.Linear(hidden, c2), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weigh(x.mean((2, 3)))[:, :, None, None]''',
    ),
    "pooling": _Template(
        "Parallel pooling", "并行池化", "Maxima of three neighbourhoods side by side", "三种邻域的最大值并列",
        "He et al., 2014, arXiv:1406.4729", "ParallelPooling",
        '''(nn.Module):
    """Maxima of the 5, 9 and 13 pixels around each, next to the map: (N, c1, H, W) -> (N, c2, H, W)."""

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        self.reduce, self.join = nn.Conv2d(c1, c1 // 2, 1), nn.Conv2d(c1 // 2 * 4, c2, 1)
        self.pools = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.reduce(x)
        return self.join(torch.cat([y, *(pool(y) for pool in self.pools)], 1))''',
    ),
    "downsample": _Template(
        "Pooled downsampling", "池化下采样", "Mean of four pixels, then a convolution", "四像素均值后接卷积",
        "none", "PooledDown",
        '''(nn.Module):
    """Mean of 2x2 pixels, then a convolution: (N, c1, H, W) -> (N, c2, ceil(H/2), ceil(W/2))."""

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.convolve = nn.Sequential(nn.Conv2d(c1, c2, 3, padding=1, bias=False), nn.BatchNorm2d(c2), nn.SiLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolve(self.pool(x))''',
    ),
    "upsample": _Template(
        "Transposed convolution", "转置卷积", "Learned upsampling by a transposed convolution", "用转置卷积学习上采样",
        "none", "TransposedUp",
        '''(nn.Module):
    """A transposed convolution 2x2: (N, c1, H, W) -> (N, c2, 2H, 2W), c1 == c2."""

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(c1, c2, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.enlarge(x)''',
    ),
    "neck": _Template(
        "Gated fusion", "门控融合", "The shallow map gates the deep one", "浅层特征对深层特征进行门控",
        "none", "GatedFusion",
        '''(nn.Module):
    """[deep (N, c1, h, w), shallow (N, c2, H, W)] -> (N, c1 + c2, H, W); stride of the shallow map."""

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(c2, c1, 1)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        deep, shallow = maps
        larger = nn.functional.interpolate(deep, shallow.shape[2:])
        return torch.cat((larger * self.gate(shallow).sigmoid(), shallow), 1)''',
    ),
    "pyramid": _Template(
        "Top-down pyramid", "自顶向下金字塔", "Adds each map to the next larger one", "逐级与更大的特征图相加",
        "Lin et al., 2017, arXiv:1612.03144", "TopDown",
        '''(nn.Module):
    """Maps of stride 8, 16 and 32 -> maps of the same sizes, of ``outputs`` channels; stride of the largest map."""

    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...], stride: int) -> None:
        super().__init__()
        width = outputs[0]
        self.lateral = nn.ModuleList(nn.Conv2d(c1, width, 1) for c1 in inputs)
        self.smooth = nn.ModuleList(nn.Conv2d(width, c2, 3, padding=1) for c2 in outputs)

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        found = [lateral(one) for lateral, one in zip(self.lateral, maps)]
        for level in (1, 0):
            found[level] = found[level] + nn.functional.interpolate(found[level + 1], found[level].shape[2:])
        return [smooth(one) for smooth, one in zip(self.smooth, found)]''',
    ),
    "backbone": _Template(
        "Plain convolutions", "普通卷积", "Strided convolutions as a backbone", "步长卷积主干网络",
        "none", "PlainBackbone",
        '''(nn.Module):
    """Strided convolutions: (N, 3, H, W) -> maps of stride 8, 16 and 32."""

    channels = (64, 128, 256)  # of the three maps

    def __init__(self) -> None:
        super().__init__()
        steps = ((3, 64, 8), (64, 128, 2), (128, 256, 2))
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c1, c2, 2 * s - 1, s, s - 1), nn.BatchNorm2d(c2), nn.SiLU()) for c1, c2, s in steps
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = [x]
        for step in self.steps:
            maps.append(step(maps[-1]))
        return maps[1:]''',
    ),
    "head": _Template(
        "Light head", "轻量检测头", "A segmentation head with fewer convolutions", "卷积更少的分割头",
        "none", "LightHead",
        '''(Segment):
    """ultralytics' head with one convolution in each branch of the masks instead of two."""

    def __init__(self, classes: int, masks: int, prototypes: int, channels: list[int]) -> None:
        super().__init__(classes, masks, prototypes, 16, False, channels)
        hidden = max(channels[0] // 4, masks)
        self.cv4 = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c1, hidden, 3, padding=1), nn.SiLU(), nn.Conv2d(hidden, masks, 1))
            for c1 in channels
        )''',
        imports="from ultralytics.nn.modules import Segment\n",
    ),
    "loss": _Template(
        "IoU loss", "IoU 损失", "One minus the IoU of predicted and target box", "一减预测框与目标框的交并比",
        "Yu et al., 2016, arXiv:1608.01471", "IoULoss",
        '''(nn.Module):
    """1 - IoU: boxes (n, 4) as x1, y1, x2, y2 in pixels of the image of size (H, W) -> n losses."""

    def forward(self, predicted: torch.Tensor, target: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        first = torch.maximum(predicted[:, :2], target[:, :2])
        last = torch.minimum(predicted[:, 2:], target[:, 2:])
        common = (last - first).clamp(min=0).prod(1)
        areas = [(box[:, 2:] - box[:, :2]).prod(1) for box in (predicted, target)]
        return 1 - common / (areas[0] + areas[1] - common + 1e-7)''',
        extra='\n            part="box",',
    ),
    "assigner": _Template(
        "Centre assignment", "中心分配", "Each object gets the anchors at its centre", "每个目标取离中心最近的锚点",
        "none", "CentreAssigner",
        '''(nn.Module):
    """Assigns to each object the nine anchors nearest to its centre; an anchor belongs to the nearest object."""

    def __init__(self, classes: int) -> None:
        super().__init__()

    def forward(self, scores, boxes, points, strides, labels, targets, exist):
        """Returns the object, whether it is positive, and the target score of each anchor: (N, anchors) each."""
        centres = (targets[..., :2] + targets[..., 2:]) / 2
        distances = torch.cdist(centres, points[None].expand(len(scores), -1, -1))
        distances = distances.masked_fill(~exist.bool(), torch.inf)
        nearest = distances.topk(min(9, len(points)), largest=False).indices
        chosen = torch.zeros_like(distances, dtype=torch.bool).scatter_(2, nearest, True) & exist.bool()
        found = distances.masked_fill(~chosen, torch.inf).min(1)
        positive = found.values.isfinite()
        return found.indices, positive, positive.float()''',
    ),
}  # fmt: skip
LAYER_KINDS: tuple[str, ...] = get_args(LayerKind)
assert set(_TEMPLATES) == set(LAYER_KINDS)


def layer_files(kind: str) -> dict[str, str]:
    """The files of a plugin for a layer of that kind, with NAME for its name."""
    template = _TEMPLATES[kind]
    texts = {
        "DESCRIPTION": template.description,
        "DESC_ZH": template.description_zh,
        "TITLE_ZH": template.title_zh,
        "TITLE": template.title,
        "KIND": kind,
        "PAPER": template.paper,
        "EXTRA": template.extra,
        "IMPORTS": template.imports,
        "CLASSBODY": f"{template.name}{template.body}",
        "CLASS": template.name,
        "WORD": template.word,
    }
    made = {"__init__.py": _HOOKS, "layers.py": _CLASSES}
    for key, text in texts.items():
        made = {file: content.replace(key, text) for file, content in made.items()}
    return made
