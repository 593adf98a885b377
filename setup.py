"""The distribution: the program in ``inspector``, the built-in plugins in ``plugins`` (as ``inspector_plugins``)."""

import re
from pathlib import Path

from setuptools import setup

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+)"', (here / "inspector" / "__init__.py").read_text("utf-8")).group(1)


def packages(folder: str, name: str) -> list[str]:
    inits = sorted((here / folder).rglob("__init__.py"))
    return [".".join([name, *path.parent.relative_to(here / folder).parts]) for path in inits]


def assets() -> list[tuple[str, list[str]]]:
    """The assets beside an installed program, folder by folder (see ``inspector.system.paths.assets``)."""
    found: dict[str, list[str]] = {}
    for path in sorted((here / "assets").rglob("*")):
        if path.is_file():
            relative = path.relative_to(here)
            found.setdefault(f"share/bearing-inspector/{relative.parent.as_posix()}", []).append(str(relative))
    return list(found.items())


BUILT_IN = [
    "annotated",
    "atss",
    "attentions",
    "box_losses",
    "cameras",
    "cgnet",
    "class_losses",
    "datasets",
    "dynamic_convolutions",
    "dysample",
    "freqfusion",
    "heads",
    "hot_folder",
    "image_files",
    "large_kernels",
    "light_blocks",
    "mask_losses",
    "merged_convolutions",
    "originals",
    "pyramids",
    "resampling",
    "rmt",
    "shaped_convolutions",
    "spreadsheet",
    "tables",
    "timm_backbones",
    "unireplknet",
    "video_files",
    "vmamba",
    "window_attention",
    "yolo11",
]

setup(
    name="bearing-inspector",
    version=version,
    description="Finds defects on bearings, offline: YOLO11-seg, images, videos and cameras, Excel reports",
    license="AGPL-3.0-or-later",
    python_requires=">=3.11",
    packages=packages("inspector", "inspector") + packages("plugins/inspector_plugins", "inspector_plugins"),
    package_data={"inspector": ["py.typed"], "inspector_plugins": ["py.typed"]},
    package_dir={"inspector": "inspector", "inspector_plugins": "plugins/inspector_plugins"},
    data_files=assets(),
    install_requires=[
        "av",
        "imagecodecs",
        "keyring",
        "numpy",
        "onnx",
        "opencv-python",
        "openpyxl",
        "openvino",
        "packaging",
        "pillow",
        "pillow-heif",
        "platformdirs",
        "pluggy",
        "psutil",
        "scikit-image",
        "scipy",
        "pycocotools",
        "pyyaml",
        "tifffile",
        "timm",
        "tkinterdnd2",
        "torch",
        "torchvision",
        "tqdm",
        "ttkbootstrap>=2.2.6,<3",
        "ultralytics",
    ],
    extras_require={
        "test": [
            "mypy",
            "onnxruntime",
            "pyinstaller",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "statsmodels",
        ],
        "package": ["pyinstaller"],
    },
    entry_points={
        "console_scripts": ["bearing-inspector = inspector.__main__:run"],
        "bearing_inspector.plugins": [f"{name} = inspector_plugins.{name}" for name in BUILT_IN],
    },
)
