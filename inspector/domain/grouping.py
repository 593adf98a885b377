"""Grouping of images into parts, and triggers for cameras and videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from inspector.domain.errors import InputError
from inspector.domain.messages import message
from inspector.domain.texts import quote

TriggerKind = Literal["key", "timer", "still"]
_FIELD = re.compile(r"\{([^{}]*)\}")
_EXAMPLE = "{serial}_{view}"
_MOST_VIEWS = 100_000


@dataclass(frozen=True)
class Trigger:
    """Trigger that starts the next part of a camera or video.

    Attributes:
        kind: ``key``: a person; ``timer``: a fixed interval; ``still``: the image has stopped moving.
        seconds: interval of the timer; time without motion for ``still``; 0 for ``key``.
    """

    kind: TriggerKind
    seconds: float = 0.0

    @classmethod
    def from_text(cls, text: str) -> Trigger:
        """Read ``key``, ``timer:2.5``, ``still`` or ``still:0.5`` (seconds).

        Raises:
            InputError: it is none of these.
        """
        kind, colon, seconds = text.strip().partition(":")
        try:
            value = float(seconds) if colon else {"still": 0.3}.get(kind, 0.0)
        except ValueError:
            value = float("nan")
        return cls.from_json({"kind": kind, "seconds": value}, text)

    @classmethod
    def from_json(cls, data: object, text: str = "") -> Trigger:
        """Read and check.

        Raises:
            InputError: it is no trigger; the message names ``text``.
        """
        kind = data.get("kind") if isinstance(data, Mapping) else None
        seconds = data.get("seconds", 0) if isinstance(data, Mapping) else None
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        in_range = number and (seconds == 0 if kind == "key" else 0.05 <= float(str(seconds)) <= 86_400)
        if kind not in ("key", "timer", "still") or not in_range:
            raise InputError(
                "{trigger} is not a trigger; give key, timer:2.5 (an interval in seconds) or still:0.3 (seconds "
                "without motion)",
                trigger=quote(text or data),
            )
        return cls(kind, float(str(seconds)))


@dataclass(frozen=True)
class Grouping:
    """Grouping of images into parts. Without any of these, each image is a part.

    Attributes:
        pattern: of image names, with named groups: a regular expression such as ``(?P<serial>.+)_(?P<view>.+)``, or
            the same with fields, ``{serial}_{view}``. Images that agree in all groups but ``view`` are one part. The
            groups ``serial`` and ``lot`` are recorded. It has to fit the whole name, without suffix; a pattern with
            ``/`` also sees folders.
        views: names of the expected views (with a pattern); empty: any.
        count: number of images of each part; with a pattern the expected number. None: not stated.
        stretch: a part is the stretch of a video or stream from one trigger to the next.
        trigger: starts a part (``stretch``), or takes one image each time.
    """

    pattern: str = ""
    views: tuple[str, ...] = ()
    count: int | None = None
    stretch: bool = False
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if self.count is not None and not 1 <= self.count <= _MOST_VIEWS:
            raise InputError("A part has 1 to {most} images, not {count}", most=_MOST_VIEWS, count=self.count)
        if self.pattern:
            _ = self.matcher
            if self.stretch or self.trigger is not None:
                raise InputError("A pattern groups files by their names; it cannot be combined with a trigger")
        elif self.views:
            raise InputError(
                "Names of views need a pattern with a field for the view, such as {example}", example=_EXAMPLE
            )
        if self.views and "view" not in self.matcher.groupindex:
            raise InputError(
                "The pattern {pattern} has no field for the view, but views are expected; write it for example as "
                "{example}",
                pattern=quote(self.pattern),
                example=_EXAMPLE,
            )
        if len({view.casefold() for view in self.views}) < len(self.views) or not all(map(str.strip, self.views)):
            raise InputError("Each view needs a name of its own, not {views}", views=quote(", ".join(self.views)))
        if self.stretch and self.trigger is None:
            raise InputError("A part that is a stretch of a stream needs a trigger: a key, a timer or a still image")
        if self.stretch and self.count is not None:
            raise InputError("A part is either a stretch of a stream or a fixed number of images, not both")

    @property
    def single(self) -> bool:
        """Whether each inspected image is a part."""
        return not self.pattern and not self.stretch and self.count in (None, 1)

    @property
    def expected(self) -> int | None:
        """Number of views that a part must have; None if not stated."""
        return len(self.views) or self.count

    @cached_property
    def matcher(self) -> re.Pattern[str]:
        """The compiled pattern.

        Raises:
            InputError: it is no pattern, or has no group that distinguishes parts.
        """
        text = self.pattern.replace("\\", "/") if "(?P<" not in self.pattern else self.pattern
        try:
            if "(?P<" not in text:
                text = _from_fields(text)
            matcher = re.compile(text, re.IGNORECASE)
        except (re.error, ValueError, OverflowError, RecursionError) as error:
            raise InputError(
                "The pattern {pattern} cannot be used ({reason}); write it for example as {example}",
                pattern=quote(self.pattern),
                reason=error,
                example=_EXAMPLE,
            ) from None
        if not set(matcher.groupindex) - {"view"}:
            raise InputError(
                "The pattern {pattern} does not say what tells parts apart; name a field for it, for example {example}",
                pattern=quote(self.pattern),
                example=_EXAMPLE,
            )
        return matcher

    def match(self, name: str) -> dict[str, str] | None:
        """Return the groups of a file name or path, by name; None if the pattern does not fit."""
        tail = "/".join(name.replace("\\", "/").split("/")[-1 - self._folders :])
        stem, dot, suffix = tail.rpartition(".")
        found = self.matcher.fullmatch(stem) if dot and "/" not in suffix else None
        found = found or self.matcher.fullmatch(tail)
        return None if found is None else {key: value or "" for key, value in found.groupdict().items()}

    @cached_property
    def _folders(self) -> int:
        """Number of folders that the pattern sees."""
        return re.sub(r"\[[^\]]*\]", "", self.matcher.pattern).count("/")

    def to_json(self) -> dict[str, Any]:
        """Return the grouping for JSON (inverse of :meth:`from_json`)."""
        given: dict[str, Any] = {}
        if self.pattern:
            given["pattern"] = self.pattern
        if self.views:
            given["views"] = list(self.views)
        if self.count is not None:
            given["count"] = self.count
        if self.stretch:
            given["stretch"] = True
        if self.trigger is not None:
            given["trigger"] = dict(vars(self.trigger))
        return given

    @classmethod
    def from_json(cls, data: object) -> Grouping:
        """Read and check.

        Raises:
            InputError: a key or a value is wrong.
        """
        known = ("pattern", "views", "count", "stretch", "trigger")
        if not isinstance(data, Mapping) or not set(data) <= set(known):
            raise InputError(
                "Job: parts must be an object with {known}, not {value}", known=", ".join(known), value=quote(data)
            )
        pattern, views, count = data.get("pattern", ""), data.get("views", []), data.get("count")
        stretch, trigger = data.get("stretch", False), data.get("trigger")
        texts = isinstance(views, list) and all(isinstance(view, str) for view in views)
        whole = count is None or (isinstance(count, int) and not isinstance(count, bool))
        if not (isinstance(pattern, str) and texts and whole and isinstance(stretch, bool)):
            raise InputError(
                "Job: parts must be an object with {known}, not {value}", known=", ".join(known), value=quote(data)
            )
        return cls(pattern, tuple(views), count, stretch, None if trigger is None else Trigger.from_json(trigger))

    @classmethod
    def from_text(cls, parts: str | None, views: str | None = None, trigger: str | None = None) -> Grouping | None:
        """Read what the user typed.

        Args:
            parts: a number of images, ``stretch``, or a pattern; None or empty: each image is a part.
            views: names of the expected views with commas between, or their number.
            trigger: see :meth:`Trigger.from_text`.

        Returns:
            None if all are empty.

        Raises:
            InputError: one of them cannot be used, or they do not go together.
        """
        parts, views = (parts or "").strip(), (views or "").strip()
        chosen = Trigger.from_text(trigger) if trigger and trigger.strip() else None
        if not parts and not views and chosen is None:
            return None
        number = _whole(parts)
        named = tuple(name.strip() for name in views.replace("，", ",").split(",")) if views else ()
        expected = _whole(views)
        if expected is not None:
            named = ()
            if number is not None or not parts:
                raise InputError(
                    "Names of views need a pattern with a field for the view, such as {example}", example=_EXAMPLE
                )
        if number is not None or parts in ("", "stretch"):
            return cls(views=named, count=number, stretch=parts == "stretch", trigger=chosen)
        return cls(parts, named, expected, trigger=chosen)


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def _from_fields(text: str) -> str:
    """``{serial}_{view}`` as a regular expression; ``*`` is any text.

    Raises:
        ValueError: a field has no proper name, or there is none.
    """
    names = _FIELD.findall(text)
    if not names:
        raise ValueError(message("it has no field"))
    for name in names:
        if not name.isidentifier():
            raise ValueError(message("{field} is not a field", field=f"{{{name}}}"))
    pieces = _FIELD.split(text)
    for place, piece in enumerate(pieces):
        if place % 2:
            pieces[place] = f"(?P<{piece}>[^/]+)" if piece not in pieces[1:place:2] else f"(?P={piece})"
        else:
            pieces[place] = re.escape(piece).replace(r"\*", "[^/]*")
    return "".join(pieces)


def known_view(name: str, expected: Sequence[str]) -> str:
    """Return ``name`` as the expected views spell it, regardless of upper and lower case."""
    return next((view for view in expected if view.casefold() == name.casefold()), name)
