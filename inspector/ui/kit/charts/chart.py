"""A chart in the window: drawn on a canvas, with its values at the pointer, its numbers, and ways to keep it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from tkinter import font as tkfont

from inspector.system.paths import safe_name
from inspector.ui.kit import open_externally, printing, theme
from inspector.ui.kit.charts.data_window import ChartDataWindow
from inspector.ui.kit.charts.figure import Figure
from inspector.ui.kit.charts.layout import DisplayList, Font, Item, Line, Rect, draw
from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import Tooltip

_TURNED = 90


class _Screen:
    """Measures texts on this screen."""

    def __init__(self, widget: tk.Misc) -> None:
        self.unit = theme.px(1000) / 1000
        fonts: tuple[Font, ...] = ("body", "caption", "head")
        self._fonts = {name: tkfont.Font(widget, name=theme.font(name), exists=True) for name in fonts}
        self._heights = {name: font.metrics("linespace") for name, font in self._fonts.items()}

    def width(self, text: str, font: Font) -> float:
        return self._fonts[font].measure(text)

    def height(self, font: Font) -> float:
        return self._heights[font]


class Chart(ttk.Frame):
    """A card with a chart. Left and right walk through its bars, as the pointer does.

    Attributes:
        figure: what it shows; None at first.
    """

    def __init__(self, parent: tk.Misc, shell: Shell, title: str) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.px(8))
        self._shell = shell
        self.figure: Figure | None = None
        self._display_list = DisplayList((), ())
        self._empty = ""
        self._at: int | None = None
        self._drawing = IdleCall(self, self._redraw)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        ttk.Label(self, text=title, style="Card.TLabel", font=theme.font("head")).grid(row=0, column=0, sticky="w")
        tools = ttk.Frame(self, style="Card.TFrame")
        tools.grid(row=0, column=1, sticky="e")
        self.buttons = [
            self._button(tools, tr("Data"), tr("Data of this chart"), self.show_data),
            self._button(tools, tr("PNG…"), tr("Save this chart as an image"), self.save),
            self._button(tools, tr("Print…"), tr("Print this chart"), self.print),
        ]
        self.canvas = tk.Canvas(
            self,
            width=theme.px(240),
            height=theme.px(160),
            borderwidth=0,
            highlightthickness=max(1, theme.px(1)),
            takefocus=True,
        )
        self.canvas.grid(row=1, column=0, columnspan=2, sticky="nsew", pady=(theme.px(4), 0))
        self.canvas.bind("<Configure>", lambda _: self._drawing.request())
        self.canvas.bind("<Motion>", lambda event: self._point(self._bar_at(event.x, event.y)))
        self.canvas.bind("<Leave>", lambda _: self._point(None))
        self.canvas.bind("<FocusOut>", lambda _: self._point(None))
        self.canvas.bind("<Button-1>", lambda _: self.canvas.focus_set())
        for key, step in (("Left", -1), ("Up", -1), ("Right", 1), ("Down", 1)):
            self.canvas.bind(f"<{key}>", lambda _, step=step: self._walk(step))  # type: ignore[misc]
        for wheel in ("<Button-4>", "<Button-5>", "<MouseWheel>"):
            self.canvas.bind(wheel, lambda event, wheel=wheel: self._pass_on(wheel, event.delta))
        theme.on_theme_change(self, self._paint)

    def _pass_on(self, wheel: str, delta: int) -> None:
        """The wheel is for the page: the canvas itself does not scroll."""
        if wheel == "<MouseWheel>":
            self.event_generate(wheel, delta=delta)
        else:
            self.event_generate(wheel)

    def _button(self, parent: tk.Misc, text: str, help: str, command: Callable[[], object]) -> ttk.Button:
        button = ttk.Button(parent, text=text, style="Link.TButton", command=command, state="disabled")
        button.pack(side="left", padx=theme.px(2))
        Tooltip(button, help)
        return button

    def show(self, figure: Figure | None, empty: str = "") -> None:
        """Show a figure; without data, the sentence ``empty``."""
        self.figure = None if figure is None or figure.empty else figure
        self._empty = empty or tr("No data found.")
        for button in self.buttons:
            button.state(["disabled" if self.figure is None else "!disabled"])
        self._point(None)
        self._drawing.request()

    # drawing

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.canvas.configure(background=tokens.card, highlightbackground=tokens.card, highlightcolor=tokens.primary)
        self._drawing.request()

    def _redraw(self) -> None:
        canvas = self.canvas
        canvas.delete("all")
        self._at = None
        width, height = canvas.winfo_width(), canvas.winfo_height()
        if self.figure is None:
            self._display_list = DisplayList((), ())
            canvas.create_text(
                width / 2,
                height / 2,
                text=self._empty,
                width=width * 0.9,
                justify="center",
                font=theme.font("body"),
                fill=theme.tokens().muted,
            )
            return
        self._display_list = draw(self.figure, width, height, _Screen(canvas))
        for item in self._display_list.items:
            self._put(item)

    def _put(self, item: Item) -> None:
        colour = getattr(theme.tokens(), item.colour)
        if isinstance(item, Line):
            flat = [value for point in item.points for value in point]
            self.canvas.create_line(*flat, fill=colour, width=item.width)
        elif isinstance(item, Rect):
            self.canvas.create_rectangle(item.left, item.top, item.right, item.bottom, fill=colour, width=0)
        else:
            self.canvas.create_text(
                *item.at,
                text=item.text,
                anchor=item.anchor,
                fill=colour,
                font=theme.font(item.font),
                angle=_TURNED if item.upright else 0,
            )

    # values at the pointer

    def _bar_at(self, x: float, y: float) -> int | None:
        for place, (left, top, right, bottom) in enumerate(self._display_list.areas):
            if left <= x < right and top <= y < bottom:
                return place
        return None

    def _walk(self, step: int) -> str:
        if count := len(self._display_list.areas):
            self._point((self._at + step) % count if self._at is not None else 0 if step > 0 else count - 1)
        return "break"

    def _point(self, place: int | None) -> None:
        """Highlight a bar and show its values next to it."""
        if place == self._at:
            return
        self._at = place
        canvas = self.canvas
        canvas.delete("tip")
        if place is None or self.figure is None:
            return
        tokens, margin = theme.tokens(), theme.px(6)
        left, top, right, bottom = self._display_list.areas[place]
        canvas.create_rectangle(left, top, right - 1, bottom - 1, outline=tokens.primary, width=theme.px(1), tags="tip")
        text = canvas.create_text(
            0, 0, text=self.figure.tip(place), anchor="nw", font=theme.font("caption"), fill=tokens.text, tags="tip"
        )
        x1, y1, x2, y2 = canvas.bbox(text)
        width, height = x2 - x1 + 2 * margin, y2 - y1 + 2 * margin
        x = right + margin if right + margin + width < canvas.winfo_width() else left - margin - width
        x = min(max(x, 0), canvas.winfo_width() - width)
        y = min(max(top, 0), canvas.winfo_height() - height)
        canvas.coords(text, x + margin, y + margin)
        box = canvas.create_rectangle(x, y, x + width, y + height, fill=tokens.panel, outline=tokens.line, tags="tip")
        canvas.tag_raise(text, box)

    # keeping it

    def show_data(self) -> None:
        """Open the window with the numbers."""
        if self.figure is not None:
            ChartDataWindow(self._shell, self.figure)

    def save(self) -> None:
        """Ask for a file, and save the chart as an image."""
        if self.figure is None:
            return
        chosen = filedialog.asksaveasfilename(
            parent=self._shell.root,
            title=tr("Save this chart as an image"),
            defaultextension=".png",
            initialfile=f"{safe_name(self.figure.title)}.png",
            filetypes=[("PNG", "*.png")],
        )
        if chosen:
            from inspector.ui.kit.charts.export import save_png

            self._shell.tasks.run(save_png, self.figure, Path(chosen), done=self._saved)

    def _saved(self, path: Path) -> None:
        show = (tr("Show in folder"), lambda: self._shell.tasks.run(open_externally.show_in_folder, path))
        self._shell.toast(tr("Saved: {path}", path=path), "good", show)

    def print(self) -> None:
        """Print the chart, after asking how."""
        if self.figure is not None:
            print_figures(self._shell, [self.figure])


def print_figures(shell: Shell, figures: Sequence[Figure]) -> None:
    """Ask whether to print at once or to open the pages, and do that."""
    buttons = [("open", tr("Open the pages"), False), ("cancel", tr("Cancel"), False)]
    if printing.can_print():
        buttons.insert(1, ("print", tr("Print now"), False))
    text = tr(
        "The charts are saved as a PDF, one per page. Open it to choose a printer, or print on the default printer."
    )
    answer = shell.ask(tr("Print the charts?"), text, buttons, "cancel")
    if answer == "cancel":
        return

    def work() -> None:
        from inspector.ui.kit.charts.export import save_pdf

        path = save_pdf(figures, printing.page_file())
        (printing.print_file if answer == "print" else open_externally.open_path)(path)

    shell.tasks.run(work)
