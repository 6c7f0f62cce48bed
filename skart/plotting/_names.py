"""Names of movements as the labels of a figure."""

import textwrap


def as_label(name, width=None):
    """Make a name safe to draw: Matplotlib would read ``$`` as mathematics.

    Parameters
    ----------
    name : object
        A movement.
    width : int, default=None
        Characters a line; None for one line.

    Returns
    -------
    label : str
        In lines, without control characters.
    """
    text = " ".join(str(name).split()).replace("$", r"\$")
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    return text if width is None else textwrap.fill(text, width)
