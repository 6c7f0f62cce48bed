"""Clusters for the tests of work on many machines."""

import pytest
from dask_clusters import Cluster
from distributed import Client


@pytest.fixture(scope="module")
def client():
    """A client of two workers that are threads of this process."""
    with Client(
        processes=False,
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
    ) as client:
        yield client


@pytest.fixture
def start_cluster(tmp_path):
    """Return a function that starts a scheduler and two workers."""
    clusters = []

    def start(**environment):
        clusters.append(Cluster(tmp_path, environment))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.close()
