"""Code shared by several built-in plugins.

A plugin is one module or one package and imports ``inspector.api`` and its own package only, so that each can be read,
disabled or used as a pattern alone. Code that two of them need is here rather than in one of the two; what every
plugin needs belongs into ``inspector.api``. This package declares no plugin.
"""
