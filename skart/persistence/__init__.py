"""Fitted models as files: saving, loading and export.

A model file is a skops file [1]_, a zip of JSON and arrays without pickles, with one
more member: ``skart.json`` describes what was saved, when, and with which versions.

References
----------
.. [1] https://skops.readthedocs.io/en/stable/persistence.html
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
