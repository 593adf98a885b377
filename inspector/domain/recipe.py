"""The recipe of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inspector.domain.errors import InputError


@dataclass(frozen=True)
class RecipeInfo:
    """Identity of the recipe of a job, for the window, reports and ``results.jsonl``.

    Attributes:
        name: for the user.
        version: from 1, incremented each time the recipe is saved.
        sha256: of the recipe file, hexadecimal.
    """

    name: str
    version: int
    sha256: str

    @classmethod
    def from_json(cls, data: object) -> RecipeInfo:
        """Read and check.

        Raises:
            InputError: a value is missing or wrong.
        """
        if not isinstance(data, Mapping):
            raise InputError(
                'The recipe of a job must be {{"name": …, "version": …, "sha256": …}}, not {data!r}', data=data
            )
        name, version, sha256 = (data.get(key) for key in ("name", "version", "sha256"))
        whole = isinstance(version, int) and not isinstance(version, bool)
        if not (isinstance(name, str) and whole and isinstance(sha256, str)):
            raise InputError(
                'The recipe of a job must be {{"name": …, "version": …, "sha256": …}}, not {data!r}', data=data
            )
        assert isinstance(version, int)
        return cls(name, version, sha256)
