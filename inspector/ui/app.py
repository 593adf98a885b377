"""The main window: frame, pages, keyboard shortcuts and the poll loop. Owns the session (run and model)."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tkinter import ttk
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from inspector.domain import InspectorError
from inspector.i18n import Language
from inspector.jobs.options import plugin_options
from inspector.jobs.recovery import recover_interrupted_runs
from inspector.settings import Settings
from inspector.system import logs, paths
from inspector.system.credentials import mask
from inspector.ui import second_instance
from inspector.ui.kit import folder_dialog, strings, theme
from inspector.ui.kit.shell import Action, Kind, PageName
from inspector.ui.kit.strings import tr
from inspector.ui.kit.tasks import BackgroundTasks
from inspector.ui.kit.toasts import Messages
from inspector.ui.kit.widgets import FlowFrame, Tooltip, close_popdown
from inspector.ui.kit.window_state import WindowState
from inspector.ui.pages import PAGES
from inspector.ui.retention import Retention

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.system.single_instance import SingleInstance
    from inspector.ui.inspect.page import InspectPage
    from inspector.ui.inspect.session import Session
    from inspector.ui.kit.page import Page

logger = logging.getLogger(__name__)
_TICK = 10  # milliseconds between two polls for results of threads, at least
_SMALLEST = (1024, 640)
_ENDS = [signal.SIGTERM, signal.SIGINT]  # the session or the terminal ends
if sys.platform == "win32":
    _ENDS.append(signal.SIGBREAK)
else:
    _ENDS.append(signal.SIGHUP)
_SIGN_OUT = 4.0  # seconds that Windows leaves a program to answer when its user signs out; then it may end it


def main(
    sources: Sequence[str] = (),
    recipe: Path | None = None,
    verbose: bool = False,
    only: SingleInstance | None = None,
    operator: bool = False,
    start: bool = False,
) -> int:
    """Open the window and stay until it is closed.

    Args:
        sources: paths, ``camera:0`` or addresses to open.
        recipe: a recipe or run.json to set up.
        verbose: log details and tracebacks to stderr.
        only: receives the requests of later starts of the program.
        operator: open the operator view.
        start: start the inspection immediately.

    Returns:
        The exit code: 0, or 2 if there is no display.

    Raises:
        InspectorError: the user's folder cannot be used.
    """
    logs.start(verbose=verbose)
    try:
        app = App()
    except tk.TclError as error:
        sys.stderr.write(f"bearing-inspector: the window cannot be opened ({error}); the command line needs none\n")
        return 2
    app.start(sources, recipe, operator, start)
    if only is not None:
        second_instance.listen(app, only)
    for number in _ENDS:
        signal.signal(number, lambda *_: app.root.after(0, app.leave))
    app.root.mainloop()
    return 0


def _import_pages(app: App) -> None:
    """Import the pages on a thread, after the model is loaded, so that they open quickly later."""
    while app.session.loading and not app.leaving:
        time.sleep(0.1)
    for page in PAGES:
        if not app.leaving:
            PAGES[page]()


def _interrupted_run(catalogue: Registry) -> tuple[int, str, int, bool] | None:
    """Return id, title, number of results and whether it can be resumed of the newest run whose program was killed.

    Tidies the folders of such runs.
    """
    from inspector.history import History, Query
    from inspector.jobs import resume

    with History.open() as history:
        killed = recover_interrupted_runs(history)
        if killed is None:
            return None
        kept = history.count(Query(run=killed.id))
        return killed.id, killed.title, kept, resume.looks_resumable(catalogue, killed)


def _is_dataset(place: Path) -> bool:
    """Whether the path is a data.yaml or a folder, which may contain one or labels."""
    return place.suffix.lower() in (".yaml", ".yml") or place.is_dir()


class App:
    """The window around the pages: a :class:`inspector.ui.kit.shell.Shell`.

    Attributes:
        ready: whether the plugins are loaded; ``session`` and ``catalogue`` are set then.
        page: name of the page in front; empty before the first one.
    """

    session: Session
    catalogue: Registry

    def __init__(self) -> None:
        self.settings = Settings.load()
        self.window_state = WindowState()
        self._closing = self._leaving = self._saving = False
        self._reported_errors: set[str] = set()
        self._new_session: Session | None = None  # created by the loading thread; becomes ``session``
        strings.set_language(self.settings.get("language"))
        self.root = theme.create_root(self.settings.get("theme"), self.settings.get("text_size"), strings.language())
        theme.configure(ok_colour=self.settings.get("ok_colour"))
        self._set_tk_language()
        folder_dialog.install(self.root)
        self.root.report_callback_exception = self._callback_failed
        self.root.title("Bearing Inspector")
        self.tasks = BackgroundTasks(self.show_error)
        self.messages = Messages(self.root)
        self.ready = False
        self._when_ready: list[Callable[[], None]] = []
        self._pages: dict[PageName, Page] = {}
        self.page: PageName | Literal[""] = ""
        self._tickers: list[Callable[[], None]] = []
        self._restore_geometry()
        self._set_icon()
        self._build()
        self._bind()
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.root.protocol("WM_SAVE_YOURSELF", self._signed_out)

    # starting

    def start(
        self, sources: Sequence[str] = (), recipe: Path | None = None, operator: bool = False, start: bool = False
    ) -> None:
        """Show the window, then load the plugins in the background and set up what was asked for."""
        self.root.deiconify()
        self.root.update_idletasks()
        self._poll()

        def begin() -> None:
            get = self.settings.get
            go = start or get("start_inspecting")
            self.show(
                "inspect",
                sources=list(sources),
                recipe=recipe,
                start=True if go else None if sources else False,
                operator=operator or get("start_operator"),
            )

        self._when_ready.append(begin)
        self.tasks.run(self._load, done=self._loaded)

    def _load(self) -> tuple[Registry, Session]:
        from inspector import registry
        from inspector.ui.inspect.session import Session

        catalogue = registry.load()
        settings = Settings.load(plugin_options(catalogue))
        session = self._new_session = Session(catalogue, settings, self.tasks)
        if self._closing:  # the later of this thread and _end sees what the other has set
            session.close()
        session.preload_model(self.window_state.last_model())
        return catalogue, session

    def _loaded(self, loaded: tuple[Registry, Session]) -> None:
        self.catalogue, self.session = loaded
        self.settings = self.session.settings
        self.ready = True
        self._loading_label.destroy()
        for record in self.catalogue.records:
            if record.faulty:
                self.toast(
                    tr("The plugin {id} does not work: {reason}", id=record.id, reason=strings.sentence(record.reason)),
                    "warn",
                    (tr("Plugins"), lambda: self.show("plugins")),
                )
        # Objects created so far live as long as the program: exclude them from garbage collection.
        gc.collect()
        gc.freeze()
        self._accept_drops()
        for begin in self._when_ready:
            begin()
        self._when_ready.clear()
        self.tasks.run(_import_pages, self)
        Retention(self)
        self.tasks.run(_interrupted_run, self.catalogue, done=self._report_interrupted)

    def _report_interrupted(self, interrupted: tuple[int, str, int, bool] | None) -> None:
        """Report once that the program was killed during a run."""
        if interrupted is None or self.window_state.get("told_run", 0) >= interrupted[0]:
            return
        run, title, results, resumable = interrupted
        self.window_state.set("told_run", run)
        text = tr("A run was interrupted ({title}). Its {n} results are in the history.", title=title, n=results)
        show = (tr("Show"), lambda: self.show("history", run=run))
        self.toast(text, "warn", (tr("Resume"), lambda: self.show("inspect", resume=run)) if resumable else show)

    def when_ready(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` once the plugins are loaded."""
        if self.ready:
            begin()
        else:
            self._when_ready.append(begin)

    # the frame around the pages

    def _build(self) -> None:
        root = self.root
        root.columnconfigure(0, weight=1)
        root.rowconfigure(2, weight=1)
        self.header = ttk.Frame(root)
        self.header.grid(row=0, column=0, sticky="ew", padx=theme.px(8), pady=theme.px(8))
        self.header.columnconfigure(0, weight=1)
        self.header_tools = ttk.Frame(self.header)
        self.header_tools.grid(row=0, column=0, sticky="ew")
        self.header_tools.columnconfigure(0, weight=1)
        self._title = ttk.Label(self.header, style="Title.TLabel")
        navigation = self._navigation = FlowFrame(self.header, 0)
        navigation.grid(row=0, column=1, sticky="e")
        self.header.bind("<Configure>", lambda event: self._fit_header())
        self._nav: dict[PageName, ttk.Button] = {}
        names: dict[PageName, str] = {
            "inspect": tr("Inspect"),
            "history": tr("History"),
            "statistics": tr("Statistics"),
            "training": tr("Training"),
            "plugins": tr("Plugins"),
        }
        for place, (page, name) in enumerate(names.items(), 1):
            button = ttk.Button(navigation, text=name, command=lambda page=page: self.show(page))  # type: ignore[misc]
            navigation.add(button)
            Tooltip(button, f"Ctrl+{place}")
            self._nav[page] = button
        navigation.add(ttk.Frame(navigation, width=theme.px(8)))
        self._header_button(navigation, "question-circle", tr("Help (F1)"), lambda: self.show("help", topic="manual"))
        self._header_button(navigation, "gear", tr("Settings (Ctrl+,)"), lambda: self.show("settings"))
        self._header_button(navigation, "moon", tr("Toggle dark mode"), self.toggle_theme)
        ttk.Frame(root, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew")
        self.content = ttk.Frame(root)
        self.content.grid(row=2, column=0, sticky="nsew")
        self.content.columnconfigure(0, weight=1)
        self.content.rowconfigure(0, weight=1)
        self._loading_label = ttk.Label(self.content, text=tr("Loading the plugins…"), style="Muted.TLabel")
        self._loading_label.grid(row=0, column=0)
        strip = self.messages.strip = ttk.Frame(root)
        strip.grid(row=3, column=0, sticky="ew")
        self.root.configure(menu=self._menu())

    def _fit_header(self) -> None:
        """Place the navigation next to the toolbar, or above it if the window is too narrow for both."""
        if self._closing:  # its buttons are destroyed one by one
            return
        width, pages = self.header.winfo_width(), self._navigation.width()
        tools = self._pages["inspect"].toolbar if "inspect" in self._pages else None
        room = width - pages - theme.px(16)
        if tools is not None:
            tools.fit(room)
        stacked = width > 1 and room < (tools.width() if tools is not None and self.page == "inspect" else 0)
        self._navigation.grid_configure(
            row=0, column=0 if stacked else 1, columnspan=2 if stacked else 1, sticky="ew" if stacked else "e"
        )
        if stacked and tools is not None:
            tools.fit(width)
        for widget in (self.header_tools, self._title):
            if widget.winfo_manager():
                widget.grid_configure(row=1 if stacked else 0)
        if self.page != "inspect" and width > 1:
            # A title that would be cut off is hidden; the page's button is highlighted anyway.
            (self._title.grid if room >= self._title.winfo_reqwidth() else self._title.grid_remove)()
        self._navigation.arrange(width if stacked or room < 0 else pages)

    def _header_button(self, parent: FlowFrame, icon: str, text: str, command: Callable[[], object]) -> ttk.Button:
        button = ttk.Button(parent, style="Tool.TButton", command=command)
        theme.set_icon(button, icon)
        if not button.cget("image"):
            button.configure(text={"question-circle": "?", "gear": "⚙", "moon": "☾"}[icon], width=2)
        parent.add(button)
        Tooltip(button, text)
        return button

    def _menu(self) -> tk.Menu:
        from inspector.ui.menus import build

        return build(self)

    def rebuild(self) -> None:
        """Rebuild all widgets in another language or text size; pages keep their state."""
        shown = self.page
        states = {name: page.save_state() for name, page in self._pages.items()}
        for page in self._pages.values():
            page.close()
        self._pages.clear()
        self._tickers.clear()
        self.page = ""
        self.messages.clear()
        for child in self.root.winfo_children():
            child.destroy()
        self._build()
        self._loading_label.destroy()
        self._accept_drops()
        for name, state in states.items():
            self._page(name).restore_state(state)
        self.show(shown or "inspect")

    def _set_tk_language(self) -> None:
        """Set the language of Tk's own dialogs."""
        self.root.tk.eval(f"package require msgcat; ::msgcat::mclocale {'zh_cn' if self.language() == 'zh' else 'en'}")

    def _restore_geometry(self) -> None:
        width, height = (theme.px(size) for size in _SMALLEST)
        screen = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
        self.root.minsize(min(width, screen[0]), min(height, screen[1] - theme.px(60)))
        place = self.window_state.get("geometry", "")
        fits = False
        if place:
            size, _, rest = place.partition("+")
            x, _, y = rest.partition("+")
            w, _, h = size.partition("x")
            numbers = [int(n) for n in (w, h, x, y) if n.lstrip("-").isdigit()]
            fits = len(numbers) == 4 and 0 <= numbers[2] < screen[0] - 100 and 0 <= numbers[3] < screen[1] - 100
        small = screen[0] <= theme.px(1440) or screen[1] <= theme.px(820)
        room = screen[0], screen[1] - theme.px(36)  # the menu bar is added on top
        whole = min(room[0], theme.px(1366)), min(room[1], theme.px(768))
        self.root.geometry(place if fits else "{}x{}".format(*whole) + ("+0+0" if small else ""))
        if self.window_state.get("zoomed", small):
            self._zoom()

    def _zoom(self) -> None:
        if sys.platform == "win32":
            self.root.state("zoomed")
        else:
            self.root.attributes("-zoomed", True)

    def _set_icon(self) -> None:
        icon = paths.assets() / "icons" / "bearing-inspector.png"
        if icon.exists():
            self._icon = tk.PhotoImage(file=str(icon))
            self.root.iconphoto(True, self._icon)

    def _bind(self) -> None:
        root = self.root
        for place, page in enumerate(list(PAGES)[:5], 1):
            root.bind(f"<Control-Key-{place}>", lambda event, page=page: self.show(page))  # type: ignore[misc]
        root.bind("<F1>", lambda event: self.show("help", topic="manual"))
        root.bind("<Control-comma>", lambda event: self.show("settings"))
        root.bind("<Control-q>", lambda event: self.close())

    def _accept_drops(self) -> None:
        """Accept files dropped on the window if tkinterdnd2 loads."""
        try:
            import tkinterdnd2

            tkinterdnd2.TkinterDnD.require(self.root)
        except (ImportError, RuntimeError, tk.TclError) as error:
            logger.info("Nothing can be dropped on the window: %s", error)
            return
        for frame in (self.header, self.content):
            target: Any = frame  # tkinterdnd2 gives every widget these methods
            target.drop_target_register(tkinterdnd2.DND_FILES)
            target.dnd_bind("<<Drop>>", self._dropped)

    def _dropped(self, event: Any) -> str:
        files = [str(name) for name in self.root.tk.splitlist(event.data)]
        self.root.after_idle(self._open_dropped, files)  # the source program waits for the answer
        return str(event.action)

    def _open_dropped(self, files: list[str]) -> None:
        """Open images, folders, videos, models and recipes; plugins and datasets on their pages."""
        if files and self.page == "plugins":
            self.show("plugins", install=Path(files[0]))
        elif files and self.page == "training" and _is_dataset(Path(files[0])):
            self.show("training", data=Path(files[0]))
        elif files:
            self.show("inspect")
            self.when_ready(lambda: self.inspect_page().open_sources(files))

    # the shell

    def inspect_page(self) -> InspectPage:
        """Build the page Inspect if needed and return it."""
        from inspector.ui.inspect.page import InspectPage

        page = self._page("inspect")
        assert isinstance(page, InspectPage)
        return page

    def export(self) -> None:
        """Export what the page in front shows; the history where that page exports nothing."""
        if not self.page or not self._pages[self.page].exports:
            self.show("history")
        if self.page:
            self._pages[self.page].export()

    def print(self) -> None:
        """Print what the page in front shows."""
        if self.page:
            self._pages[self.page].print()

    def language(self) -> Language:
        return strings.language()

    def toast(self, text: str, kind: Kind = "info", action: Action | None = None) -> None:
        text = mask(text)
        level = {"bad": logging.WARNING, "warn": logging.WARNING}.get(kind, logging.INFO)
        logger.log(level, "Said: %s", text, extra={"told": True})
        self.messages.show(text, kind, action)
        if kind == "bad":
            for page in self._pages.values():
                page.on_error_shown(text)

    def ask(self, title: str, text: str, buttons: Sequence[tuple[str, str, bool]], default: str) -> str:
        from inspector.ui.kit.dialogs import ask

        return ask(self.root, title, text, buttons, default)

    def show_error(self, error: BaseException) -> None:
        """Show the failure of a thread or callback as a message."""
        known = isinstance(error, InspectorError)
        text = (
            strings.sentence(str(error)) if known else tr("Unexpected: {error}. The log has the details.", error=error)
        )
        self.toast(text, "bad", None if known else (tr("Open the log"), lambda: self.open_path(paths.logs_folder())))

    def show(self, page: PageName, **options: Any) -> None:
        """Bring a page to the front; ``options`` are passed to its ``on_show``."""
        if not self.ready:
            self._when_ready.append(lambda: self.show(page, **options))
            return
        close_popdown(self.root)
        if self.page and self.page != page:
            old = self._pages[self.page]
            old.on_hide()
            old.grid_remove()
        new = self._page(page)
        self.page = page
        new.grid(row=0, column=0, sticky="nsew")
        for name, button in self._nav.items():
            button.configure(style="Primary.TButton" if name == page else "TButton")
        self._show_title(page)
        self._fit_header()
        new.on_show(**options)

    def _show_title(self, page: PageName) -> None:
        if page == "inspect":
            self._title.grid_remove()
            self.header_tools.grid()
            return
        names: dict[PageName, str] = {
            "history": tr("History"),
            "statistics": tr("Statistics"),
            "training": tr("Training"),
            "plugins": tr("Plugins"),
            "settings": tr("Settings"),
            "help": tr("Help"),
        }
        self.header_tools.grid_remove()
        self._title.configure(text=names[page])
        self._title.grid(row=0, column=0, sticky="w", padx=theme.px(8))

    def _page(self, name: PageName) -> Page:
        if name not in self._pages:
            self._pages[name] = PAGES[name]()(self.content, self)
        return self._pages[name]

    def reload_plugins(self) -> None:
        """Reload the plugins; a running inspection keeps the ones it has."""

        def load() -> tuple[Registry, Settings]:
            from inspector import registry

            catalogue = registry.load()
            return catalogue, Settings.load(plugin_options(catalogue))

        def loaded(result: tuple[Registry, Settings]) -> None:
            self.catalogue, self.settings = result
            self.session.use(self.catalogue, self.settings)
            for page in self._pages.values():
                page.on_plugins_changed()

        self.tasks.run(load, done=loaded)

    def settings_changed(self, key: str) -> None:
        """Apply a changed setting immediately where possible."""
        get = self.settings.get
        if key == "language":
            strings.set_language(get("language"))
            theme.configure(language=strings.language())
            self._set_tk_language()
            self.root.after_idle(self.rebuild)
        elif key == "theme":
            theme.configure(get("theme"))
        elif key == "ok_colour":
            theme.configure(ok_colour=get("ok_colour"))
        elif key == "text_size":
            theme.configure(text_size=get("text_size"))
            self.root.after_idle(self.rebuild)
        if self.ready:
            self.session.settings_changed(key)

    def toggle_theme(self) -> None:
        self.settings.set("theme", "light" if theme.dark() else "dark")
        self.settings_changed("theme")

    def open_path(self, path: Path) -> None:
        """Open a file or a folder with the system's program for it."""
        from inspector.ui.kit.open_externally import open_path

        self.tasks.run(open_path, path)

    # the poll loop

    def on_tick(self, ticker: Callable[[], None]) -> None:
        """Call ``ticker`` on every tick of the poll loop until the pages are rebuilt."""
        self._tickers.append(ticker)

    def training_progress(self) -> str:
        """Return the progress of the running training, e.g. ``3 / 100``; empty if none runs."""
        page = self._pages.get("training")
        return page.activity() if page is not None else ""

    def _show_training_progress(self) -> None:
        """Show on the button of the training page that a training is running."""
        page = self._pages.get("training")
        state = self.training_progress()
        text = tr("Training") + (f" ● {state}" if state else " ●" if page is not None and page.close_warning() else "")
        if self._nav["training"].cget("text") != text:
            self._nav["training"].configure(text=text)
            self._fit_header()

    def _poll(self) -> None:
        """Bring the results of threads to the window. Takes at most half of this thread's time, so Tk gets its turn."""
        if self._closing:
            return
        began = time.monotonic()
        try:
            self.tasks.pump()
            self._show_training_progress()
            for ticker in tuple(self._tickers):
                ticker()
        except Exception:  # noqa: BLE001 - the loop must live on; shown like any callback's error
            self._callback_failed(*sys.exc_info())
        self.root.after(max(_TICK, round(1000 * (time.monotonic() - began))), self._poll)

    def _callback_failed(self, kind: Any, error: Any, trace: TracebackType | None) -> None:
        """Log an exception of a callback and show it once; the window keeps running."""
        logger.error("A callback failed: %s", error, exc_info=(kind, error, trace))
        mark = f"{kind} {error}"
        if mark not in self._reported_errors and not self._closing:
            self._reported_errors.add(mark)
            self.show_error(error)

    # closing

    @property
    def leaving(self) -> bool:
        """Whether the window is about to close and accepts nothing new."""
        return self._leaving or self._closing

    def close(self) -> None:
        """Close the window, after asking if something would be lost."""
        if self._closing or self._leaving:
            return
        self._leaving = True
        try:
            self._leaving = self._confirm_close()
        except BaseException:
            self._leaving = False
            raise
        if self._leaving:
            self.leave()

    def leave(self) -> None:
        """Close without asking; a running inspection is stopped cleanly first."""
        if self._closing or self._saving:
            return
        self._leaving = self._saving = True
        self._save_geometry()
        if self.ready and self.session.active:
            self.session.stop()
            self.root.title(tr("Saving the last results…"))
            self._quit_after_run(time.monotonic() + 30)
            return
        self._end()

    def _signed_out(self) -> None:
        """The user signs out of Windows, which ends the program soon after this answer: a run is stopped now.

        On Linux a session manager asks the same, and ends nothing before the window has answered.
        """
        self.leave()
        if self.ready and self.session.run is not None:
            self.session.run.wait(_SIGN_OUT)

    def _confirm_close(self) -> bool:
        warning = "\n\n".join(sentence for page in self._pages.values() if (sentence := page.close_warning()))
        buttons = [("stay", tr("Keep running"), False), ("close", tr("Stop and close"), True)]
        return not warning or self.ask(tr("Close the program?"), warning, buttons, "stay") == "close"

    def _quit_after_run(self, until: float) -> None:
        if self.session.active and time.monotonic() < until:
            self.root.after(50, self._quit_after_run, until)
        else:
            self._end()

    def _save_geometry(self) -> None:
        zoomed = bool(self.root.attributes("-zoomed")) if sys.platform == "linux" else self.root.state() == "zoomed"
        self.window_state.set("zoomed", zoomed)
        if not zoomed:
            self.window_state.set("geometry", self.root.geometry())

    def _end(self) -> None:
        self._closing = True
        with ExitStack() as ends:  # all are called even if one fails, in reverse order
            ends.callback(self.root.destroy)
            ends.callback(self._cancel_waiting)
            ends.callback(self.tasks.close)
            if self._new_session is not None:
                ends.callback(self._new_session.close)
            for page in self._pages.values():
                ends.callback(page.close)

    def _cancel_waiting(self) -> None:
        """Cancel all pending ``after`` calls."""
        for waiting in self.root.tk.splitlist(self.root.tk.call("after", "info")):
            self.root.tk.call("after", "cancel", waiting)
