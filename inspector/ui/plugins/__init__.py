"""The page Plugins: install, remove, enable, configure."""
