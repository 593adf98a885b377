"""What a user must be told."""


class InspectorError(Exception):
    """Something a user must be told, in one sentence: what is wrong and what to do."""


class InputError(InspectorError):
    """What the user gave cannot be used (exit code 2)."""
