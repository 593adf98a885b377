"""The window: its frame, its pages, its keys, and the one poll loop. Owns the session (the run and the model)."""

from __future__ import annotations

import gc
import importlib
import logging
import signal
import sys
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import ttk
from types import TracebackType
from typing import TYPE_CHECKING, Any

from inspector import jobs, logs, paths
from inspector.domain import InspectorError
from inspector.i18n import Language
from inspector.settings import Settings
from inspector.ui import summons, texts, theme
from inspector.ui.memory import Memory
from inspector.ui.messages import Messages
from inspector.ui.shell import Action, Kind
from inspector.ui.texts import t
from inspector.ui.widgets import Tooltip
from inspector.ui.work import Tasks

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.single_instance import SingleInstance
    from inspector.ui.inspect_page import InspectPage
    from inspector.ui.session import Session

logger = logging.getLogger(__name__)
_TICK = 10  # milliseconds between two looks at what threads have brought
_PAGES = ("inspect", "history", "statistics", "training", "plugins", "settings", "help")
_SMALLEST = (1024, 640)
_ENDS = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if sys.platform != "win32" else [])]  # the session ends


def main(
    sources: Sequence[str] = (), recipe: Path | None = None, verbose: bool = False, only: SingleInstance | None = None
) -> int:
    """Open the window and stay until it is closed.

    Args:
        sources: what to open: paths, ``camera:0``, addresses.
        recipe: a run.json whose job is set up.
        verbose: tell on stderr what happens.
        only: brings what later starts of the program ask for.

    Returns:
        The exit code: 0, or 2 where there is no screen.

    Raises:
        InspectorError: the user's folder cannot be used.
    """
    logs.start(verbose=verbose)
    try:
        app = App()
    except tk.TclError as error:
        sys.stderr.write(f"bearing-inspector: the window cannot be opened ({error}); the command line needs none\n")
        return 2
    app.start(sources, recipe)
    if only is not None:
        summons.listen(app, only)
    for number in _ENDS:
        signal.signal(number, lambda *_: app.root.after(0, app.leave))
    app.root.mainloop()
    return 0


def _import_pages(app: App) -> None:
    """On a thread, so that opening a page for the first time is quick; the model, which matters more, comes first."""
    while app.session.loading and not app.leaving:
        time.sleep(0.1)
    for page in _PAGES:
        if not app.leaving:
            importlib.import_module(f"inspector.ui.{page}_page")


def _interrupted_run() -> tuple[int, str, int] | None:
    """The newest run whose program was killed: its id, title and number of results; folders of such are tidied."""
    from inspector.history import History, Query

    with History.open() as history:
        killed = jobs.mend_interrupted(history)
        return None if killed is None else (killed.id, killed.title, history.count(Query(run=killed.id)))


class App:
    """The window around the pages: a :class:`inspector.ui.shell.Shell`."""

    session: Session
    catalogue: Registry

    def __init__(self) -> None:
        self.settings = Settings.load()
        self.memory = Memory()
        self._closing = self._leaving = self._saving = False
        self._faults: set[str] = set()
        texts.use(self.settings.get("language"))
        self.root = theme.start(self.settings.get("theme"), self.settings.get("text_size"))
        theme.use(ok_colour=self.settings.get("ok_colour"))
        self._speak()
        self.root.report_callback_exception = self._callback_failed
        self.root.title("Bearing Inspector")
        self.tasks = Tasks(self.show_error)
        self.messages = Messages(self.root)
        self._ready: list[Callable[[], None]] = []
        self._pages: dict[str, Any] = {}
        self.page = ""
        self._tickers: list[Callable[[], None]] = []
        self._set_place()
        self._set_icon()
        self._build()
        self._bind()
        self.root.protocol("WM_DELETE_WINDOW", self.close)

    # starting

    def start(self, sources: Sequence[str] = (), recipe: Path | None = None) -> None:
        """Show the window, then load the plugins in the background and set up what was asked for."""
        self.root.deiconify()
        self.root.update_idletasks()
        self._poll()

        def begin() -> None:
            self.show("inspect", sources=list(sources), recipe=recipe)

        self._ready.append(begin)
        self.tasks.run(self._load, done=self._loaded)

    def _load(self) -> tuple[Registry, Session]:
        from inspector import jobs, registry
        from inspector.ui.session import Session

        catalogue = registry.load()
        settings = Settings.load(jobs.plugin_options(catalogue))
        session = Session(catalogue, settings, self.tasks)
        session.warm(self.memory.last_model())
        return catalogue, session

    def _loaded(self, loaded: tuple[Registry, Session]) -> None:
        self.catalogue, self.session = loaded
        self.settings = self.session.settings
        self._waiting.destroy()
        for record in self.catalogue.records:
            if record.faulty:
                self.toast(
                    t("The plugin {id} does not work: {reason}", id=record.id, reason=texts.sentence(record.reason)),
                    "warn",
                    (t("Plugins"), lambda: self.show("plugins")),
                )
        # What was made until here lives as long as the program: not looked through again and again.
        gc.collect()
        gc.freeze()
        self._accept_drops()
        for begin in self._ready:
            begin()
        self._ready.clear()
        self.tasks.run(_import_pages, self)
        self.tasks.run(_interrupted_run, done=self._tell_interrupted)

    def _tell_interrupted(self, found: tuple[int, str, int] | None) -> None:
        """Once, after the program was killed in a run."""
        if found is None or self.memory.get("told_run", 0) >= found[0]:
            return
        run, title, kept = found
        self.memory.put("told_run", run)
        text = t("A run was interrupted ({title}). Its {n} results are in the history.", title=title, n=kept)
        self.toast(text, "warn", (t("Show"), lambda: self.show("history", run=run)))

    def when_ready(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` as soon as the plugins are there."""
        if hasattr(self, "session"):
            begin()
        else:
            self._ready.append(begin)

    # the frame around the pages

    def _build(self) -> None:
        root = self.root
        root.columnconfigure(0, weight=1)
        root.rowconfigure(2, weight=1)
        self.header = ttk.Frame(root)
        self.header.grid(row=0, column=0, sticky="ew", padx=theme.px(8), pady=theme.px(8))
        self.header.columnconfigure(0, weight=1)
        self.tools = ttk.Frame(self.header)
        self.tools.grid(row=0, column=0, sticky="w")
        self._title = ttk.Label(self.header, style="Title.TLabel")
        navigation = self._navigation = ttk.Frame(self.header)
        navigation.grid(row=0, column=1, sticky="e")
        self.header.bind("<Configure>", lambda event: self._fit_header())
        self._nav: dict[str, ttk.Button] = {}
        names = {
            "inspect": t("Inspect"),
            "history": t("History"),
            "statistics": t("Statistics"),
            "training": t("Training"),
            "plugins": t("Plugins"),
        }
        for place, (page, name) in enumerate(names.items(), 1):
            button = ttk.Button(navigation, text=name, command=lambda page=page: self.show(page))  # type: ignore[misc]
            button.pack(side="left")
            Tooltip(button, f"Ctrl+{place}")
            self._nav[page] = button
        ttk.Frame(navigation, width=theme.px(8)).pack(side="left")
        self._tool(navigation, "question-circle", t("Help (F1)"), lambda: self.show("help"))
        self._tool(navigation, "gear", t("Settings (Ctrl+,)"), lambda: self.show("settings"))
        self._moon = self._tool(navigation, "moon", t("Light or dark"), self.toggle_theme)
        ttk.Frame(root, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew")
        self.content = ttk.Frame(root)
        self.content.grid(row=2, column=0, sticky="nsew")
        self.content.columnconfigure(0, weight=1)
        self.content.rowconfigure(0, weight=1)
        self._waiting = ttk.Label(self.content, text=t("Loading the plugins…"), style="Muted.TLabel")
        self._waiting.grid(row=0, column=0)
        self.root.configure(menu=self._menu())

    def _fit_header(self) -> None:
        """Words on the tools as long as there is room for them."""
        if "inspect" in self._pages:
            room = self.header.winfo_width() - self._navigation.winfo_reqwidth() - theme.px(16)
            self._pages["inspect"].toolbar.fit(room)

    def _tool(self, parent: ttk.Frame, icon: str, text: str, command: Callable[[], object]) -> ttk.Button:
        button = ttk.Button(parent, style="Tool.TButton", command=command)
        theme.icon_on(button, icon)
        if not button.cget("image"):
            button.configure(text={"question-circle": "?", "gear": "⚙", "moon": "☾"}[icon], width=2)
        button.pack(side="left")
        Tooltip(button, text)
        return button

    def _menu(self) -> tk.Menu:
        from inspector.ui.menus import build

        return build(self)

    def rebuild(self) -> None:
        """Build everything anew, in another language or text size; pages keep their state."""
        shown = self.page
        states = {name: page.kept() for name, page in self._pages.items()}
        for page in self._pages.values():
            page.close()
        self._pages.clear()
        self._tickers.clear()
        self.page = ""
        self.messages.clear()
        for child in self.root.winfo_children():
            child.destroy()
        self._build()
        self._waiting.destroy()
        self._accept_drops()
        for name, state in states.items():
            self._page(name).restore(state)
        self.show(shown or "inspect")

    def _speak(self) -> None:
        """Tk's own dialogs speak the language of the moment too."""
        self.root.tk.eval(f"package require msgcat; ::msgcat::mclocale {'zh_cn' if self.language() == 'zh' else 'en'}")

    def _set_place(self) -> None:
        width, height = (theme.px(size) for size in _SMALLEST)
        screen = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
        self.root.minsize(min(width, screen[0]), min(height, screen[1] - theme.px(60)))
        place = self.memory.get("geometry", "")
        fits = False
        if place:
            size, _, rest = place.partition("+")
            x, _, y = rest.partition("+")
            w, _, h = size.partition("x")
            numbers = [int(n) for n in (w, h, x, y) if n.lstrip("-").isdigit()]
            fits = len(numbers) == 4 and 0 <= numbers[2] < screen[0] - 100 and 0 <= numbers[3] < screen[1] - 100
        small = screen[0] <= theme.px(1440) or screen[1] <= theme.px(820)
        room = screen[0], screen[1] - theme.px(36)  # the menu bar comes on top
        whole = min(room[0], theme.px(1366)), min(room[1], theme.px(768))
        self.root.geometry(place if fits else "{}x{}".format(*whole) + ("+0+0" if small else ""))
        if self.memory.get("zoomed", small):
            self._zoom()

    def _zoom(self) -> None:
        if sys.platform == "win32":
            self.root.state("zoomed")
        else:
            self.root.attributes("-zoomed", True)

    def _set_icon(self) -> None:
        picture = paths.assets() / "icons" / "bearing-inspector.png"
        if picture.exists():
            self._icon = tk.PhotoImage(file=str(picture))
            self.root.iconphoto(True, self._icon)

    def _bind(self) -> None:
        root = self.root
        for place, page in enumerate(_PAGES[:5], 1):
            root.bind(f"<Control-Key-{place}>", lambda event, page=page: self.show(page))  # type: ignore[misc]
        root.bind("<F1>", lambda event: self.show("help"))
        root.bind("<Control-comma>", lambda event: self.show("settings"))
        root.bind("<Control-q>", lambda event: self.close())

    def _accept_drops(self) -> None:
        """Take files that are dropped on the window, where tkinterdnd2 loads."""
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
        self.root.after_idle(self._take_drop, files)  # the program that drops waits for the answer
        return str(event.action)

    def _take_drop(self, files: list[str]) -> None:
        """Pictures, folders, videos, models and recipes are opened; on the page of plugins it is a plugin."""
        if files and self.page == "plugins":
            self._pages["plugins"].install_from(Path(files[0]))
        elif files:
            self.show("inspect")
            self.when_ready(lambda: self.inspect_page().open_texts(files))

    # the shell

    def inspect_page(self) -> InspectPage:
        page: InspectPage = self._page("inspect")
        return page

    def language(self) -> Language:
        return texts.language()

    def toast(self, text: str, kind: Kind = "info", action: Action | None = None) -> None:
        level = {"bad": logging.WARNING, "warn": logging.WARNING}.get(kind, logging.INFO)
        logger.log(level, "Said: %s", text, extra={"told": True})
        self.messages.show(text, kind, action)

    def ask(self, title: str, text: str, buttons: Sequence[tuple[str, str, bool]], default: str) -> str:
        from inspector.ui.dialogs import ask

        return ask(self.root, title, text, buttons, default)

    def show_error(self, error: BaseException) -> None:
        """Say what a thread ran into."""
        known = isinstance(error, InspectorError)
        text = texts.sentence(str(error)) if known else t("Unexpected: {error}. The log has the details.", error=error)
        self.toast(text, "bad", None if known else (t("Open the log"), lambda: self.open_path(paths.logs_folder())))

    def show(self, page: str, **what: Any) -> None:
        if not hasattr(self, "session"):
            self._ready.append(lambda: self.show(page, **what))
            return
        if self.page and self.page != page:
            old = self._pages[self.page]
            old.hidden()
            old.grid_remove()
        new = self._page(page)
        self.page = page
        new.grid(row=0, column=0, sticky="nsew")
        for name, button in self._nav.items():
            button.configure(style="Primary.TButton" if name == page else "TButton")
        self._show_title(page)
        self._fit_header()
        new.shown(**what)

    def _show_title(self, page: str) -> None:
        if page == "inspect":
            self._title.grid_remove()
            self.tools.grid()
            return
        names = {
            "history": t("History"),
            "statistics": t("Statistics"),
            "training": t("Training"),
            "plugins": t("Plugins"),
            "settings": t("Settings"),
            "help": t("Help"),
        }
        self.tools.grid_remove()
        self._title.configure(text=names[page])
        self._title.grid(row=0, column=0, sticky="w", padx=theme.px(8))

    def _page(self, name: str) -> Any:
        if name not in self._pages:
            self._pages[name] = self._new_page(name)
        return self._pages[name]

    def _new_page(self, name: str) -> Any:
        module = importlib.import_module(f"inspector.ui.{name}_page")
        return getattr(module, f"{name.capitalize()}Page")(self.content, self)

    def reload_plugins(self) -> None:
        """Load the plugins anew; a run that is at work keeps those it has."""

        def load() -> tuple[Registry, Settings]:
            from inspector import jobs, registry

            catalogue = registry.load()
            return catalogue, Settings.load(jobs.plugin_options(catalogue))

        def loaded(result: tuple[Registry, Settings]) -> None:
            self.catalogue, self.settings = result
            self.session.use(self.catalogue, self.settings)
            for page in self._pages.values():
                if hasattr(page, "plugins_changed"):
                    page.plugins_changed()

        self.tasks.run(load, done=loaded)

    def settings_changed(self, key: str) -> None:
        """Make a changed setting act at once where it can."""
        get = self.settings.get
        if key == "language":
            texts.use(get("language"))
            self._speak()
            self.root.after_idle(self.rebuild)
        elif key == "theme":
            theme.use(get("theme"))
        elif key == "ok_colour":
            theme.use(ok_colour=get("ok_colour"))
        elif key == "text_size":
            theme.use(text_size=get("text_size"))
            self.root.after_idle(self.rebuild)
        if hasattr(self, "session"):
            self.session.settings_changed(key)

    def toggle_theme(self) -> None:
        self.settings.set("theme", "light" if theme.dark() else "dark")
        self.settings_changed("theme")

    def open_path(self, path: Path) -> None:
        """Open a file or a folder with the system's program for it."""
        from inspector.ui.opening import open_path

        self.tasks.run(open_path, path)

    # the poll loop

    def every_tick(self, ticker: Callable[[], None]) -> None:
        """Call ``ticker`` on every tick, until the pages are built anew."""
        self._tickers.append(ticker)

    def _poll(self) -> None:
        if self._closing:
            return
        try:
            self.tasks.pump()
            for ticker in tuple(self._tickers):
                ticker()
        except Exception:  # noqa: BLE001 - the loop must live on; shown like any callback's error
            self._callback_failed(*sys.exc_info())
        self.root.after(_TICK, self._poll)

    def _callback_failed(self, kind: Any, error: Any, trace: TracebackType | None) -> None:
        """An exception in a callback: logged, shown once, and the window lives on."""
        logger.error("A callback failed: %s", error, exc_info=(kind, error, trace))
        mark = f"{kind} {error}"
        if mark not in self._faults and not self._closing:
            self._faults.add(mark)
            self.show_error(error)

    # closing

    @property
    def leaving(self) -> bool:
        """It is about to close; nothing new is taken on."""
        return self._leaving or self._closing

    def close(self) -> None:
        """Close, after asking where something would be lost."""
        if self._closing or self._leaving:
            return
        self._leaving = True
        try:
            self._leaving = self._may_close()
        except BaseException:
            self._leaving = False
            raise
        if self._leaving:
            self.leave()

    def leave(self) -> None:
        """Close without asking; a run is stopped cleanly first."""
        if self._closing or self._saving:
            return
        self._leaving = self._saving = True
        self._remember()
        if hasattr(self, "session") and self.session.active:
            self.session.stop()
            self.root.title(t("Saving the last results…"))
            self._await_run(time.monotonic() + 30)
            return
        self._end()

    def _may_close(self) -> bool:
        told = "\n\n".join(sentence for page in self._pages.values() if (sentence := page.busy()))
        buttons = [("stay", t("Stay"), False), ("close", t("Stop and close"), True)]
        return not told or self.ask(t("Close the program?"), told, buttons, "stay") == "close"

    def _await_run(self, until: float) -> None:
        if self.session.active and time.monotonic() < until:
            self.root.after(50, self._await_run, until)
        else:
            self._end()

    def _remember(self) -> None:
        zoomed = bool(self.root.attributes("-zoomed")) if sys.platform == "linux" else self.root.state() == "zoomed"
        self.memory.put("zoomed", zoomed)
        if not zoomed:
            self.memory.put("geometry", self.root.geometry())

    def _end(self) -> None:
        self._closing = True
        try:
            for page in self._pages.values():
                page.close()
            if hasattr(self, "session"):
                self.session.close()
        finally:
            self.tasks.close()
            for waiting in self.root.tk.splitlist(self.root.tk.call("after", "info")):
                self.root.tk.call("after", "cancel", waiting)
            self.root.destroy()
