"""Where labelled paintings come from: a folder, a catalogue, or a seeded brush."""

from skart.datasets._audit import Audit, audit
from skart.datasets._folder import list_images, load_catalogue, load_image_folder
from skart.datasets._pandora import load_pandora18k
from skart.datasets._procedural import make_paintings

__all__ = [
    "Audit",
    "audit",
    "list_images",
    "load_catalogue",
    "load_image_folder",
    "load_pandora18k",
    "make_paintings",
]
