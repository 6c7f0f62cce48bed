"""A fitted model as one file that is safe to open, and back.

The file is one of skops [1]_, a zip of JSON and of arrays without pickles, with one
member more: ``skart.json`` tells what was saved, when, and with which versions.

References
----------
.. [1] https://skops.readthedocs.io/en/stable/persistence.html
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
