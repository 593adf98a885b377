"""The built-in plugins, imported as ``inspector_plugins``; each comes in through the same door as anybody's."""
