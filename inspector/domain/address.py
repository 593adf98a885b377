"""Addresses of cameras without credentials, for display."""

from __future__ import annotations

import re

_WORDS = "user|usr|account|login|pass|pwd|token|key|auth|secret|sig|credential|session"
_CREDENTIALS = re.compile(rf"(?i)(?<![a-z])([a-z_.-]*(?:{_WORDS})[a-z_.-]*)=[^&;\s]*")
_ADDRESS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)(\S*)")


def masked_address(text: str) -> str:
    """Remove user names, passwords and tokens from the addresses in a text.

    For everything that is shown, logged, reported or used as a file name. User name and password before the host are
    removed, even if they contain characters that should be encoded (``/``, ``?``, ``#``, ``@``); values of parameters
    with suspicious names become ``***``. Other text is unchanged.
    """
    return _ADDRESS.sub(lambda match: match[1] + _CREDENTIALS.sub(r"\1=***", _without_user(match[2])), text)


def _without_user(rest: str) -> str:
    authority = re.match(r"[^/?#]*", rest)
    host = authority[0] if authority else ""
    if "@" in host:
        before = host.rpartition("@")[0]
        return rest[len(before) + 1 :]
    # A colon but no host and port: the text before the last @ is a password, with a slash for example.
    if "@" in rest and ":" in host and not re.fullmatch(r"(localhost|\[.*\]|[^:]*\.[^:]*):\d*", host):
        return rest.rpartition("@")[2]
    return rest
