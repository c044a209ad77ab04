"""Numbers with their nouns, for lines that people read."""


def counted(count: float, noun: str, form: str = "") -> str:
    """As in "1 session" and "2,500 sessions"; `form`: how the number is written, e.g. ","."""
    return f"{count:{form}} {noun if count == 1 else noun + 's'}"
