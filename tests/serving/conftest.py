"""An application of a small model and its paintings."""

import pytest
from served_models import save_served
from starlette.testclient import TestClient

from skart.serving import make_app


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of models, paintings and the feature store."""
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="session")
def paintings(folder):
    """The paintings as a Bunch; the models are saved with them."""
    return save_served(folder)


@pytest.fixture(scope="session")
def make_client(folder, paintings):
    """Return a function that makes a client of an application."""

    def make_client(name="model.skart", *, base_url="http://localhost:8000", **options):
        app = make_app(folder / name, cache=folder / "store", **options)
        return TestClient(app, base_url)

    return make_client


@pytest.fixture(scope="session")
def client(make_client, paintings):
    """A client of the calibrated model with a collection."""
    return make_client(data=paintings, alpha=0.2)
