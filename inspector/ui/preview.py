"""The picture on the inspection page: original, result or both, with zoom, pan, masks, and defects to point at.

Pictures are composed on a worker, the latest wish first, and pasted into one Tk image on the Tk thread.
"""

from __future__ import annotations

import logging
import tkinter as tk
from collections.abc import Callable, Collection
from dataclasses import replace
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from PIL import Image as Pillow
from PIL import ImageTk

from inspector.domain import Detection, Frame, Inspection
from inspector.ui import composing, theme
from inspector.ui.chips import Chip
from inspector.ui.composing import VIEWS, Look, Picture, View
from inspector.ui.texts import t
from inspector.ui.viewport import STEP, Viewport

if TYPE_CHECKING:
    from inspector.domain import Image
    from inspector.ui.viewport import Point, Size
    from inspector.ui.work import Tasks

logger = logging.getLogger(__name__)
QUICK = 6_000_000  # pixels that are prepared for every frame; larger pictures are first shown roughly
MASKS_CHANGED = "<<MasksChanged>>"  # sent when the keyboard turned the masks on or off


class Preview(ttk.Frame):
    """Shows a frame, or an inspection with what was found.

    Args:
        on_select: called with the index of the defect that was clicked, None beside all of them.
        tasks: where pictures are composed; without it on the Tk thread.

    Attributes:
        look: how the picture is shown at the moment; changed by the ``set_`` methods.
        selected: index of the marked defect.
    """

    def __init__(
        self,
        parent: tk.Misc,
        *,
        on_select: Callable[[int | None], object] | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        super().__init__(parent)
        self._on_select, self._tasks = on_select, tasks
        self.look = Look()
        self._shown: Frame | Inspection | None = None
        self._picture: Picture | None = None
        self._viewport: Viewport | None = None
        self._title = ""
        self._window: Size = theme.px(480), theme.px(320)
        self._dirty = self._busy = self._refining = False
        self._waiting: str | None = None
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
        self._text = self.canvas.create_text(0, 0, fill="#C9CED6", font=theme.font("title"), justify="center")
        self._file, self._hints, self._about = (Chip(self.canvas) for _ in range(3))
        self._sides = Chip(self.canvas), Chip(self.canvas)
        self._bind_events()
        theme.on_change(self, self._paint)
        self.clear()

    # What is shown

    @property
    def selected(self) -> int | None:
        return self.look.selected

    @property
    def zoom(self) -> float:
        """Window pixels per picture pixel; 1.0 while nothing is shown."""
        return self._viewport.zoom if self._viewport else 1.0

    @property
    def detections(self) -> tuple[Detection, ...]:
        return self._picture.detections if self._picture else ()

    def show(self, shown: Inspection | Frame, *, position: str = "", keep_view: bool = True) -> None:
        """Show a picture; without ``keep_view``, and where its size is another, the whole of it.

        Args:
            position: follows the name, such as ``621 / 1000``.
        """
        frame, found = (shown, ()) if isinstance(shown, Frame) else (shown.frame, shown.detections)
        if shown is not self._shown:
            self.look = replace(self.look, selected=None, hovered=None)
            self._picture = composing.at_once(frame.image, found)
        self._shown = shown
        size = frame.width, frame.height
        if self._viewport is None or not keep_view or self._viewport.picture != size:
            self._viewport = Viewport.fit(size, self._pane())
        self._title = f"{frame.name}   {position}".rstrip()
        self._point()
        self._changed()

    def clear(self, text: str = "") -> None:
        """Show no picture but a text that says what to do."""
        self._shown = self._picture = self._viewport = None
        self.look = replace(self.look, selected=None, hovered=None)
        self.canvas.itemconfigure(self._text, text=text or t("No picture yet"))
        self._changed()

    def snapshot(self) -> Pillow.Image:
        """What is seen of the picture, with masks, boxes and labels, RGB, as large as on the screen."""
        if self._picture is None or self._viewport is None:
            return Pillow.new("RGB", self._window, self.look.background)
        return Pillow.fromarray(_draw(self._picture, self._viewport, self.look, self._window)[1])

    # How it is shown

    def set_view(self, mode: View) -> None:
        if mode not in VIEWS:
            raise ValueError(f"a view is one of {', '.join(VIEWS)}, not {mode!r}")
        self._look(view=mode)
        if self._viewport:
            self._viewport = self._viewport.resized(self._pane())

    def set_masks(self, on: bool) -> None:
        self._look(masks=on)

    def set_outline(self, on: bool) -> None:
        self._look(outline=on)

    def set_boxes(self, on: bool) -> None:
        self._look(boxes=on)

    def set_labels(self, on: bool) -> None:
        self._look(labels=on)

    def set_opacity(self, opacity: float) -> None:
        """Of the masks' tint; what lies outside 0 to 1 is brought there."""
        self._look(opacity=min(max(0.0, opacity), 1.0))

    def set_hidden(self, labels: Collection[str]) -> None:
        """Draw no defects of these classes."""
        self._look(hidden=frozenset(labels))
        self._point()

    def select(self, index: int | None, centre: bool = True) -> None:
        """Mark a defect, and bring it to the middle.

        Raises:
            IndexError: there is no such defect in the picture.
        """
        if index is not None:
            detection = self.detections[index]
            if centre and self._viewport:
                self._viewport = self._viewport.centred(detection.box)
        self._look(selected=index)

    def zoom_in(self) -> None:
        self._zoom(STEP)

    def zoom_out(self) -> None:
        self._zoom(1 / STEP)

    def fit(self) -> None:
        if self._viewport:
            self._move(Viewport.fit(self._viewport.picture, self._viewport.window))

    def actual(self) -> None:
        """100 %: one pixel of the screen for one of the picture."""
        if self._viewport:
            self._move(self._viewport.actual())

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by pixels of the screen, to the right and down."""
        if self._viewport:
            self._move(self._viewport.panned(dx, dy))

    def _zoom(self, factor: float, at: Point | None = None) -> None:
        if self._viewport:
            self._move(self._viewport.zoomed(factor, at))

    def _move(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self._point()
        self._changed()

    def _look(self, **changes: Any) -> None:
        self.look = replace(self.look, **changes)
        self._changed()

    # Drawing

    def _pane(self) -> Size:
        return composing.panes(self.look.view, self._window, self.look.gap)[0][1]

    def _paint(self) -> None:
        colour = theme.tokens().canvas
        primary = theme.tokens().primary
        self.canvas.configure(background=colour, highlightbackground=colour, highlightcolor=primary)
        red, green, blue = (value // 257 for value in self.winfo_rgb(colour))
        line, text, gap = theme.px(2), theme.px(12), theme.px(6)
        self._look(background=(red, green, blue), line=max(1, line), text=max(8, text), gap=gap)

    def _changed(self) -> None:
        """Draw soon; what changes until then is drawn with it."""
        self._dirty = True
        if self._waiting is None:
            self._waiting = self.after_idle(self._draw_now)

    def _draw_now(self) -> None:
        self._waiting = None
        if not self._dirty or self._busy or not self.canvas.winfo_viewable():
            return
        self._dirty = False
        self._place_texts()
        if self._picture is None or self._viewport is None:
            self.canvas.itemconfigure(self._image, state="hidden")
            return
        self._busy = True
        self._run(_draw, self._picture, self._viewport, self.look, self._window, done=self._drawn)

    def _run(self, function: Callable[..., Any], *args: Any, done: Callable[[Any], None]) -> None:
        if self._tasks is None:
            done(function(*args))
        else:
            self._tasks.run(function, *args, done=done, failed=self._not_drawn)

    def _drawn(self, result: tuple[Picture, Image]) -> None:
        if not self.winfo_exists():
            return
        self._busy = False
        picture, pixels = result
        if self._picture is not None:
            self._paste(pixels)
            self._adopt(picture)
            if not self._picture.fine and not self._refining:
                self._refining = True
                self._run(composing.prepare, self._picture.image, self._picture.detections, done=self._refined)
        if self._dirty:
            self._draw_now()

    def _adopt(self, picture: Picture) -> None:
        """Take a picture that was prepared meanwhile, if it is still the one to be shown."""
        now = self._picture
        same = now is not None and picture.image is now.image and picture.detections == now.detections
        if same and picture.fine:
            self._picture = picture

    def _refined(self, picture: Picture) -> None:
        self._refining = False
        if self.winfo_exists():
            self._adopt(picture)
            self._changed()

    def _not_drawn(self, error: BaseException) -> None:
        """The last picture stays; the next wish is tried again."""
        logger.warning("The picture cannot be drawn: %s", error)
        self._busy = self._refining = False

    def _paste(self, pixels: Image) -> None:
        picture = Pillow.fromarray(pixels)
        if self._photo is None or (self._photo.width(), self._photo.height()) != picture.size:
            self._photo = ImageTk.PhotoImage(picture, master=self.canvas)
            self.canvas.itemconfigure(self._image, image=self._photo)
        else:
            self._photo.paste(picture)
        self.canvas.itemconfigure(self._image, state="normal")

    def _place_texts(self) -> None:
        margin, (width, height) = theme.px(8) + self._ring, self._window
        widest = width - 2 * theme.px(8)
        self.canvas.coords(self._text, width / 2 + self._ring, height / 2 + self._ring)
        empty = self._viewport is None
        self.canvas.itemconfigure(self._text, state="normal" if empty else "hidden", width=max(1, widest))
        self._file.show("" if empty else self._title, margin, margin, "nw", widest)
        percent = f"{_percent(self.zoom)} %"
        hints = t("Wheel zooms · drag moves · F fits · 1 full size · M masks")
        text = f"{percent}  ·  {hints}"
        if self._pointer is None or self._hints.width(text) > widest:
            text = percent  # the rest would hide a piece of the picture
        self._hints.show("" if empty else text, margin, height + 2 * self._ring - margin, "sw", widest)
        both = self.look.view == "side_by_side" and not empty
        sides = composing.panes("side_by_side", self._window, self.look.gap)
        for chip, name, (left, size) in zip(self._sides, (t("Original"), t("Result")), sides, strict=True):
            bottom = height + 2 * self._ring - margin - self._hints.height - theme.px(4)
            chip.show(name if both else "", left + margin, bottom, "sw", size[0] - 2 * theme.px(8))
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
        self.set_masks(not self.look.masks)
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
        if clicked and self._picture is not None and self.look.view != "original":
            self._point()
            self.select(self.look.hovered, centre=False)
            if self._on_select is not None:
                self._on_select(self.look.hovered)
        else:
            self._point()

    def _moved(self, event: Any) -> None:
        outside, before = event.type == tk.EventType.Leave, self._pointer
        self._pointer = None if outside else (event.x, event.y)
        self._point()
        if outside is not (before is None):
            self._place_texts()

    def _in_pane(self, point: Point) -> Point:
        """A point of the canvas in the pane where it lies."""
        x, y = point[0] - self._ring, point[1] - self._ring
        left = [left for left, _ in composing.panes(self.look.view, self._window, self.look.gap) if left <= max(x, 0)][
            -1
        ]
        return x - left, y

    def _point(self) -> None:
        """Find out which defect lies below the pointer."""
        found = None
        if self._pointer is not None and self._viewport and self.look.view != "original":
            place = self._viewport.to_picture(self._in_pane(self._pointer))
            found = composing.hit(self.detections, place, self._viewport.zoom, self.look.hidden)
        dragging = self._dragged and self._pressed is not None
        self.canvas.configure(cursor="fleur" if dragging else "" if found is None else "hand2")
        if found != self.look.hovered:
            self._look(hovered=found)
        self._describe()

    def _describe(self) -> None:
        """Label, score and area of the defect below the pointer, beside it."""
        if self.look.hovered is None or self._pointer is None:
            self._about.hide()
            return
        detection = self.detections[self.look.hovered]
        if detection.area is not None:
            size = t("area {area} px²", area=f"{detection.area:,}")
        else:
            left, top, right, bottom = (round(value) for value in detection.box)
            size = t("box {width} × {height} px", width=right - left, height=bottom - top)
        text = f"{detection.label}  {detection.score:.2f}\n{size}"
        (x, y), away = self._pointer, theme.px(14)
        anchor = ("s" if y > self._window[1] / 2 else "n") + ("e" if x > self._window[0] / 2 else "w")
        x, y = x + (away if "w" in anchor else -away), y + (away if "n" in anchor else -away)
        self._about.show(text, x, y, anchor, self._window[0])

    def destroy(self) -> None:
        if self._waiting is not None:
            self.after_cancel(self._waiting)
        super().destroy()


def _draw(picture: Picture, viewport: Viewport, look: Look, window: Size) -> tuple[Picture, Image]:
    """The picture, prepared if that is quick, and what the window shows of it."""
    if not picture.fine and picture.size[0] * picture.size[1] <= QUICK:
        picture = composing.prepare(picture.image, picture.detections)
    return picture, composing.compose(picture, viewport, look, window)


def _percent(zoom: float) -> str:
    return f"{zoom * 100:.0f}" if zoom >= 0.1 else f"{zoom * 100:.1f}"
