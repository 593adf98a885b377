"""A plugin with one part of each kind, which fails at the place and in the way that are written into it."""

PLUGIN = '''
from inspector.api import *

PLUGIN = {"id": "faulty", "version": "1.0", "api": 1}
SPOT, HOW = "@SPOT@", "@HOW@"

class Panic(BaseException):
    """As libraries written in Rust raise it."""

def at(spot, value):
    if spot != SPOT:
        return value
    if HOW == "Exception":
        raise ValueError("broken on purpose")
    if HOW == "BaseException":
        raise Panic("broken on purpose")
    return {"None": None, "number": 5, "object": object()}[HOW]

class Source:
    def __init__(self):
        self.total = at("total", 2)

    def __iter__(self):
        return at("iter", self._frames())

    def _frames(self):
        import numpy as np

        for index in range(2):
            image = np.full((60, 80, 3), 200, np.uint8)
            image[20:30, 20:30] = 10
            yield at("frame", Frame(image, index, f"{index}.png"))

    def close(self):
        at("source close", None)

class Model:
    batch = 1

    def __init__(self):
        self.info = at("info", ModelInfo("", "", "a", ("Spot",), "faulty_model"))

    def predict(self, images, confidence, iou):
        return at("predict", [[at("detection", Detection("Spot", 0.9, (20, 20, 30, 30)))] for _ in images])

    def close(self):
        at("model close", None)

class Exporter:
    def write(self, inspection):
        at("write", None)

    def close(self):
        return at("exporter close", ())

class Architectures:
    def list(self):
        return at("list", [])

    def cost(self, name, imgsz=640):
        return at("cost", Cost(1, 1.0))

    def combinations(self):
        return at("combinations", ["x"])

    def check(self, name):
        at("check", None)

@hookimpl
def inspector_sources():
    return at("inspector_sources", [SourceSpec("faulty_source", Text("S"), lambda: at("source open", Source()),
        claim=lambda text: at("claim", None), devices=lambda: at("source devices", []))])

@hookimpl
def inspector_models():
    return at("inspector_models", [ModelSpec("faulty_model", Text("M"), lambda *a, **k: at("model open", Model()),
        suffixes=(".faulty",), bundled={"faulty": None}, export_formats=("x",),
        train=lambda *a, **k: at("train", None), validate=lambda *a, **k: at("validate", {}),
        export=lambda *a, **k: at("export", a[2]), architectures=lambda layers: at("architectures", Architectures()),
        devices=lambda: at("model devices", []))])

@hookimpl
def inspector_exporters():
    return at("inspector_exporters", [ExporterSpec("faulty_exporter", Text("E"),
        lambda folder, run: at("exporter open", Exporter()), pixels=lambda: at("pixels", "unused"))])

@hookimpl
def inspector_layers():
    return at("inspector_layers", [LayerSpec("faulty_layer", Text("L"), "block", lambda: at("load", ()), "nobody")])
'''  # fmt: skip


def failing(spot: str, how: str) -> str:
    """The plugin's source. ``how``: Exception, BaseException, or the kind of nonsense that is returned instead."""
    return PLUGIN.replace("@SPOT@", spot).replace("@HOW@", how)
