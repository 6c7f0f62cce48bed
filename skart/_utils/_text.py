"""Numbers as text."""


def as_percent(share):
    """Return a share as ``"7%"``; only 0 itself is ``"0%"``, only 1 ``"100%"``."""
    text = f"{share:.0%}"
    if text == "0%" and share > 0:
        return "<1%"
    return ">99%" if text == "100%" and share < 1 else text
