"""``bearing-inspector rules``: list the templates of rules, explain a rule file, or save it as a new one."""

from __future__ import annotations

import argparse
from pathlib import Path

from inspector import i18n
from inspector.cli import console
from inspector.domain import TEMPLATES, InputError, rules_sha256
from inspector.jobs import recipes
from inspector.jobs.options import plugin_options
from inspector.registry import load
from inspector.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("rules", nargs="?", type=Path, metavar="FILE|TEMPLATE", help="rules to explain (default: list the templates)")
    add("--output", type=Path, metavar="FILE", help="write these rules to a new file, to be edited")
    add("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    language = i18n.language(Settings.load(plugin_options(load())).get("language"))
    if arguments.rules is None:
        if arguments.output is not None:
            raise InputError("--output needs the rules to write: a template or a rule file")
        _list(language, arguments.json)
        return 0
    rules = recipes.read_rules(arguments.rules)
    if arguments.output is not None:
        if arguments.output.exists():
            raise InputError("{path} exists already; choose another file", path=arguments.output)
        try:
            rules = recipes.save_rules(arguments.output, rules)
        except OSError as error:
            raise InputError(
                "{path} cannot be written ({reason}); choose another folder",
                path=arguments.output,
                reason=error.strerror or error,
            ) from None
    if arguments.json:
        file = None if arguments.output is None else str(arguments.output)
        console.emit({"rules": rules.to_json(), "sha256": rules_sha256(rules), "file": file})
        return 0
    console.print_line(f"{rules.name}  {rules_sha256(rules)}")
    for line in i18n.rule_lines(rules, language):
        console.print_line(line)
    if arguments.output is not None:
        console.print_line(f"Rules written to {arguments.output}")
    return 0


def _list(language: str, as_json: bool) -> None:
    if as_json:
        console.emit(
            {
                "templates": [
                    {
                        "id": each.id,
                        "title": {"en": each.en, "zh": each.zh},
                        "classes": [{"key": c.key, "en": c.en, "zh": c.zh, "found": c.found} for c in each.classes],
                    }
                    for each in TEMPLATES.values()
                ]
            }
        )
        return
    for each in TEMPLATES.values():
        console.print_line(f"{each.id}: {each.zh if language == 'zh' else each.en}")
        rows = [(c.key, c.en, c.zh, c.found.upper()) for c in each.classes]
        console.table(("Class", "English", "中文", "Verdict"), rows)
