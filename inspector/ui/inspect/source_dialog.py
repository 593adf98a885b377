"""Dialog for the options of a source: its address or folder first, user name and password, the rest on demand."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from pathlib import Path
from tkinter import ttk
from typing import Any

from inspector.api import Option, SourceSpec
from inspector.domain import InputError
from inspector.jobs.build import WAIT
from inspector.system import credentials
from inspector.ui.kit import strings, theme
from inspector.ui.kit.dialogs import WIDTH, centre, fit, new_window
from inspector.ui.kit.form import Form, align, wrap
from inspector.ui.kit.strings import tr
from inspector.ui.kit.tasks import BackgroundTasks
from inspector.ui.kit.widgets import ScrollFrame

ADDRESS = "address"  # the option whose login has fields of its own


def open_source(
    parent: tk.Tk,
    spec: SourceSpec,
    values: Mapping[str, Any],
    opened: Callable[[dict[str, Any]], None],
    tasks: BackgroundTasks,
    message: str = "",
) -> None:
    """Ask for the options of a source; calls ``opened(options)`` once they are valid. Works for any plugin.

    Args:
        values: by option key; an address without its password.
        tasks: looks for the system's password store in the background.
        message: error message shown initially.
    """
    _Dialog(parent, spec, values, opened, tasks, message)


class _Dialog:
    def __init__(
        self,
        parent: tk.Tk,
        spec: SourceSpec,
        values: Mapping[str, Any],
        opened: Callable[[dict[str, Any]], None],
        tasks: BackgroundTasks,
        message: str,
    ) -> None:
        self._opened, self._tasks = opened, tasks
        self._options = {option.key: option for option in spec.options}
        self._initial_address = str(values.get(ADDRESS) or "")
        window = self.window = new_window(parent, strings.localized(spec.title))
        ttk.Label(window, text=strings.localized(spec.title), style="Title.TLabel").pack(
            anchor="w", padx=theme.px(20), pady=theme.px(16, 8)
        )
        row = ttk.Frame(window)
        row.pack(side="bottom", fill="x", padx=theme.px(20), pady=theme.px(12, 16))
        self._status = ttk.Label(window, style="Bad.TLabel", wraplength=theme.px(WIDTH))
        self._status.pack(side="bottom", anchor="w", padx=theme.px(20))
        scroll = ScrollFrame(window, width=theme.px(WIDTH))
        scroll.pack(fill="both", expand=True, padx=theme.px(20))
        first, more = _parted(tuple(option for option in spec.options if option.key != WAIT))
        bare, user, password = credentials.without_login(self._initial_address)
        shown = {**values, ADDRESS: bare} if ADDRESS in self._options else dict(values)
        self.form = Form(scroll.body, first, shown)
        self.form.pack(fill="x")
        self.login: _Login | None = None
        if ADDRESS in self._options:
            self.login = _Login(scroll.body, user, password == credentials.MASK and not message)
            self.login.pack(fill="x")
            self._tasks.run(credentials.store_name, done=self.login.show_store)
        self.more = Form(scroll.body, more, shown)
        align([self.form, self.more, *([self.login.form] if self.login else [])])
        if more:
            self._toggle = ttk.Button(scroll.body, text=tr("More options"), style="Link.TButton", command=self._more)
            self._toggle.pack(anchor="w", pady=theme.px(8, 0))
        live = spec.droppable or "folder" in self._options
        go = ttk.Button(
            row, text=tr("Start inspection") if live else tr("Open"), style="Primary.TButton", command=self._go
        )
        go.pack(side="right", padx=(theme.px(8), 0))
        ttk.Button(row, text=tr("Cancel"), command=window.destroy).pack(side="right")
        window.bind("<Escape>", lambda event: window.destroy())
        window.bind("<Return>", lambda event: self._go())
        if message:
            self._status.configure(text=f"✕ {message}")
        fit(window, scroll, parent)
        centre(parent, window)
        if self.login is not None and message:
            self.login.form.go_to("password")
        elif first:
            self.form.go_to(first[0].key)

    def _more(self) -> None:
        """Show the options that are rarely needed."""
        self._toggle.destroy()
        self.more.pack(fill="x", pady=theme.px(10, 0))

    def _go(self) -> None:
        try:
            chosen = {**self.form.values(), **self.more.values()}
            self._require(chosen)
        except InputError as error:
            self._status.configure(text=f"✕ {strings.sentence(str(error))}")
            return
        self._status.configure(text="")
        if self.login is not None:
            chosen[ADDRESS] = self._address(str(chosen[ADDRESS]))
        self.window.destroy()
        self._opened(chosen)

    def _require(self, chosen: Mapping[str, Any]) -> None:
        """Check that the option that identifies the source is filled in."""
        for option in self._options.values():
            if _names(option):
                if not str(chosen.get(option.key) or "").strip():
                    self.form.go_to(option.key)
                    raise InputError(tr("{title}: required.", title=strings.localized(option.title)))
                return

    def _address(self, typed: str) -> str:
        """The address in its masked form; its password is remembered for this session, or in the system's store."""
        assert self.login is not None
        inside, user, password = credentials.without_login(typed)
        if user and not self.login.user:
            address = typed  # a whole address was typed, or pasted
        else:
            known = self._initial_address if credentials.is_masked(self._initial_address) else ""
            same = known and credentials.without_login(known)[:2] == (inside, self.login.user)
            password = self.login.password or password or (credentials.MASK if same else "")
            address = credentials.with_login(inside, self.login.user, password)
        masked = credentials.conceal(address)
        if self.login.remember and credentials.is_masked(masked):
            self._tasks.run(credentials.remember, masked)
        return masked


class _Login(ttk.Frame):
    """User and password of an address, and where the password is kept."""

    def __init__(self, parent: tk.Misc, user: str, known: bool) -> None:
        super().__init__(parent)
        kept = tr("Saved; leave empty to use it") if known else ""
        options = (
            Option("user", str, "", strings.untranslated(tr("User name"))),
            Option("password", str, "", strings.untranslated(tr("Password")), strings.untranslated(kept)),
        )
        self.form = Form(self, options, {"user": user}, secret=("password",))
        self.form.pack(fill="x", pady=theme.px(10, 0))
        self._remember = tk.BooleanVar(self, False)
        self._keep = ttk.Checkbutton(self, variable=self._remember)
        self._where = ttk.Label(
            self, style="Caption.TLabel", text=tr("The password is kept until the program is closed.")
        )
        self._where.pack(fill="x", pady=theme.px(4, 0))
        wrap(self._where)

    def show_store(self, name: str) -> None:
        """Offer the system's password store, or state that there is none."""
        if not self.winfo_exists():
            return
        if not name:
            self._where.configure(
                text=tr("The password is kept until the program is closed: this system has no password store.")
            )
            return
        self._where.pack_forget()
        self._keep.configure(text=tr("Remember the password ({store})", store=name))
        self._remember.set(True)
        self._keep.pack(anchor="w", pady=theme.px(4, 0))

    @property
    def user(self) -> str:
        return str(self.form.values()["user"]).strip()

    @property
    def password(self) -> str:
        return str(self.form.values()["password"])

    @property
    def remember(self) -> bool:
        return self._remember.get()


def _names(option: Option) -> bool:
    """Whether the option identifies the source: a folder, a file, an address."""
    empty = option.default is None or (option.key == ADDRESS and not option.default)
    return empty and option.type in (str, Path) and not option.choices


def _parted(options: tuple[Option, ...]) -> tuple[list[Option], list[Option]]:
    """Split options into those that identify the source and the rest; without any, all are shown at once."""
    first = [option for option in options[:1] if _names(option)]
    return (first, list(options[1:])) if first else (list(options), [])
