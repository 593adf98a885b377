"""Close views of flat surfaces that fill the image: ground, turned, honed and cast metal, ceramic tiles, belts."""

from collections.abc import Callable

import cv2
import numpy as np

from inspector.datasets.synthetic.backdrop import draw_backdrop
from inspector.datasets.synthetic.scene import Floats, Mask, Scene, blend
from inspector.datasets.synthetic.steel import brushed_grain, fractal_noise, smooth_noise

_FAR = np.float32(20_000)  # nominal pixels from the axis of the polar coordinates: locally, they are straight
_MARKS = "0123456789ABCDEFGHKLMNPRSTUVWXYZ-/"


def render_surface(rng: np.random.Generator, size: int) -> Scene:
    """Render a random surface, `size` x `size` pixels, lit from one side; some with edges of the part or a marking."""
    scale = size / 640
    makers: tuple[Callable[[np.random.Generator, int], Floats], ...] = (_ground, _turned, _honed, _cast, _tile, _belt)
    weights = (0.22, 0.16, 0.12, 0.16, 0.22, 0.12)
    tone = makers[int(rng.choice(len(makers), p=weights))](rng, size)
    tone = tone * _uneven_light(rng, size)
    region = np.ones((size, size), np.int32)
    if rng.random() < 0.3:
        tone = _mark(rng, tone, region, scale)
    cast = float(rng.choice([0.0, rng.normal(0, 0.05)]))
    image = np.asarray(tone[..., None] * np.array([1 - cast, 1.0, 1 + cast], np.float32), np.float32)
    if rng.random() < 0.35:
        image = _edge(rng, image, region, scale)
    steps = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) / np.float32(scale)
    x, y = np.meshgrid(steps, steps)
    lean = float(rng.uniform(0, 2 * np.pi))
    along = x * np.float32(np.cos(lean)) + y * np.float32(np.sin(lean))
    across = y * np.float32(np.cos(lean)) - x * np.float32(np.sin(lean))
    angle = float(rng.uniform(0, 2 * np.pi))
    return Scene(
        np.asarray(np.clip(image, 0, 1.4), np.float32),
        region,
        np.asarray(along / _FAR, np.float32),
        np.asarray((_FAR + across) * np.float32(scale), np.float32),
        (float(np.cos(angle)), float(np.sin(angle))),
        scale,
    )


def _level(rng: np.random.Generator, low: float, high: float) -> np.float32:
    return np.float32(rng.uniform(low, high))


def _rotated_grain(rng: np.random.Generator, size: int, angle: float, stretch: float) -> Floats:
    """Machining lines at `angle` (radians), unit deviation, `stretch` times longer than wide."""
    grain = brushed_grain(rng, 1024)
    steps = np.arange(size, dtype=np.float32) - size / 2
    x, y = np.meshgrid(steps, steps)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = np.remainder((x * cos + y * sin) / np.float32(stretch * size / 640) + 256, 511)
    across = (y * cos - x * sin) * np.float32(640 / size) + 512
    return np.asarray(cv2.remap(grain, along, across, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def _ground(rng: np.random.Generator, size: int) -> Floats:
    """Straight grinding lines, fine or coarse, sometimes with chatter marks across them."""
    angle = float(rng.uniform(0, np.pi))
    tone = 1 + _level(rng, 0.05, 0.2) * _rotated_grain(rng, size, angle, float(rng.uniform(1.5, 5)))
    if rng.random() < 0.3:
        steps = np.arange(size, dtype=np.float32)
        x, y = np.meshgrid(steps, steps)
        wave = (x * np.cos(angle) + y * np.sin(angle)) * np.float32(2 * np.pi / (size * rng.uniform(0.03, 0.1)))
        tone = tone * (1 + _level(rng, 0.02, 0.06) * np.sin(wave))
    return np.asarray(_level(rng, 0.25, 0.65) * tone, np.float32)


def _turned(rng: np.random.Generator, size: int) -> Floats:
    """Concentric feed marks around a centre inside or outside of the image."""
    steps = np.arange(size, dtype=np.float32) - size / 2
    x, y = np.meshgrid(steps, steps)
    away, angle = float(rng.uniform(0.0, 2.5)) * size, float(rng.uniform(0, 2 * np.pi))
    dx, dy = x - np.float32(away * np.cos(angle)), y - np.float32(away * np.sin(angle))
    r = np.sqrt(dx * dx + dy * dy)
    profile = np.cumsum(rng.standard_normal(4096)).astype(np.float32)
    profile = profile - cv2.GaussianBlur(profile[None], (0, 0), 12)[0]
    profile /= max(float(profile.std()), 1e-6)
    lines = profile[np.clip(r * np.float32(640 / size), 0, 4095).astype(np.int32)]
    feed = np.sin(r * np.float32(2 * np.pi / (size * rng.uniform(0.006, 0.03))))
    theta = np.arctan2(dy, dx)
    sheen = np.cos(theta * 2 + np.float32(rng.uniform(0, 6))) * _level(rng, 0.0, 0.35)
    tone = 1 + _level(rng, 0.03, 0.1) * lines + _level(rng, 0.0, 0.08) * feed + sheen
    return np.asarray(_level(rng, 0.28, 0.6) * tone, np.float32)


def _honed(rng: np.random.Generator, size: int) -> Floats:
    """Two crossing sets of lines."""
    angle, cross = float(rng.uniform(0, np.pi)), float(rng.uniform(0.5, 1.2))
    first = _rotated_grain(rng, size, angle, float(rng.uniform(3, 8)))
    second = _rotated_grain(rng, size, angle + cross, float(rng.uniform(3, 8)))
    lines = np.minimum(first, second) + 0.3 * np.maximum(first, second)
    return np.asarray(_level(rng, 0.3, 0.6) * (1 + _level(rng, 0.06, 0.14) * lines), np.float32)


def _cast(rng: np.random.Generator, size: int) -> Floats:
    """Rough grain without direction: cast, blasted or phosphated."""
    cell = float(rng.uniform(2, 8)) * size / 640
    grain = fractal_noise(rng, (size, size), cell, 3)
    coarse = fractal_noise(rng, (size, size), cell * 8, 2)
    tone = 1 + _level(rng, 0.06, 0.2) * grain + _level(rng, 0.0, 0.1) * coarse
    return np.asarray(_level(rng, 0.12, 0.6) * np.clip(tone, 0.2, 2.2), np.float32)


def _tile(rng: np.random.Generator, size: int) -> Floats:
    """A smooth body of little contrast, mottled: ceramic, ferrite, painted or plastic parts."""
    mottled = fractal_noise(rng, (size, size), size * float(rng.uniform(0.02, 0.12)), 3)
    fine = smooth_noise(rng, (size, size), 1.5 * size / 640)
    tone = 1 + _level(rng, 0.02, 0.12) * mottled + _level(rng, 0.005, 0.04) * fine
    if rng.random() < 0.4:  # pressing or grinding lines that hardly show
        tone = tone + _level(rng, 0.01, 0.05) * _rotated_grain(rng, size, float(rng.uniform(0, np.pi)), 8)
    return np.asarray(_level(rng, 0.15, 0.8) * tone, np.float32)


def _belt(rng: np.random.Generator, size: int) -> Floats:
    """A woven or ribbed belt, or knurling: a regular pattern that is not a defect."""
    steps = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    angle, pitch = float(rng.uniform(0, np.pi)), float(rng.uniform(5, 26)) * size / 640
    u = (x * np.cos(angle) + y * np.sin(angle)) * np.float32(2 * np.pi / pitch)
    v = (y * np.cos(angle) - x * np.sin(angle)) * np.float32(2 * np.pi / pitch)
    wave = np.sin(u) if rng.random() < 0.4 else np.sin(u) * np.sin(v)
    worn = fractal_noise(rng, (size, size), size / 8, 2)
    tone = 1 + _level(rng, 0.08, 0.3) * wave + 0.06 * worn + 0.03 * smooth_noise(rng, (size, size), 2)
    return np.asarray(_level(rng, 0.12, 0.5) * tone, np.float32)


def _uneven_light(rng: np.random.Generator, size: int) -> Floats:
    """Light that falls off to one side, and a soft reflection of the lamp."""
    steps = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    angle = float(rng.uniform(0, 2 * np.pi))
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    light = 1 + _level(rng, 0.0, 0.3) * along
    for _ in range(int(rng.integers(0, 3))):
        at, width = float(rng.uniform(-1, 1)), float(rng.uniform(0.08, 0.6))
        turn = angle + float(rng.normal(0, 0.4))
        way = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
        light = light + _level(rng, 0.1, 0.7) * np.exp(-(((way - np.float32(at)) / np.float32(width)) ** 2))
    return np.asarray(light, np.float32)


def _edge(rng: np.random.Generator, image: Floats, region: np.ndarray, scale: float) -> Floats:
    """The part's straight edges with a chamfer; the backdrop beyond. `region` becomes 0 there, in place."""
    size = image.shape[0]
    steps = np.arange(size, dtype=np.float32) - size / 2
    x, y = np.meshgrid(steps, steps)
    backdrop = draw_backdrop(rng, size)
    first = float(rng.uniform(0, 2 * np.pi))
    for number in range(int(rng.integers(1, 3))):
        angle = first + number * np.pi / 2
        reach = float(rng.uniform(0.22, 0.48)) * size
        inside = np.float32(reach) - (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))
        bevel = float(rng.uniform(3, 16)) * scale
        gain = np.float32(rng.choice([rng.uniform(0.35, 0.8), rng.uniform(1.25, 1.9)]))
        on_bevel = np.clip(bevel - inside + 0.5, 0, 1)
        image = image * (1 + (gain - 1) * on_bevel)[..., None]
        image = blend(backdrop, image, np.asarray(np.clip(inside + 0.5, 0, 1), np.float32))
        region[inside < bevel + 2 * scale] = 0
    return np.asarray(image, np.float32)


def _mark(rng: np.random.Generator, tone: Floats, region: np.ndarray, scale: float) -> Floats:
    """An engraved, etched or dotted marking, which is not a defect. `region` becomes 0 there, in place."""
    size = tone.shape[0]
    ink = np.zeros((size, size), np.uint8)
    if rng.random() < 0.6:
        text = "".join(rng.choice(list(_MARKS), int(rng.integers(2, 9))))
        letter = float(rng.uniform(0.6, 2.2)) * scale
        at = (int(rng.uniform(0.02, 0.6) * size), int(rng.uniform(0.1, 0.95) * size))
        thick = max(1, round(letter * float(rng.uniform(1, 2.2))))
        cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, letter, 255, thick, cv2.LINE_AA)
    else:
        cells, cell = int(rng.integers(8, 16)), max(2, round(float(rng.uniform(3, 8)) * scale))
        code = (rng.random((cells, cells)) < 0.5).astype(np.uint8) * 255
        code[:, 0] = code[-1] = 255
        code = np.kron(code, np.ones((cell, cell), np.uint8))
        if code.shape[0] < size - 2:
            row, col = (int(value) for value in rng.integers(0, size - code.shape[0], 2))
            ink[row : row + code.shape[0], col : col + code.shape[1]] = code
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(0, 360)), 1.0)
    ink = np.asarray(cv2.warpAffine(ink, turn, (size, size)), np.uint8)
    gain = np.float32(rng.choice([rng.uniform(0.35, 0.75), rng.uniform(1.2, 1.6)]))
    soft = np.asarray(ink, np.float32) / np.float32(255)
    region[_near(ink > 20, scale)] = 0
    return np.asarray(tone * (1 + (gain - 1) * soft), np.float32)


def _near(mask: Mask, scale: float) -> Mask:
    side = max(3, int(7 * scale)) | 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)
