"""Rule sets and recipes in a few words."""

from __future__ import annotations

from inspector.domain import RecipeInfo, Rules, rules_sha256
from inspector.ui.kit.strings import tr


def rules_text(rules: Rules | None) -> str:
    """Summarise what decides between OK, WARN and NG."""
    if rules is None:
        return tr("any defect is NG")
    limits = sum(map(len, rules.rows()))
    if not limits:
        return tr("no limits: every defect passes")
    return tr("1 limit active") if limits == 1 else tr("{n} limits active", n=limits)


def rule_set(rules: Rules | None, sha256: str | None = None) -> str:
    """Return name, if any, and short fingerprint of a rule set, e.g. ``strict #1f0a9c3e``.

    Args:
        sha256: its fingerprint, if already known.
    """
    fingerprint = rules_sha256(rules) if sha256 is None else sha256
    return " ".join(
        part for part in (rules.name if rules else "", f"#{fingerprint[:8]}" if fingerprint else "") if part
    )


def recipe_text(recipe: RecipeInfo) -> str:
    """A recipe by its name and version, and the beginning of its fingerprint."""
    return f"{recipe.name} v{recipe.version} #{recipe.sha256[:8]}"
