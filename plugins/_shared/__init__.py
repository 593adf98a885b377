"""What several built-in plugins have in common.

A plugin is one module or one package and imports ``inspector.api`` and its own package only, so that each can be read,
switched off or taken as a pattern alone. What two of them need lies here instead of in one of the two; what every
plugin needs belongs into ``inspector.api``. This package declares no plugin.
"""
