"""Presets of keras-hub, by name or folder."""

import os

PREFIX = "keras_hub:"


def find_preset(backbone):
    """Return the preset, address or absolute path in a backbone's name, or None."""
    if not isinstance(backbone, str) or not backbone.startswith(PREFIX):
        return None
    preset = backbone.removeprefix(PREFIX)
    path = os.path.expanduser(preset)
    is_path = os.path.isdir(path) or os.path.dirname(path)
    return os.path.abspath(path) if is_path and not is_address(backbone) else preset


def is_address(backbone):
    """Return whether a backbone is a remote address: ``hf://``, ``kaggle://``."""
    return str(backbone).startswith(PREFIX) and "://" in backbone


def list_files(backbone):
    """Return the files of a preset's folder, without metadata.json; else None."""
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
    """Return the name of a backbone, without the parents of a preset's folder."""
    preset = find_preset(backbone)
    if preset is None or not os.path.isabs(preset):
        return backbone
    return PREFIX + os.path.basename(preset)
