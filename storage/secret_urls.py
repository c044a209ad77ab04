"""What a URL may hold that is nobody's business: who logs in, and passwords and tokens among its parameters."""

import re

HIDDEN = "***"
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
PASSWORD = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]+(?=@)")
PARAMETER = re.compile(r"(?i)(?<=[?&])([^=&?\s]*(?:passw|pwd|secret|token|crumb|key)[^=&?\s]*=)([^&\s\"']+)")
"""`password=...`, as PostgreSQL takes it in a URL, and its like."""


def without_secrets(text: str) -> str:
    """The text, any URL in it without what should not be shown."""
    return PARAMETER.sub(rf"\1{HIDDEN}", CREDENTIALS.sub(HIDDEN, text))


def has_secret(text: str) -> bool:
    """Whether a URL in the text has a password or the like; a user's name alone is none."""
    return bool(PASSWORD.search(text) or PARAMETER.search(text))
