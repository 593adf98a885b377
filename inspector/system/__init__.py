"""Services of the operating system: folders, files, locks, logs, processes, credentials, start and exit."""
