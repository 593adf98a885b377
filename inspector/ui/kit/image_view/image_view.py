"""Image view: original, result or both, with zoom, pan, masks and selectable defects.

Images are composed on a worker, latest request first, and pasted into one Tk image on the Tk thread.
"""

from __future__ import annotations

import logging
import tkinter as tk
from collections.abc import Callable, Collection
from dataclasses import replace
from tkinter import font as tkfont
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from PIL import Image as Pillow
from PIL import ImageTk

from inspector.domain import Detection, Frame, Inspection
from inspector.ui.kit import theme
from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.image_view import compositor
from inspector.ui.kit.image_view.compositor import VIEWS, ImagePyramid, RenderOptions, View
from inspector.ui.kit.image_view.overlay_label import OverlayLabel
from inspector.ui.kit.image_view.viewport import STEP, Viewport
from inspector.ui.kit.strings import tr
from inspector.ui.kit.text_fitting import FontFitter

if TYPE_CHECKING:
    from inspector.domain import Image
    from inspector.ui.kit.image_view.viewport import Point, Size
    from inspector.ui.kit.tasks import BackgroundTasks

logger = logging.getLogger(__name__)
QUICK = 6_000_000  # pixels up to which every frame is prepared fully; larger images are first shown roughly
MASKS_CHANGED = "<<MasksChanged>>"  # sent when the keyboard turned the masks on or off


class ImageView(ttk.Frame):
    """Shows a frame, or an inspection with its detections.

    Args:
        on_select: called with the index of the clicked defect; None outside all of them.
        tasks: runs the composing; without it, the Tk thread.

    Attributes:
        look: current render options; changed by the ``set_`` methods.
        selected: index of the marked defect.
    """

    def __init__(
        self,
        parent: tk.Misc,
        *,
        on_select: Callable[[int | None], object] | None = None,
        tasks: BackgroundTasks | None = None,
    ) -> None:
        super().__init__(parent)
        self._on_select, self._tasks = on_select, tasks
        self.render_options = RenderOptions()
        self._shown: Frame | Inspection | None = None
        self._pyramid: ImagePyramid | None = None
        self._viewport: Viewport | None = None
        self._title = ""
        self._window: Size = theme.px(480), theme.px(320)
        self._dirty = self._busy = self._refining = False
        self._drawing = IdleCall(self, self._draw_now)
        self._pointer: Point | None = None
        self._pressed: Point | None = None
        self._dragged = False
        self._photo: ImageTk.PhotoImage | None = None
        self._ring = theme.px(2)
        self.canvas = tk.Canvas(
            self,
            width=self._window[0],
            height=self._window[1],
            borderwidth=0,
            highlightthickness=self._ring,
            takefocus=True,
        )
        self.canvas.pack(fill="both", expand=True)
        self._image = self.canvas.create_image(self._ring, self._ring, anchor="nw")
        self._fitter = FontFitter(self)
        title = tkfont.nametofont(theme.font("title"), self)
        self._family, self._largest = str(title["family"]), abs(int(str(title["size"])))
        self._text = self.canvas.create_text(0, 0, fill="#C9CED6", justify="center")
        self._file, self._hints, self._about = (OverlayLabel(self.canvas) for _ in range(3))
        self._sides = OverlayLabel(self.canvas), OverlayLabel(self.canvas)
        self._bind_events()
        theme.on_theme_change(self, self._paint)
        self.clear()

    # Content

    @property
    def selected(self) -> int | None:
        return self.render_options.selected

    @property
    def zoom(self) -> float:
        """Window pixels per image pixel; 1.0 while nothing is shown."""
        return self._viewport.zoom if self._viewport else 1.0

    @property
    def detections(self) -> tuple[Detection, ...]:
        return self._pyramid.detections if self._pyramid else ()

    def show(self, shown: Inspection | Frame, *, position: str = "", keep_view: bool = True) -> None:
        """Show an image; fit it to the window if its size differs or without ``keep_view``.

        Args:
            position: shown after the name, e.g. ``621 / 1000``.
        """
        frame, found = (shown, ()) if isinstance(shown, Frame) else (shown.frame, shown.detections)
        if shown is not self._shown:
            self.render_options = replace(self.render_options, selected=None, hovered=None)
            self._pyramid = compositor.prepare_fast(frame.image, found)
        self._shown = shown
        size = frame.width, frame.height
        if self._viewport is None or not keep_view or self._viewport.image_size != size:
            self._viewport = Viewport.fit(size, self._pane())
        self._title = f"{frame.name}   {position}".rstrip()
        self._point()
        self._changed()

    def clear(self, text: str = "") -> None:
        """Show a text instead of an image."""
        self._shown = self._pyramid = self._viewport = None
        self.render_options = replace(self.render_options, selected=None, hovered=None)
        self.canvas.itemconfigure(self._text, text=text or tr("No image yet"))
        self._changed()

    def snapshot(self) -> Pillow.Image:
        """Return the visible part with masks, boxes and labels, RGB, at screen size."""
        if self._pyramid is None or self._viewport is None:
            return Pillow.new("RGB", self._window, self.render_options.background)
        return Pillow.fromarray(_draw(self._pyramid, self._viewport, self.render_options, self._window)[1])

    # Render options

    def set_view(self, mode: View) -> None:
        if mode not in VIEWS:
            raise ValueError(f"a view is one of {', '.join(VIEWS)}, not {mode!r}")
        self._set_options(view=mode)
        if self._viewport:
            self._viewport = self._viewport.resized(self._pane())

    def set_masks(self, on: bool) -> None:
        self._set_options(masks=on)

    def set_outline(self, on: bool) -> None:
        self._set_options(outline=on)

    def set_boxes(self, on: bool) -> None:
        self._set_options(boxes=on)

    def set_labels(self, on: bool) -> None:
        self._set_options(labels=on)

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity of the mask tint, clamped to 0 to 1."""
        self._set_options(opacity=min(max(0.0, opacity), 1.0))

    def set_hidden(self, labels: Collection[str]) -> None:
        """Draw no defects of these classes."""
        self._set_options(hidden=frozenset(labels))
        self._point()

    def select(self, index: int | None, centre: bool = True) -> None:
        """Select a defect, and centre it.

        Raises:
            IndexError: the image has no such defect.
        """
        if index is not None:
            detection = self.detections[index]
            if centre and self._viewport:
                self._viewport = self._viewport.centred(detection.box)
        self._set_options(selected=index)

    def zoom_in(self) -> None:
        self._zoom(STEP)

    def zoom_out(self) -> None:
        self._zoom(1 / STEP)

    def fit(self) -> None:
        if self._viewport:
            self._move(Viewport.fit(self._viewport.image_size, self._viewport.window))

    def actual(self) -> None:
        """Zoom to 100 %: one screen pixel per image pixel."""
        if self._viewport:
            self._move(self._viewport.actual())

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by screen pixels, to the right and down."""
        if self._viewport:
            self._move(self._viewport.panned(dx, dy))

    def _zoom(self, factor: float, at: Point | None = None) -> None:
        if self._viewport:
            self._move(self._viewport.zoomed(factor, at))

    def _move(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self._point()
        self._changed()

    def _set_options(self, **changes: Any) -> None:
        self.render_options = replace(self.render_options, **changes)
        self._changed()

    # Drawing

    def _pane(self) -> Size:
        return compositor.panes(self.render_options.view, self._window, self.render_options.gap)[0][1]

    def _paint(self) -> None:
        colour = theme.tokens().canvas
        primary = theme.tokens().primary
        self.canvas.configure(background=colour, highlightbackground=colour, highlightcolor=primary)
        red, green, blue = (value // 257 for value in self.winfo_rgb(colour))
        line, text, gap = theme.px(2), theme.px(12), theme.px(6)
        self._set_options(background=(red, green, blue), line=max(1, line), text=max(8, text), gap=gap)

    def _changed(self) -> None:
        """Draw soon; what changes until then is drawn with it."""
        self._dirty = True
        self._drawing.request()

    def _draw_now(self) -> None:
        if not self._dirty or self._busy or not self.canvas.winfo_viewable():
            return
        self._dirty = False
        self._place_texts()
        if self._pyramid is None or self._viewport is None:
            self.canvas.itemconfigure(self._image, state="hidden")
            return
        self._busy = True
        self._run(_draw, self._pyramid, self._viewport, self.render_options, self._window, done=self._drawn)

    def _run(self, function: Callable[..., Any], *args: Any, done: Callable[[Any], None]) -> None:
        if self._tasks is None:
            done(function(*args))
        else:
            self._tasks.run(function, *args, done=done, failed=self._not_drawn)

    def _drawn(self, result: tuple[ImagePyramid, Image]) -> None:
        if not self.winfo_exists():
            return
        self._busy = False
        pyramid, pixels = result
        if self._pyramid is not None:
            self._paste(pixels)
            self._adopt(pyramid)
            if not self._pyramid.fine and not self._refining:
                self._refining = True
                self._run(compositor.prepare, self._pyramid.image, self._pyramid.detections, done=self._refined)
        if self._dirty:
            self._draw_now()

    def _adopt(self, pyramid: ImagePyramid) -> None:
        """Use a prepared pyramid, if its image is still shown."""
        now = self._pyramid
        same = now is not None and pyramid.image is now.image and pyramid.detections == now.detections
        if same and pyramid.fine:
            self._pyramid = pyramid

    def _refined(self, pyramid: ImagePyramid) -> None:
        self._refining = False
        if self.winfo_exists():
            self._adopt(pyramid)
            self._changed()

    def _not_drawn(self, error: BaseException) -> None:
        """Keep the last image; the next request is tried again."""
        logger.warning("The image cannot be drawn: %s", error)
        self._busy = self._refining = False

    def _paste(self, pixels: Image) -> None:
        pyramid = Pillow.fromarray(pixels)
        if self._photo is None or (self._photo.width(), self._photo.height()) != pyramid.size:
            self._photo = ImageTk.PhotoImage(pyramid, master=self.canvas)
            self.canvas.itemconfigure(self._image, image=self._photo)
        else:
            self._photo.paste(pyramid)
        self.canvas.itemconfigure(self._image, state="normal")

    def _place_texts(self) -> None:
        margin, (width, height) = theme.px(8) + self._ring, self._window
        widest = width - 2 * theme.px(8)
        self.canvas.coords(self._text, width / 2 + self._ring, height / 2 + self._ring)
        empty = self._viewport is None
        self.canvas.itemconfigure(self._text, state="normal" if empty else "hidden", width=max(1, widest))
        if empty:
            words = str(self.canvas.itemcget(self._text, "text"))  # type: ignore[no-untyped-call]
            room = max(20, widest), max(20, height - 2 * theme.px(8))
            pixels = self._fitter.size(words, *room, self._largest, family=self._family, bold=True)
            self.canvas.itemconfigure(self._text, font=self._fitter.font(self._family, pixels, bold=True))
        self._file.show("" if empty else self._title, margin, margin, "nw", widest)
        percent = f"{_percent(self.zoom)} %"
        hints = tr("Wheel zooms · drag moves · F fits · 1 full size · M masks")
        text = f"{percent}  ·  {hints}"
        if self._pointer is None or self._hints.width(text) > widest:
            text = percent  # others would hide a part of the image
        self._hints.show("" if empty else text, margin, height + 2 * self._ring - margin, "sw", widest)
        both = self.render_options.view == "side_by_side" and not empty
        sides = compositor.panes("side_by_side", self._window, self.render_options.gap)
        for label, name, (left, size) in zip(self._sides, (tr("Original"), tr("Result")), sides, strict=True):
            bottom = height + 2 * self._ring - margin - self._hints.height - theme.px(4)
            label.show(name if both else "", left + margin, bottom, "sw", size[0] - 2 * theme.px(8))
        self._describe()

    # The pointer and the keyboard

    def _bind_events(self) -> None:
        bind = self.canvas.bind
        bind("<Configure>", self._resized)
        for event in ("<Map>", "<Visibility>", "<Expose>"):
            bind(event, lambda event: self._changed() if self._dirty else None)
        bind("<Button-1>", self._press)
        bind("<B1-Motion>", self._drag)
        bind("<ButtonRelease-1>", self._release)
        bind("<Motion>", self._moved)
        bind("<Leave>", self._moved)
        bind("<MouseWheel>", lambda event: self._wheel(event, self._steps(event.delta)))
        bind("<Button-4>", lambda event: self._wheel(event, 1))
        bind("<Button-5>", lambda event: self._wheel(event, -1))
        far = theme.px(60)
        keys: dict[str, Callable[[], None]] = {
            "plus KP_Add equal": self.zoom_in,
            "minus KP_Subtract": self.zoom_out,
            "f F": self.fit,
            "1 KP_1": self.actual,
            "m M": self._toggle_masks,
            "Shift-Left": lambda: self.pan(far, 0),
            "Shift-Right": lambda: self.pan(-far, 0),
            "Shift-Up": lambda: self.pan(0, far),
            "Shift-Down": lambda: self.pan(0, -far),
        }
        for names, action in keys.items():
            for name in names.split():
                bind(f"<Key-{name}>" if "-" not in name else f"<{name}>", self._key(action))

    def _key(self, action: Callable[[], None]) -> Callable[[Any], str | None]:
        others = {"x11": 0x4 | 0x8, "win32": 0x4 | 0x20000, "aqua": 0x4 | 0x8 | 0x10}[
            self.tk.call("tk", "windowingsystem")
        ]

        def press(event: Any) -> str | None:
            if event.state & others:  # with Ctrl or Alt it belongs to the window
                return None
            action()
            return "break"

        return press

    def _toggle_masks(self) -> None:
        self.set_masks(not self.render_options.masks)
        self.event_generate(MASKS_CHANGED)

    def _resized(self, event: Any) -> None:
        self._window = max(1, event.width - 2 * self._ring), max(1, event.height - 2 * self._ring)
        if self._viewport:
            self._viewport = self._viewport.resized(self._pane())
        self._changed()

    def _steps(self, delta: int) -> float:
        return delta if self.tk.call("tk", "windowingsystem") == "aqua" else delta / 120

    def _wheel(self, event: Any, steps: float) -> str:
        self._pointer = event.x, event.y
        self._zoom(STEP**steps, self._in_pane(self._pointer))
        return "break"

    def _press(self, event: Any) -> None:
        self.canvas.focus_set()
        self._pressed, self._dragged = (event.x, event.y), False

    def _drag(self, event: Any) -> None:
        if self._pressed is None:
            return
        dx, dy = event.x - self._pressed[0], event.y - self._pressed[1]
        if not self._dragged and max(abs(dx), abs(dy)) < theme.px(4):
            return
        self._pressed, self._pointer, self._dragged = (event.x, event.y), None, True
        self.pan(dx, dy)

    def _release(self, event: Any) -> None:
        clicked = self._pressed is not None and not self._dragged
        self._pressed, self._pointer = None, (event.x, event.y)
        if clicked and self._pyramid is not None and self.render_options.view != "original":
            self._point()
            self.select(self.render_options.hovered, centre=False)
            if self._on_select is not None:
                self._on_select(self.render_options.hovered)
        else:
            self._point()

    def _moved(self, event: Any) -> None:
        outside, before = event.type == tk.EventType.Leave, self._pointer
        self._pointer = None if outside else (event.x, event.y)
        self._point()
        if outside is not (before is None):
            self._place_texts()

    def _in_pane(self, point: Point) -> Point:
        """Convert a point of the canvas to its pane."""
        x, y = point[0] - self._ring, point[1] - self._ring
        left = [
            left
            for left, _ in compositor.panes(self.render_options.view, self._window, self.render_options.gap)
            if left <= max(x, 0)
        ][-1]
        return x - left, y

    def _point(self) -> None:
        """Update which defect is below the pointer."""
        found = None
        if self._pointer is not None and self._viewport and self.render_options.view != "original":
            place = self._viewport.to_image(self._in_pane(self._pointer))
            found = compositor.hit_test(self.detections, place, self._viewport.zoom, self.render_options.hidden)
        dragging = self._dragged and self._pressed is not None
        self.canvas.configure(cursor="fleur" if dragging else "" if found is None else "hand2")
        if found != self.render_options.hovered:
            self._set_options(hovered=found)
        self._describe()

    def _describe(self) -> None:
        """Show label, score and area of the defect below the pointer."""
        if self.render_options.hovered is None or self._pointer is None:
            self._about.hide()
            return
        detection = self.detections[self.render_options.hovered]
        if detection.area is not None:
            size = tr("area {area} px²", area=f"{detection.area:,}")
        else:
            left, top, right, bottom = (round(value) for value in detection.box)
            size = tr("box {width} × {height} px", width=right - left, height=bottom - top)
        text = f"{detection.label}  {detection.score:.2f}\n{size}"
        (x, y), away = self._pointer, theme.px(14)
        anchor = ("s" if y > self._window[1] / 2 else "n") + ("e" if x > self._window[0] / 2 else "w")
        x, y = x + (away if "w" in anchor else -away), y + (away if "n" in anchor else -away)
        self._about.show(text, x, y, anchor, self._window[0])


def _draw(
    pyramid: ImagePyramid, viewport: Viewport, options: RenderOptions, window: Size
) -> tuple[ImagePyramid, Image]:
    """Prepare the pyramid if that is quick, and compose the window."""
    if not pyramid.fine and pyramid.size[0] * pyramid.size[1] <= QUICK:
        pyramid = compositor.prepare(pyramid.image, pyramid.detections)
    return pyramid, compositor.compose(pyramid, viewport, options, window)


def _percent(zoom: float) -> str:
    return f"{zoom * 100:.0f}" if zoom >= 0.1 else f"{zoom * 100:.1f}"
