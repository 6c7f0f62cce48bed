"""Networks of keras-hub by name: presets, and folders that hold one."""

import os

PREFIX = "keras_hub:"


def find_preset(backbone):
    """Find what keras-hub is asked for.

    Parameters
    ----------
    backbone : str
        That of :class:`skart.FeatureExtractor`.

    Returns
    -------
    preset : str or None
        A preset's name or address, or a whole path; None where the network isn't one
        of keras-hub.
    """
    if not isinstance(backbone, str) or not backbone.startswith(PREFIX):
        return None
    preset = backbone.removeprefix(PREFIX)
    path = os.path.expanduser(preset)
    is_path = os.path.isdir(path) or os.path.dirname(path)
    return os.path.abspath(path) if is_path and not is_address(backbone) else preset


def is_address(backbone):
    """Tell whether a network is anybody's, by its address: ``hf://``, ``kaggle://``."""
    return str(backbone).startswith(PREFIX) and "://" in backbone


def list_files(backbone):
    """List the files of a preset's folder.

    Parameters
    ----------
    backbone : str
        That of :class:`skart.FeatureExtractor`.

    Returns
    -------
    files : list of str or None
        Paths, sorted; what only tells when it was saved is left out. None where it is
        no folder.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no preset in it.
    """
    folder = find_preset(backbone)
    if folder is None or not os.path.isabs(folder):
        return None
    if not os.path.isfile(os.path.join(folder, "config.json")):
        raise FileNotFoundError(
            f"backbone={backbone!r} names no folder that holds a preset: there is no "
            f"{os.path.join(folder, 'config.json')!r}. Name one that keras-hub's "
            "save_to_preset wrote, or a preset."
        )
    paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    return [x for x in paths if os.path.isfile(x) and not x.endswith("metadata.json")]


def short_name(backbone):
    """Name a network; one in a folder without where that is: ``"keras_hub:dino"``.

    Parameters
    ----------
    backbone : str
        That of :class:`skart.FeatureExtractor`.

    Returns
    -------
    name : str
        Others, and presets and addresses, as they are.
    """
    preset = find_preset(backbone)
    if preset is None or not os.path.isabs(preset):
        return backbone
    return PREFIX + os.path.basename(preset)
