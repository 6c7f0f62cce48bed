"""Extract features on a Dask cluster, then train on them.

Without an address, two processes of this machine are the cluster. It takes a minute on
two cores, most of which the processes need to build their networks.

    python examples/scale_out.py
    python examples/scale_out.py tcp://10.0.0.5:8786
"""

import sys
import tempfile

from distributed import Client

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.distributed import extract
from skart.networks import available_backbone


def main(address=None):
    folder = tempfile.mkdtemp()
    root = make_paintings(
        f"{folder}/paintings", n_artists=4, n_per_artist=5, size_range=(150, 400)
    )
    paintings = load_image_folder(root)
    pipe = make_transfer_pipeline(
        backbone=available_backbone(), cache=f"{folder}/features", random_state=0
    )
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1"}
    with Client(address) if address else Client(**options) as client:
        report = extract(
            pipe["features"], paintings.paths, client=client, loader=pipe["load"]
        )
    print(f"{report.n_computed} paintings computed in {report.seconds:.0f} s")
    pipe.fit(paintings.paths, paintings.labels)  # reads the features from the store
    accuracy = pipe.score(paintings.paths, paintings.labels)
    print(f"accuracy on the same paintings: {accuracy:.0%}")


if __name__ == "__main__":  # worker processes import this file
    main(*sys.argv[1:])
