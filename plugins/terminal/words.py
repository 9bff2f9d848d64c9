"""What others chose the words of, made fit to be shown."""

# Services choose what `details` say: it must neither break a line nor command the terminal.
CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")


def printable(text: str) -> str:
    """The same text with its control characters blanked."""
    return text.translate(CONTROLS)
