"""Theme of the window: colours, fonts, sizes, icons and ttk style names. The only module that uses
ttkbootstrap; without it, ttk's own ``clam`` theme is used.

Widgets are plain ``tkinter.ttk`` with a ``style=`` of :data:`STYLES`. Sizes go through :func:`px`, fonts through
:func:`font`, so that screen resolution and text size apply everywhere.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass, replace
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any, Literal, overload

ttkbootstrap: Any
try:
    import ttkbootstrap
except ImportError:
    ttkbootstrap = None

Mode = Literal["light", "dark", "auto"]
FontName = Literal["body", "caption", "head", "title", "number", "banner", "mono"]
IconKind = Literal["text", "primary", "on_primary", "muted", "danger", "faded", "on_status"]

# Okabe and Ito's blue separates OK and NG better than teal for colour-blind users (colour difference 84, not 50).
OK_COLOURS = {"teal": "#007A78", "blue": "#0072B2"}


@dataclass(frozen=True)
class Tokens:
    """Colours as ``#rrggbb``. White or ``on_warn`` is read on the three status colours with 4.5:1 at least."""

    surface: str
    panel: str
    card: str
    text: str
    muted: str
    faded: str
    line: str
    primary: str
    on_primary: str
    selection: str
    on_selection: str
    canvas: str
    ok: str
    ng: str
    warn: str
    on_status: str
    on_warn: str
    ok_text: str
    ng_text: str
    warn_text: str


_LIGHT = Tokens(
    surface="#F5F6F8", panel="#ECEEF1", card="#FFFFFF", text="#1B1F24", muted="#5B6470", faded="#98A1AB",
    line="#CDD2D9", primary="#0B5ED7", on_primary="#FFFFFF", selection="#CFE0FB", on_selection="#10151B",
    canvas="#17191C", ok="#007A78", ng="#B84300", warn="#F0B400", on_status="#FFFFFF", on_warn="#1B1F24",
    ok_text="#00635F", ng_text="#B34700", warn_text="#7A5600",
)  # fmt: skip
_DARK = Tokens(
    surface="#1F2226", panel="#272B30", card="#2A2E34", text="#F2F4F7", muted="#A7B0BC", faded="#747D88",
    line="#434A53", primary="#3D8BFD", on_primary="#0B1420", selection="#31496B", on_selection="#FFFFFF",
    canvas="#101214", ok="#007A78", ng="#B84300", warn="#F0B400", on_status="#FFFFFF", on_warn="#1B1F24",
    ok_text="#4FD1CB", ng_text="#FF9A5C", warn_text="#F5CB5C",
)  # fmt: skip

# Sizes in points at 100 %, and whether bold.
_FONTS: dict[FontName, tuple[float, bool]] = {
    "body": (10, False),
    "caption": (9, False),
    "head": (10, True),
    "title": (14, True),
    "number": (15, True),
    "banner": (34, True),
    "mono": (9.5, False),
}
_FAMILIES = (
    "Microsoft YaHei UI", "Microsoft YaHei", "SimHei", "PingFang SC", "Noto Sans CJK SC", "Source Han Sans SC",
    "WenQuanYi Micro Hei",
)  # fmt: skip
# English in a font of its own: a Chinese one draws its quotes and ellipses as wide as Chinese signs. What such a font
# lacks, a Chinese name in an English sentence, Tk takes from another one.
_LATIN = ("Segoe UI", "Helvetica Neue", "Noto Sans", "DejaVu Sans", "Liberation Sans", "Ubuntu", "Cantarell")
_MONO = ("Consolas", "Menlo", "Noto Sans Mono CJK SC", "DejaVu Sans Mono")
_LATIN_MONO = ("Consolas", "Menlo", "DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono CJK SC")
# Our names -> ttkbootstrap's, whose looks they take over.
_ALIASES = {
    "Primary.TButton": "primary.TButton",
    "Danger.TButton": "danger.Outline.TButton",
    "Tool.TButton": "Ghost.TButton",
}
STYLES = (
    "TButton", "Primary.TButton", "Danger.TButton", "Tool.TButton", "Link.TButton", "TLabel", "Muted.TLabel",
    "Caption.TLabel", "Head.TLabel", "Title.TLabel", "Number.TLabel", "Bad.TLabel", "Good.TLabel", "Warn.TLabel",
    "TFrame",
    "Panel.TFrame", "Card.TFrame", "Card.TLabel", "CardMuted.TLabel", "CardNumber.TLabel", "Line.TFrame", "TEntry",
    "TCombobox", "TSpinbox", "TCheckbutton", "TRadiobutton", "Horizontal.TScale", "Horizontal.TProgressbar",
    "Treeview", "TPanedwindow", "TSeparator", "TLabelframe", "TNotebook",
)  # fmt: skip


class _State:
    root: tk.Tk | None = None
    mode: Mode = "light"
    dark = False
    tokens = _LIGHT
    text_size = 100
    language = "zh"
    ok_colour = "teal"
    listeners: list[tuple[tk.Misc, Callable[[], None]]] = []
    fonts: dict[FontName, tkfont.Font] = {}
    made: set[str] = set()  # themes whose styles exist


def create_root(mode: Mode = "light", text_size: int = 100, language: str = "zh") -> tk.Tk:
    """Create the root window of the program, hidden until it is deiconified.

    Args:
        mode: ``auto`` follows the system (on Windows; elsewhere light).
        text_size: in percent, 100 to 200.
        language: ``zh`` selects a font with Chinese, ``en`` one for Latin letters.
    """
    _State.listeners, _State.fonts, _State.made, _State.text_size = [], {}, set(), text_size
    _State.language = language
    icon.cache_clear()
    dark = _wants_dark(mode)
    root = _bootstrap_root(dark) if ttkbootstrap is not None else _plain_root()
    root.withdraw()
    _State.root = root
    _make_fonts(root)
    # The keyboard presses a button that has the focus: ttkbootstrap takes Space away, ttk's own themes lack Return.
    for key in ("space", "Return", "KP_Enter"):
        root.bind_class("TButton", f"<Key-{key}>", _press)
    # A click next to a slider's knob moves it there; Tk's step of 1 would be the whole range from 0 to 1.
    root.tk.call("bind", "TScale", "<ButtonPress-1>", "ttk::scale::Jump %W %x %y")
    root.bind_class("ComboboxListbox", "<Map>", _paint_list, add=True)  # Tk's own binding gives it the keyboard
    # The wheel scrolls the page; it must not change what was chosen in a list that it comes across.
    for event in root.bind_class("TCombobox"):
        if "MouseWheel" in event or event in ("<Button-4>", "<Button-5>", "<Shift-Button-4>", "<Shift-Button-5>"):
            root.unbind_class("TCombobox", event)
    # After a choice the text of a list is not marked, as if it were to be typed over.
    root.bind_class("TCombobox", "<<ComboboxSelected>>", _unmark, add=True)
    configure(mode)
    return root


def _unmark(event: Any) -> None:
    with contextlib.suppress(tk.TclError):  # it may have been destroyed, e.g. after the language was changed
        event.widget.selection_clear()


def _paint_list(event: Any) -> None:
    """The list of a combobox is a plain Tk widget, which knows of no theme."""
    t, colours = _State.tokens, ("background", "foreground", "selectbackground", "selectforeground")
    for option, colour in zip(colours, (t.card, t.text, t.selection, t.on_selection), strict=True):
        _root().tk.call(event.widget, "configure", f"-{option}", colour)


def _bootstrap_root(dark: bool) -> tk.Tk:
    def family(tokens: Tokens) -> dict[str, str]:
        return {"background": tokens.surface, "foreground": tokens.text}

    ttkbootstrap.Theme(
        name="bearing",
        primary="#0B5ED7",
        success="#007A78",
        info="#0072B2",
        warning="#B87A00",
        danger="#B84300",
        neutral="#6B7480",
        light=family(_LIGHT),
        dark=family(_DARK),
    ).register()
    root: tk.Tk = ttkbootstrap.App(theme=f"bearing-{'dark' if dark else 'light'}", iconphoto=None)
    return root


def _press(event: Any) -> str:
    event.widget.invoke()
    return "break"  # the button may have closed its window


def _make_styles(root: tk.Tk) -> None:
    """ttkbootstrap makes a style of a theme when the first widget of its own asks for it; plain ttk widgets do not."""
    names = "Button Checkbutton Combobox Entry Frame Label Labelframe Menubutton Notebook Panedwindow Progressbar"
    for name in f"{names} Radiobutton Scale Spinbox Treeview".split():
        getattr(ttkbootstrap, name)(root).destroy()
    for orient in ("horizontal", "vertical"):
        for name in ("Scale", "Scrollbar", "Separator", "Panedwindow"):
            getattr(ttkbootstrap, name)(root, orient=orient).destroy()
    for bootstyle in ("primary", "danger outline", "ghost", "link"):
        ttkbootstrap.Button(root, bootstyle=bootstyle).destroy()


def _plain_root() -> tk.Tk:
    if sys.platform == "win32":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # Windows 8.1 and later; before Tk makes a window
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
    root = tk.Tk()
    ttk.Style(root).theme_use("clam")
    return root


def configure(
    mode: Mode | None = None, text_size: int | None = None, ok_colour: str | None = None, language: str | None = None
) -> None:
    """Change the theme; None keeps a value. Listeners of :func:`on_theme_change` are called."""
    root = _root()
    _State.mode = mode or _State.mode
    _State.dark = _wants_dark(_State.mode)
    _State.ok_colour = ok_colour or _State.ok_colour
    base = _DARK if _State.dark else _LIGHT
    _State.tokens = replace(base, ok=OK_COLOURS[_State.ok_colour])
    before = _State.text_size, _State.language
    _State.text_size, _State.language = text_size or _State.text_size, language or _State.language
    if before != (_State.text_size, _State.language):
        _make_fonts(root)
    if ttkbootstrap is not None:
        wanted = f"bearing-{'dark' if _State.dark else 'light'}"
        style = ttkbootstrap.Style.get_instance()
        if style.theme_use() != wanted:
            style.theme_use(wanted)
        if wanted not in _State.made:
            _make_styles(root)
            _State.made.add(wanted)
    _configure_styles(root)
    icon.cache_clear()
    _State.listeners = [(widget, tell) for widget, tell in _State.listeners if _alive(widget)]
    for widget, tell in tuple(_State.listeners):
        if _alive(widget):
            tell()


def dark() -> bool:
    return _State.dark


def tokens() -> Tokens:
    return _State.tokens


def paper() -> Tokens:
    """The light theme's colours with the chosen colour of OK, for prints, exported charts and thumbnails."""
    return replace(_LIGHT, ok=OK_COLOURS[_State.ok_colour])


def text_size() -> int:
    """In percent."""
    return _State.text_size


def scale() -> float:
    """Pixels here for one pixel at 96 dpi and a text size of 100 %."""
    return _root().winfo_fpixels("1i") / 96 * _State.text_size / 100


@overload
def px(size: float, /) -> int: ...
@overload
def px(first: float, second: float, /) -> tuple[int, int]: ...
def px(*sizes: float) -> int | tuple[int, ...]:
    """Sizes given at 96 dpi, in pixels of this screen at the user's text size: one, or a pair."""
    factor = scale()
    here = tuple(round(size * factor) for size in sizes)
    return here[0] if len(here) == 1 else here


def sidebar_width(width: float, widget: tk.Misc) -> int:
    """Return the width of a side panel: as :func:`px`, but at most a quarter of the screen."""
    return min(px(width), widget.winfo_screenwidth() // 4)


def narrow(widget: tk.Misc) -> bool:
    """Whether the screen is too narrow for two columns at the current text size."""
    return widget.winfo_screenwidth() < px(820)


def font(name: FontName) -> str:
    """A named Tk font."""
    return _State.fonts[name].name


def on_theme_change(widget: tk.Misc, tell: Callable[[], None]) -> None:
    """Call ``tell`` now and after every theme change, as long as ``widget`` exists."""
    _State.listeners.append((widget, tell))
    tell()


@functools.lru_cache(maxsize=256)
def icon(name: str, size: int = 16, kind: IconKind = "text") -> Any:
    """Return a Bootstrap icon in the current colours as a Tk image; ``""`` (no image) without ttkbootstrap."""
    if ttkbootstrap is None:
        return ""
    t = _State.tokens
    colours = {
        "text": t.text,
        "primary": t.primary,
        "on_primary": t.on_primary,
        "muted": t.muted,
        "danger": t.ng_text,
        "faded": t.faded,
        "on_status": t.on_status,
    }
    if kind == "on_primary":
        colours[kind] = _button_ink()
    return ttkbootstrap.Icon(name, round(size * _State.text_size / 100), colours[kind])  # it scales with the resolution


def _button_ink() -> str:
    return str(ttk.Style(_root()).lookup("Primary.TButton", "foreground")) or _State.tokens.on_primary


def set_icon(widget: ttk.Button | ttk.Label, name: str, size: int = 16, kind: IconKind = "text") -> None:
    """Show an icon before the widget's text; it follows the theme's colours."""

    def put() -> None:
        image = icon(name, size, kind)
        images: Any = (image, "disabled", icon(name, size, "faded")) if image else ""
        if image and kind == "danger":  # under the pointer the button has the icon's own colour
            images = (*images, "active", icon(name, size, "on_status"), "pressed", icon(name, size, "on_status"))
        widget.configure(image=images, compound="image" if image and not widget.cget("text") else "left")

    on_theme_change(widget, put)


def _root() -> tk.Tk:
    assert _State.root is not None, "theme.start() makes the root"
    return _State.root


def _alive(widget: tk.Misc) -> bool:
    try:
        return bool(widget.winfo_exists())
    except tk.TclError:
        return False


def _wants_dark(mode: Mode) -> bool:
    if sys.platform == "win32" and mode == "auto":
        import winreg

        place = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
        with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, place) as key:
            return not winreg.QueryValueEx(key, "AppsUseLightTheme")[0]
    return mode == "dark"


def _make_fonts(root: tk.Tk) -> None:
    """Create the named fonts, and set Tk's own to the same family, with or without Chinese."""
    there = set(tkfont.families(root))
    english = _State.language == "en"
    families = (*_LATIN, *_FAMILIES) if english else _FAMILIES
    family = next((name for name in families if name in there), tkfont.nametofont("TkDefaultFont", root)["family"])
    monos = _LATIN_MONO if english else _MONO
    mono = next((name for name in monos if name in there), tkfont.nametofont("TkFixedFont", root)["family"])
    dots = root.winfo_fpixels("1i") / 72 * _State.text_size / 100
    for name, (points, bold) in _FONTS.items():
        look: dict[str, Any] = {
            "family": mono if name == "mono" else family,
            "size": -round(points * dots),
            "weight": "bold" if bold else "normal",
        }
        if name in _State.fonts:
            _State.fonts[name].configure(**look)
        else:
            _State.fonts[name] = tkfont.Font(root, name=f"inspector-{name}-{id(root)}", **look)
    body = -round(_FONTS["body"][0] * dots)
    for system in ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont", "TkTooltipFont"):
        tkfont.nametofont(system, root).configure(family=family, size=body)
    tkfont.nametofont("TkFixedFont", root).configure(family=mono, size=-round(_FONTS["mono"][0] * dots))


def _configure_styles(root: tk.Tk) -> None:
    # ttk's own class: ttkbootstrap's would keep these colours across themes.
    style, t = ttk.Style(root), _State.tokens
    configure, look_up = functools.partial(ttk.Style.configure, style), functools.partial(ttk.Style.map, style)
    for ours, theirs in _ALIASES.items():
        if ttkbootstrap is not None:
            style.layout(ours, style.layout(theirs))
            configure(ours, **(ttk.Style.configure(style, theirs) or {}))
            look_up(ours, **(ttk.Style.map(style, theirs) or {}))
    if ttkbootstrap is None:
        _configure_clam(configure, look_up)
    row = tkfont.Font(root, name=font("body"), exists=True).metrics("linespace")
    configure("Treeview", rowheight=round(1.55 * row), background=t.card, fieldbackground=t.card, foreground=t.text)
    configure("Treeview", font=font("body"), borderwidth=0)
    configure("Treeview.Heading", font=font("head"), padding=px(6, 4), foreground=t.text)
    configure("Cell", padding=(px(6) - 4, 0))  # with ttk's own 4 as far in as the headings
    configure("Treeview", indent=px(20))
    configure("Item", diameter=px(9), indicatormargins=(px(4), px(2), px(6), px(2)))
    chosen = {"background": [("selected", t.selection)], "foreground": [("selected", t.on_selection)]}
    look_up("Treeview", **chosen)
    labels: dict[str, tuple[str, FontName]] = {
        "Muted": (t.muted, "body"),
        "Caption": (t.muted, "caption"),
        "Head": (t.text, "head"),
        "Title": (t.text, "title"),
        "Number": (t.text, "number"),
    }
    for name, (colour, weight) in labels.items():
        configure(f"{name}.TLabel", foreground=colour, background=t.surface, font=font(weight))
    look_up("Danger.TButton", foreground=[("disabled", t.faded), ("active", t.on_status), ("", t.ng_text)])
    for part in ("background", "lightcolor", "darkcolor"):
        look_up("Danger.TButton", **{part: [("active !disabled", t.ng)]})
    look_up("Danger.TButton", bordercolor=[("disabled", t.line), ("active", t.ng)])
    for button in ("TButton", "Primary.TButton", "Tool.TButton"):
        look_up(button, foreground=[("disabled", t.faded)])
    edges = dict.fromkeys(("background", "bordercolor", "lightcolor", "darkcolor"), t.primary)
    configure("Primary.TButton", foreground=t.on_primary, focuscolor=t.on_primary, **edges)
    configure("Link.TButton", foreground=t.primary, padding=px(2, 2))
    look_up("Link.TButton", foreground=[("disabled", t.faded), ("active", t.text)], background=[("active", t.surface)])
    configure("Horizontal.TScale", focuscolor=t.primary, focusthickness=px(2))  # else its focus is not seen
    configure("Bad.TLabel", foreground=t.ng_text, background=t.surface)
    configure("Good.TLabel", foreground=t.ok_text, background=t.surface)
    configure("Warn.TLabel", foreground=t.warn_text, background=t.surface)
    configure("Panel.TFrame", background=t.panel)
    configure("Line.TFrame", background=t.line)
    configure("Card.TFrame", background=t.card)
    configure("Card.TLabel", background=t.card, foreground=t.text)
    configure("CardMuted.TLabel", background=t.card, foreground=t.muted, font=font("caption"))
    configure("CardNumber.TLabel", background=t.card, foreground=t.text, font=font("number"))


def _configure_clam(configure: Callable[..., Any], look_up: Callable[..., Any]) -> None:
    """Our colours on ttk's own theme, for a machine without ttkbootstrap."""
    t = _State.tokens
    _root().configure(background=t.surface)
    configure(
        ".", background=t.surface, foreground=t.text, bordercolor=t.line, lightcolor=t.surface, darkcolor=t.surface,
        troughcolor=t.panel, fieldbackground=t.card, insertcolor=t.text, selectbackground=t.primary,
        selectforeground=t.on_primary, arrowcolor=t.text, focuscolor=t.primary, font=font("body"),
    )  # fmt: skip
    look_up(".", foreground=[("disabled", t.muted)])
    configure("TButton", padding=px(10, 5), background=t.panel)
    look_up("TButton", background=[("active", t.line)], bordercolor=[("focus", t.primary)])
    configure("Primary.TButton", background=t.primary, foreground=t.on_primary)
    look_up("Primary.TButton", background=[("disabled", t.panel), ("active", t.primary)])
    configure("Danger.TButton", foreground=t.ng_text, background=t.surface)
    configure("Tool.TButton", relief="flat", background=t.surface, padding=px(6, 4))
    configure("Link.TButton", relief="flat", background=t.surface, foreground=t.primary, padding=px(2, 2))
    for field in ("TEntry", "TCombobox", "TSpinbox"):
        configure(field, padding=px(4, 3), arrowsize=px(12), background=t.panel)
        look_up(
            field, fieldbackground=[("readonly", t.card), ("disabled", t.panel)], foreground=[("disabled", t.muted)]
        )
    for mark in ("TCheckbutton", "TRadiobutton"):
        configure(mark, indicatorsize=px(14), indicatorbackground=t.card, indicatorforeground=t.primary)
        look_up(mark, background=[("active", t.panel)])
    slider = ("Horizontal.Scale.slider", {"side": "left", "sticky": ""})
    trough = ("Horizontal.Scale.trough", {"sticky": "ew", "children": [slider]})
    ring: Any = ("Horizontal.Scale.focus", {"sticky": "nswe", "children": [trough]})
    ttk.Style(_root()).layout("Horizontal.TScale", [ring])
    configure("TScrollbar", arrowsize=px(12), background=t.panel)
    configure("Horizontal.TProgressbar", background=t.primary, thickness=px(10))
    configure("Treeview.Heading", background=t.panel, relief="flat")
    configure("Sash", sashthickness=px(6))
    configure("TNotebook.Tab", padding=px(10, 5))
