"""Contents of the packaged program, and what is left out."""

import sys

import pytest

import contents


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    return str(path)


@pytest.mark.parametrize(
    "place",
    [
        "torch/lib/libtorch_cpu.so",
        "torch/bin/torch_shm_manager",
        "torch/_inductor/config.py",
        "torch/_dynamo/config.py",
        "torch/fx/experimental/_config.py",
        "torch/nn/functional.py",
        "openvino/libs/libopenvino.so.2641",
        "openvino/libs/libopenvino_intel_cpu_plugin.so",
        "openvino/libs/libopenvino_onnx_frontend.so.2641",
        "openvino/libs/libopenvino_ir_frontend.so.2641",
        "openvino/libs/libopenvino_auto_batch_plugin.so",
        "torchvision/_C.so",
        "ultralytics/cfg/default.yaml",
        "assets/models/bearing-yolo11n-seg.pt",
    ],
)
def test_what_is_needed_stays(place, file):
    sieve = contents.Sieve(cuda=False)
    assert sieve.kept([(place, file, "DATA")]) == [(place, file, "DATA")] and sieve.left == {}


@pytest.mark.parametrize(
    "place",
    [
        "torch/test/a/b.py",
        "torch/bin/protoc",
        "torch/include/ATen/a.h",
        "torch/_inductor/codegen/cpp.py",
        "openvino/libs/libopenvino_intel_gpu_plugin.so",
        "openvino/libs/openvino_intel_npu_plugin.dll",
        "openvino/libs/cache.json",
        "libcudart.so.13",
        "numpy/tests/data/a.csv",
    ],
)
def test_what_is_never_used_is_left_out_and_counted(place, file, tmp_path):
    sieve = contents.Sieve(cuda=False)
    assert sieve.kept([(place, file, "BINARY"), ("a.py", file, "DATA")]) == [("a.py", file, "DATA")]
    ((pattern, (number, size)),) = sieve.left.items()
    assert (number, size) == (1, 5)
    sieve.write(tmp_path / "left.json")
    assert pattern in (tmp_path / "left.json").read_text("utf-8")


def test_a_link_to_what_is_left_out_goes_too(tmp_path):
    sieve = contents.Sieve(cuda=False)
    assert sieve.kept([("libcudart.so.13", "torchvision.libs/libcudart.so.13", "SYMLINK")]) == []


def test_parts_that_need_cuda_go_unless_it_is_a_cuda_build(file):
    entries = [("torchvision.libs/libcudart.so.13", file, "BINARY"), ("torchvision/_C.so", file, "EXTENSION")]
    assert contents.Sieve(cuda=False).kept(entries) == []
    assert contents.Sieve(cuda=True).kept(entries) == entries


def test_a_torch_of_the_other_kind_is_refused(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    contents.check_torch(cuda=False)
    with pytest.raises(SystemExit, match="build for the processor"):
        contents.check_torch(cuda=True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    contents.check_torch(cuda=True)
    with pytest.raises(SystemExit, match="is a CUDA build"):
        contents.check_torch(cuda=False)


def test_the_distributions_are_those_of_the_program():
    found = contents.distributions()
    assert {"bearing-inspector", "torch", "ultralytics", "openvino", "pluggy", "opencv-python"} <= set(found)
    assert not {"pytest", "mypy", "pip", "polars", "polars-runtime-32", "onnxruntime"} & set(found)


@pytest.mark.slow
def test_the_standard_library_is_wanted_as_a_whole():
    found = set(contents.standard_library())
    wanted = {
        "wave",
        "sqlite3",
        "xml.etree.ElementTree",
        "email.mime.text",
        "unittest.mock",
        "logging.handlers",
        "ctypes.util",
    }
    assert wanted <= found
    assert not [name for name in found if ".test" in name or name.startswith(("test", "idlelib"))]
    assert len(found & sys.stdlib_module_names) > 250


def test_what_plugins_are_promised_is_never_left_out():
    assert not set(contents.PROMISED) & set(contents.PACKAGES_LEFT_OUT)


def test_constraints_name_what_builds_the_program():
    text = (contents.Path(contents.__file__).parents[1] / "constraints.txt").read_text("utf-8")
    assert "pyinstaller==" in text


def test_the_codecs_that_images_need_go_in():
    """The imagecodecs modules that tifffile and inspector.imaging use."""
    import imagecodecs

    wanted = (
        "lzw packbits packints bitorder floatpred ccittrle ccittfax3 ccittfax4 deflate zlib lzma zstd jpeg8 jpeg ljpeg "
        "jpegls jpeg2k jpegxl jpegxr png webp lerc"
    )
    homes = {getattr(imagecodecs, f"{name}_decode").__module__ for name in wanted.split()}
    assert homes <= set(contents.codecs())
    assert not homes & set(contents.codecs_left_out())
    assert {"imagecodecs._blosc2", "imagecodecs._sz3"} <= set(contents.codecs_left_out())
