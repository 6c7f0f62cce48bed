"""Fitted pipelines that can be exported."""

import pytest
from exported_models import MOVEMENTS, make


@pytest.fixture(scope="session")
def exportable(image_paths, toy_backbone):
    """Return a function that returns a fitted pipeline of a kind; read only."""
    fitted = {}

    def get(kind):
        if kind not in fitted:
            fitted[kind] = make(kind).fit(image_paths, MOVEMENTS)
        return fitted[kind]

    return get
