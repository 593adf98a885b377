"""The built-in plugins, imported as ``inspector_plugins``; they use the same API as any other plugin."""
