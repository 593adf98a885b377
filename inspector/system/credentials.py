"""Passwords in addresses: masked where addresses are shown, logged or saved, and looked up when they are opened.

The masked form, ``rtsp://admin:***@192.168.1.20/stream``, is what screens, logs, recipes, ``run.json`` and the history
contain. It is also the key of the password: in this process, and in the system's keyring (the
Windows Credential Manager, the macOS Keychain, a Secret Service) where ``keyring`` has a backend. Without one, a
password is kept until the program ends.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from inspector.domain import Choice, InputError

logger = logging.getLogger(__name__)
MASK = "***"
_SERVICE = "Bearing Inspector"
_PATIENCE = 5.0  # seconds that the keyring may take
_RECOMMENDED = 1  # keyring's own limit: backends below store nothing, or plain text
_NAMES = r"[a-z_.-]*?(?:pass|pwd|token|key|auth|secret|sig|credential|session)[a-z_.-]*"
_SECRET = re.compile(
    # A login; its password may hold characters that an address would have to encode, where no host precedes it.
    r"(?i)(?<=://)(?:(?=[^\s/?#'\"]*@)|(?!localhost:|\[|[^\s:]*\.))"
    r"(?P<user>[^\s/?#@:'\"]*):(?P<password>[^\s/?#'\"]*(?=@)|[^\s'\"]*(?=@))"
    rf"|(?<=[?&;/_])(?P<name>{_NAMES})=(?P<value>[^\s&;#'\"]+)"
)
T = TypeVar("T")

_known: dict[str, list[str]] = {}  # masked address -> its secrets, in order; of this process
_lock = threading.Lock()


def mask(text: str) -> str:
    """Replace every password and token of addresses in ``text`` by ``***``; keep the user name."""
    return _SECRET.sub(_masked, text) if "://" in text else text


def _masked(found: re.Match[str]) -> str:
    return f"{found['name']}={MASK}" if found["name"] else f"{found['user']}:{MASK}"


def conceal(address: str) -> str:
    """Return the masked form of ``address`` and remember its secrets until the program ends."""
    secrets = [secret for secret in map(_secret, _SECRET.finditer(address)) if secret]
    if not secrets or "://" not in address or set(secrets) == {MASK}:
        return address
    masked = mask(address)
    with _lock:
        _known[masked] = secrets
    return masked


def reveal(address: str) -> str:
    """Return ``address`` with its secrets. May query the keyring: not for the Tk thread.

    Raises:
        InputError: a password is unknown.
    """
    if not is_masked(address):
        return address
    secrets = _looked_up(address)
    places = len(_SECRET.findall(address))
    if secrets is None or len(secrets) != places:
        raise InputError(
            "The password of {address} is not stored here; open the camera again and enter it", address=address
        )
    left = iter(secrets)
    return _SECRET.sub(
        lambda found: f"{found['name']}={next(left)}" if found["name"] else f"{found['user']}:{next(left)}", address
    )


def is_masked(address: str) -> bool:
    """Whether secrets have to be looked up before ``address`` can be opened."""
    return "://" in address and any(_secret(found) == MASK for found in _SECRET.finditer(address))


def known(address: str) -> bool:
    """Whether the secrets of a masked address are available. May query the keyring: not for the Tk thread."""
    return _looked_up(address) is not None


def conceal_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a source with every address masked."""
    return {key: conceal(value) if isinstance(value, str) else value for key, value in options.items()}


def conceal_choice(choice: Choice) -> Choice:
    return Choice(choice.id, conceal_options(choice.options))


def reveal_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a source with passwords filled in.

    Raises:
        InputError: a password is unknown.
    """
    return {key: reveal(value) if isinstance(value, str) else value for key, value in options.items()}


def with_login(address: str, user: str, password: str) -> str:
    """Return ``address`` with user name and password as typed; unchanged without a user."""
    from urllib.parse import quote

    scheme, colon, rest = address.partition("://")
    if not colon or not user:
        return address
    bare = re.sub(r"^[^/?#]*@", "", rest)
    secret = password if password == MASK else quote(password, safe="")
    return f"{scheme}://{quote(user, safe='')}{f':{secret}' if password else ''}@{bare}"


def without_login(address: str) -> tuple[str, str, str]:
    """Split ``address`` into the address without login, the user name and the password."""
    from urllib.parse import unquote

    scheme, colon, rest = address.partition("://")
    login = re.match(r"^([^/?#@:]*)(?::([^/?#]*))?@", rest) if colon else None
    if login is None:
        return address, "", ""
    return f"{scheme}://{rest[login.end() :]}", unquote(login[1]), unquote(login[2] or "")


# The keyring


def store_name() -> str:
    """Name of the keyring of this computer, e.g. ``Windows Credential Manager``; empty without one."""
    store = _within(_store, _PATIENCE)
    if store is None:
        return ""
    kind = type(store).__module__.rpartition(".")[2]
    names = {"Windows": "Windows Credential Manager", "macOS": "macOS Keychain", "SecretService": "Secret Service"}
    return names.get(kind, str(getattr(store, "name", kind)))


def remember(address: str) -> bool:
    """Store the secrets of a masked address in the keyring. Not for the Tk thread.

    Returns:
        False without a keyring, or if it refuses.
    """
    with _lock:
        secrets = _known.get(address)
    if secrets is None:
        return False

    def put() -> bool:
        store = _store()
        if store is None:
            return False
        store.set_password(_SERVICE, address, json.dumps(secrets))
        return True

    return bool(_within(put, _PATIENCE))


def forget(address: str) -> None:
    """Forget the secrets of a masked address, also in the keyring. Not for the Tk thread."""
    with _lock:
        _known.pop(address, None)

    def drop() -> None:
        store = _store()
        if store is not None and store.get_password(_SERVICE, address) is not None:
            store.delete_password(_SERVICE, address)

    _within(drop, _PATIENCE)


def _looked_up(address: str) -> list[str] | None:
    with _lock:
        secrets = _known.get(address)
    if secrets is not None:
        return secrets

    def get() -> list[str] | None:
        store = _store()
        held = None if store is None else store.get_password(_SERVICE, address)
        found = None if held is None else json.loads(held)
        return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None

    found = _within(get, _PATIENCE)
    if found is not None:
        with _lock:
            _known[address] = found
    return found


def _store() -> Any:
    """The backend of keyring, or None. Imports keyring; may block on the system."""
    if sys.platform == "linux" and not _bus_is_local() and "PYTHON_KEYRING_BACKEND" not in os.environ:
        return None
    import keyring
    from keyring.backends import chainer

    store = keyring.get_keyring()
    stores = store.backends if isinstance(store, chainer.ChainerBackend) else [store]
    return next((one for one in stores if float(one.priority) >= _RECOMMENDED), None)


def _bus_is_local() -> bool:
    """Whether there is a session bus behind a local socket file, so that no network is used."""
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    return address.startswith("unix:") if address else os.path.exists(f"/run/user/{os.getuid()}/bus")  # noqa: PTH110


def _within(work: Callable[[], T], seconds: float) -> T | None:
    """Run ``work`` on a separate thread and return its result; None if it fails or exceeds ``seconds``."""
    answer: list[T] = []

    def do() -> None:
        try:
            answer.append(work())
        except Exception as error:  # noqa: BLE001 - a store may fail in any way
            logger.info("The system's store of passwords cannot be used: %s: %s", type(error).__name__, error)

    thread = threading.Thread(target=do, name="passwords", daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0] if answer else None


def _secret(found: re.Match[str]) -> str:
    return found["value"] if found["name"] else found["password"]
