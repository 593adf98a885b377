"""Proportions and materials of a bearing, drawn at random within what is built in practice."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Element: TypeAlias = Literal["ball", "roller_end", "roller_side"]
Cage: TypeAlias = Literal["none", "ribbon", "window"]
Closure: TypeAlias = Literal["open", "rubber", "shield"]
Colour: TypeAlias = tuple[float, float, float]

CAGE_COLOURS: dict[str, Colour] = {
    "steel": (0.56, 0.56, 0.54),
    "brass": (0.28, 0.56, 0.70),
    "beige": (0.58, 0.72, 0.78),
    "black": (0.10, 0.10, 0.10),
    "green": (0.28, 0.42, 0.20),
    "brown": (0.16, 0.26, 0.42),
}
RUBBER_COLOURS: tuple[Colour, ...] = (
    (0.08, 0.08, 0.08), (0.08, 0.08, 0.08), (0.10, 0.16, 0.42), (0.40, 0.22, 0.10), (0.10, 0.28, 0.40)
)  # fmt: skip


@dataclass(frozen=True)
class Bearing:
    """All lengths in units of the outer radius.

    bore < inner (rim of the inner ring) < outer (rim of the outer ring's hole) < 1; `element` of half size
    `element_radius` on the circle `pitch`, `elements` of them; `grain_seed` fixes every texture.
    """

    bore: float
    inner: float
    outer: float
    width: float
    chamfer: float
    element: Element
    elements: int
    element_radius: float
    cage: Cage
    cage_colour: Colour
    cage_is_metal: bool
    closure: Closure
    rubber: Colour
    finishes: tuple[bool, bool]
    steel: Colour
    outer_text: str
    inner_text: str
    grain_seed: int

    @property
    def pitch(self) -> float:
        """Radius of the circle through the centres of the balls or rollers."""
        return (self.inner + self.outer) / 2


def draw_bearing(rng: np.random.Generator, closure: Closure | None = None) -> Bearing:
    """Draw a bearing; `finishes`: whether the face of the (outer, inner) ring is turned (else ground straight)."""
    bore = float(rng.uniform(0.3, 0.56))
    section = 1 - bore
    outer = 1 - section * float(rng.uniform(0.27, 0.38))
    inner = bore + section * float(rng.uniform(0.25, 0.35))
    gap = outer - inner
    element: Element = ("ball", "roller_end", "roller_side")[int(rng.choice(3, p=[0.68, 0.14, 0.18]))]
    kind: Closure = closure or ("open", "rubber", "shield")[int(rng.choice(3, p=[0.76, 0.12, 0.12]))]
    cage: Cage = "window"
    if element == "ball":
        cage = ("none", "ribbon", "window")[int(rng.choice(3, p=[0.12, 0.55, 0.33]))]
    radius = gap * float(rng.uniform(0.5, 0.62) if element == "ball" else rng.uniform(0.42, 0.47))
    across = radius * (0.42 if element == "roller_side" else 1.0)
    if cage == "window" and element == "ball":
        radius = across = gap * 0.44
    spacing = 1.06 if cage == "none" else float(rng.uniform(1.15, 1.5))
    around = (inner + outer) / 2
    elements = max(6, int(np.pi / np.arcsin(min(0.99, across * spacing / around))))
    stuff = "steel" if cage == "ribbon" and rng.random() < 0.8 else str(rng.choice(list(CAGE_COLOURS)))
    warm = float(rng.normal(0, 0.03))
    return Bearing(
        bore=bore, inner=inner, outer=outer, width=float(rng.uniform(0.28, 0.55)),
        chamfer=float(rng.uniform(0.012, 0.03)), element=element, elements=elements, element_radius=radius,
        cage=cage, cage_colour=CAGE_COLOURS[stuff], cage_is_metal=stuff in ("steel", "brass"), closure=kind,
        rubber=RUBBER_COLOURS[int(rng.integers(len(RUBBER_COLOURS)))],
        finishes=(bool(rng.random() < 0.65), bool(rng.random() < 0.65)),
        steel=(1.0 - warm, 1.0, 1.0 + warm), outer_text=_marking(rng), inner_text=_marking(rng),
        grain_seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _marking(rng: np.random.Generator) -> str:
    """Draw an engraved designation, e.g. `6205 2RS  P6 1432`, or nothing."""
    if rng.random() < 0.4:
        return ""
    series = int(rng.choice([60, 62, 63, 68, 69, 72, 73, 302]))
    words = [f"{series}{int(rng.integers(1, 20)):02d}"]
    words.append(str(rng.choice(["", "2RS", "ZZ", "C3", "P6", "NR", "E"])))
    words.append(f"{chr(65 + int(rng.integers(26)))}{int(rng.integers(100, 9999))}")
    return "  ".join(word for word in words if word)
