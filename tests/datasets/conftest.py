"""Servers of documents for the tests of collections that lie elsewhere."""

import pytest
from museum import Museum


@pytest.fixture
def museum():
    pytest.importorskip("httpcore")
    with Museum() as museum:
        yield museum


@pytest.fixture
def other():
    with Museum() as museum:
        yield museum
