"""Contents of the standalone program, and what is left out with the reasons; used by the spec."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

Entry = tuple[str, str, str]  # place in the program, file, kind

# Packages of which plugins from outside may use any part, besides inspector.api and the standard library.
PROMISED = ("cv2", "numpy", "openpyxl", "packaging", "PIL", "platformdirs", "pluggy", "tqdm", "yaml")

# Packages that an import or a hook would pull in, and why they are excluded.
PACKAGES_LEFT_OUT = {
    "polars": "ultralytics reads its results.csv with it; yolo11/training/curves.py reads it",
    "_polars_runtime_32": "part of polars",
    "onnxruntime": "only the tests use it",
    "huggingface_hub": "timm downloads with it; nothing is downloaded here",
    "hf_xet": "part of huggingface_hub",
    "httpx": "part of huggingface_hub",
    "networkx": "torch draws graphs of compiled programs with it, and scikit-image works on them; neither is done here",
    "ultralytics_platform": "ultralytics' online service",
    "tensorboard": "not used",
    "torch.utils.tensorboard": "not used",
    "IPython": "not used",
    "pandas": "not used",
    "pygments": "not used",
    "pytest": "for tests",
    "_pytest": "for tests",
    "py": "part of pytest",
    "mypy": "for development",
    "pip": "nothing is installed by pip here",
    "setuptools": "nothing is built here",
    "pkg_resources": "part of setuptools",
    "numpy.distutils": "for building extensions",
}

# Of imagecodecs, which loads each of its modules when it is first used, those that inspector/imaging and tifffile want.
CODECS = (
    "_ccitt", "_deflate", "_imcd", "_jpeg2k", "_jpeg8", "_jpegls", "_jpegsof3", "_jpegxl", "_jpegxr", "_lerc", "_ljpeg",
    "_lzma", "_pixarlog", "_png", "_shared", "_shared_cython", "_webp", "_zlib", "_zstd", "imagecodecs",
)  # fmt: skip


def codecs() -> list[str]:
    """The modules of imagecodecs that are included."""
    return ["imagecodecs", *(f"imagecodecs.{name}" for name in CODECS)]


def codecs_left_out() -> list[str]:
    """The excluded modules, with the libraries that only they need: codecs of no image format that is read."""
    spec = importlib.util.find_spec("imagecodecs")
    assert spec is not None and spec.origin is not None
    found = {
        file.name.partition(".")[0] for file in Path(spec.origin).parent.iterdir() if file.suffix in (".so", ".pyd")
    }
    return [f"imagecodecs.{name}" for name in sorted(found - set(CODECS))]


# Patterns of places in the program -> why these files stay out; fnmatch, so that * goes into folders too.
FILES_LEFT_OUT = {
    "openvino/libs/*gpu_plugin*": "the OpenVINO runner computes on the CPU",
    "openvino/libs/*npu*": "the OpenVINO runner computes on the CPU",
    "openvino/libs/cache.json": "kernels of the GPU plugin",
    "openvino/libs/*tensorflow*": "models come as OpenVINO's own files or as ONNX",
    "openvino/libs/*jax*": "models come as OpenVINO's own files or as ONNX",
    "openvino/libs/*paddle*": "models come as OpenVINO's own files or as ONNX",
    "openvino/libs/*gguf*": "models come as OpenVINO's own files or as ONNX",
    "openvino/libs/*pytorch*": "models come as OpenVINO's own files or as ONNX",
    "openvino/libs/*_c.*": "the interface for C",
    "openvino/libs/*.lib": "for linking",
    "torch/bin/*": "torch's own tests and its protocol compiler",
    "torch/include/*": "for compiling extensions",
    "torch/share/*": "for compiling extensions",
    "torch/test/*": "torch's own tests",
    "torch/lib/*.a": "for linking",
    "torch/lib/*.lib": "for linking",
    "torch/_inductor/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/_dynamo/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/_export/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/_functorch/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/ao/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/distributed/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/fx/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/onnx/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/testing/*.py": "sources; the compiled modules are inside, and they are not read",
    "torch/_vendor/*.py": "sources; the compiled modules are inside, and they are not read",
    "matplotlib/mpl-data/sample_data/*": "examples",
    "*/tests/*": "tests of libraries",
    "_tcl_data/tzdata/*": "Tcl's own time zones",
}
# For a build without CUDA: torchvision's wheels may hold parts that need it and that torch then cannot load.
CUDA_FILES = {
    "torchvision.libs/libnvjpeg*": "needs CUDA",
    "torchvision.libs/libcudart*": "needs CUDA",
    "libcudart*": "needs CUDA",
    "libnvjpeg*": "needs CUDA",
}
# Included all the same: torch reads the sources of its settings (torch/utils/_config_module.py), and wants to know
# where its helper for shared memory is.
KEPT = ("*/config.py", "*/_config.py", "*/config_*.py", "torch/bin/torch_shm_manager*")

# Of the standard library: what means nothing in a program, or belongs to an installed Python.
_NOT_FOR_PROGRAMS = {
    "__main__", "antigravity", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "this", "turtledemo", "venv",
}  # fmt: skip


def check_torch(cuda: bool) -> None:
    """Refuse a build whose torch is not of the kind that was asked for."""
    import torch

    version, wrong = metadata.version("torch"), cuda == (torch.version.cuda is None)
    if wrong and cuda:
        raise SystemExit(f"BEARING_INSPECTOR_CUDA is set, but torch {version} is a build for the processor")
    if wrong:
        raise SystemExit(f"torch {version} is a CUDA build; install one for the processor, or BEARING_INSPECTOR_CUDA=1")


def distributions() -> list[str]:
    """The program's distribution and its installed requirements, by name."""
    wanted, found = ["bearing-inspector", "opencv-python-headless"], set()
    left = {name.replace("_", "-") for name in PACKAGES_LEFT_OUT} | {"polars-runtime-32"}
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in found or name in left:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        for requirement in map(Requirement, requires):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return sorted(found)


def standard_library() -> Iterator[str]:
    """Every module of the standard library on this system."""
    for name in sorted(sys.stdlib_module_names - _NOT_FOR_PROGRAMS):
        if importlib.util.find_spec(name) is not None:
            yield name
            yield from submodules(name)


def submodules(package: str) -> list[str]:
    """All modules below ``package`` but its tests."""
    from PyInstaller.utils.hooks import collect_submodules, is_package

    def wanted(module: str) -> bool:
        return not {"test", "tests", "testing", "conftest"} & set(module.split(".")[1:])

    return collect_submodules(package, filter=wanted) if is_package(package) else [package]


def openvino_files() -> list[tuple[str, str]]:
    """The libraries that it loads itself."""
    spec = importlib.util.find_spec("openvino")
    assert spec is not None and spec.origin is not None
    return [(str(file), "openvino/libs") for file in sorted((Path(spec.origin).parent / "libs").iterdir())]


def compiler_runtime() -> list[tuple[str, str]]:
    """On Windows the C++ runtime, which a shop PC need not have; torch and OpenVINO want all of it."""
    if sys.platform != "win32":
        return []
    folder = Path(os.environ["SYSTEMROOT"]) / "System32"
    names = ("concrt140", "msvcp140", "msvcp140_1", "msvcp140_2", "vcomp140", "vcruntime140", "vcruntime140_1")
    return [(str(folder / f"{name}.dll"), ".") for name in names if (folder / f"{name}.dll").exists()]


class Sieve:
    """Leaves files out, and counts them.

    Attributes:
        left: by pattern the number of files and their bytes.
    """

    def __init__(self, cuda: bool) -> None:
        self._patterns = FILES_LEFT_OUT | ({} if cuda else CUDA_FILES)
        self._cuda = cuda
        self.left: dict[str, tuple[int, int]] = {}

    def kept(self, entries: list[Entry]) -> list[Entry]:
        """``entries`` without what is left out."""
        needs_cuda = not self._cuda and any(fnmatch(entry[0], "*libcudart*") for entry in entries)
        return [entry for entry in entries if not self._leave(entry, needs_cuda)]

    def _leave(self, entry: Entry, needs_cuda: bool) -> bool:
        place = Path(entry[0]).as_posix()
        if any(fnmatch(place, pattern) for pattern in KEPT):
            return False
        patterns = dict(self._patterns)
        if needs_cuda:
            patterns |= {"torchvision/_C.*": "needs CUDA", "torchvision/image.*": "needs CUDA"}
        pattern = next((pattern for pattern in patterns if fnmatch(place, pattern)), None)
        if pattern is None:
            return False
        number, size = self.left.get(pattern, (0, 0))
        self.left[pattern] = number + 1, size + (0 if entry[2] == "SYMLINK" else Path(entry[1]).stat().st_size)
        return True

    def write(self, file: Path) -> None:
        """The list of what was left out, for build.py."""
        reasons = FILES_LEFT_OUT | CUDA_FILES
        rows = [[pattern, *self.left[pattern], reasons.get(pattern, "needs CUDA")] for pattern in sorted(self.left)]
        file.write_text(json.dumps(rows), "utf-8")
