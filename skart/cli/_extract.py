"""``skart extract``: compute the features of a collection, also on many machines."""

import contextlib
import logging
import re
import time

from skart._utils import _interrupts as interrupts
from skart.cli import _options as options
from skart.cli._app import as_json, command, option, say

_INTERRUPTED = (
    "\nskart: interrupted. Features that came back are kept: the same command goes on. "
    "Ctrl-C again ends it at once."
)

# Environment variables by which libraries limit their threads.
_THREADS = (
    "LOKY_MAX_CPU_COUNT",  # of joblib, by which an ImageLoader counts cores
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


@command
@options.reads_collection
def extract(
    data: options.Data,
    scheduler: option(
        str | None,
        "Address of the scheduler of a Dask cluster, such as tcp://host:8786.",
        metavar="ADDRESS",
    ) = None,
    workers: option(
        int | None,
        "Number of worker processes on this machine, which share its cores.",
        min=1,
    ) = None,
    shard_size: option(
        int, "Number of paintings sent to a worker at a time.", min=1
    ) = 64,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    layer: option(
        str | None,
        "Layer of the features, such as mixed5, or 'last' (default: the layers that "
        "are recommended for style).",
    ) = None,
    size: option(
        int | None,
        "Height and width of the images in pixels. Default: that of the network, "
        "299 for InceptionV3 and 224 for EfficientNetLite0.",
        min=16,
    ) = None,
    dtype: options.Dtype = "float32",
    engine: options.Engine = "auto",
    on_error: options.OnError = "raise",
    cache: options.Cache = options.CACHE,
    format: options.Format = "table",
):
    """Compute and store the features of paintings ahead of `skart train`.

    With the same options, `skart train` finds them in the feature store. Paintings
    whose features are stored are not computed again, so that an interrupted run goes
    on. With --scheduler, files must have the same paths on all machines.

    Examples
    --------
        skart extract paintings/

        skart extract paintings/ --workers 8

        skart extract paintings/ --scheduler tcp://10.0.0.5:8786 --engine keras
    """
    if scheduler is not None and workers is not None:
        raise ValueError(
            "pass --scheduler, or --workers for processes on this machine, not both"
        )

    from skart.cli._collection import choose_backbone, load_unlabelled
    from skart.features._stored import open_writable
    from skart.model_selection import make_transfer_pipeline

    open_writable(cache)  # an error before paintings are read
    is_local = scheduler is None and workers is None
    backbone, weights = choose_backbone(backbone, weights, say)
    collection = load_unlabelled(data, say, on_error=on_error, opens_files=is_local)
    loader, extractor, _ = make_transfer_pipeline(
        size=size,
        backbone=backbone,
        weights=weights,
        layer=options.parse_layer(layer),
        dtype=dtype,
        engine=engine,
        cache=cache,
        on_error=options.of_loader(on_error),
    )
    paths = collection.paths
    say(f"Features: of {len(paths)} paintings, stored in {cache}")
    start = time.monotonic()
    with interrupts.announcing(_INTERRUPTED):
        if is_local:
            extractor.precompute(loader.transform(paths))
            report = {"n_images": len(paths), "seconds": time.monotonic() - start}
        else:
            from skart.distributed import extract

            with _connect(scheduler, workers) as client:
                report = extract(
                    extractor,
                    paths,
                    client=client,
                    shard_size=shard_size,
                    loader=loader,
                    on_error=on_error,
                )
    if format == "json":
        return as_json(report)
    counts = f" in {report['seconds']:.1f} s"
    if not is_local:
        counts += (
            f": {report['n_computed']} computed, {report['n_stored']} stored before"
        )
    return f"features of {len(paths)} paintings are stored{counts}"


@contextlib.contextmanager
def _connect(scheduler, n_workers):
    """Yield a client of the scheduler, or of `n_workers` processes of this machine."""
    from skart.distributed._extract import import_dask

    import_dask()
    import dask
    import joblib
    from distributed import Client, LocalCluster

    if scheduler is not None:
        if not re.fullmatch(r"\w+://.+:\d+", scheduler):
            raise ValueError(
                f"--scheduler {scheduler}: pass an address such as tcp://host:8786"
            )
        try:
            client = Client(scheduler, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--scheduler {scheduler}: no scheduler answers ({error}). Start one: "
                "dask scheduler"
            ) from None
        with client:
            yield client
        return
    n_threads = max(1, joblib.cpu_count() // n_workers)
    limits = dict.fromkeys(_THREADS, str(n_threads))
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": limits}),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client
