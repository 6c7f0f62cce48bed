"""Where labelled paintings come from: a folder, a catalogue, or a seeded brush."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
