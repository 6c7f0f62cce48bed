"""A fitted model as one file that is safe to open, and back.

The file is one of skops [1]_, a zip of JSON and of arrays without pickles, with one
member more: ``skart.json`` tells what was saved, when, and with which versions.

References
----------
.. [1] https://skops.readthedocs.io/en/stable/persistence.html
"""

from skart.persistence._file import ModelFileError
from skart.persistence._model import load_model, model_info, save_model

__all__ = ["ModelFileError", "load_model", "model_info", "save_model"]
