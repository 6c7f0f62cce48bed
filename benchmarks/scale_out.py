"""Measure what extraction on many machines costs, and plan larger ones from it.

The cost of a shard by part, the speed of one to four workers on this machine, and a
simulation of 200 workers that only wait, which checks the model of the plan. The costs
are written to a JSON file, from which --table prints the plan of docs/guide/scale.md.

    python benchmarks/scale_out.py --costs benchmarks/scale_out.json
    python benchmarks/scale_out.py --costs benchmarks/scale_out.json --table
"""

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dask
import joblib
import numpy as np
import psutil
from common import describe_machine
from distributed import Client

from skart import Encoder, FeatureExtractor, FeatureStore, ImageLoader
from skart._utils._files import file_stamp
from skart.cli._extract import _connect
from skart.datasets import list_images, make_paintings
from skart.distributed import extract

SHARD_SIZE = 64
N_FEATURES = 424  # EfficientNetLite0, layer="style"
SIZE = 224

# What a worker watches of its own process, many times a second: 200 workers in one
# process would do little else.
QUIET_WORKERS = {
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.admin.tick.interval": "1h",
    "distributed.worker.profile.enabled": False,
}

# Not measured here: a GPU, the processors beside it, and files of museums.
GPU_IMAGES_A_SECOND = 1500
CORES_PER_GPU = 8
MEGABYTES_PER_FILE = 1


def wait(images, seconds):
    """Stand in for a network: wait, and return as many numbers as a shard has."""
    time.sleep(seconds)
    fill = images.mean(axis=(1, 2, 3), keepdims=True).reshape(-1, 1)
    return np.repeat(fill, SHARD_SIZE * N_FEATURES, axis=1)


def return_rows(specification, paths, n_rows):
    return np.ones((n_rows, N_FEATURES), np.float32)


def make_tiny_files(folder, n_files):
    """Write images of different sizes, so no copies, that are decoded in no time."""
    folder.mkdir()
    paths = [folder / f"{i:06}.ppm" for i in range(n_files)]
    for i, path in enumerate(paths):
        path.write_bytes(b"P6 8 8 255\n" + i.to_bytes(4, "big") * 48 + bytes(i))
    return list(map(str, paths))


def extract_by_waiting(paths, seconds, folder, client):
    """Return the seconds of `extract` if each shard, of one image, only waits."""
    # Workers are threads of this process, or have the folder of this file.
    from scale_out import wait

    function = functools.partial(wait, seconds=seconds)
    with tempfile.TemporaryDirectory(dir=folder) as store:
        extractor = FeatureExtractor(Encoder(function, name="wait"), cache=store)
        start = time.perf_counter()
        report = extract(
            extractor,
            paths,
            client=client,
            loader=ImageLoader(8, n_threads=1),
            shard_size=1,
            verbose=False,
        )
        assert report.n_computed == len(paths)
        return time.perf_counter() - start


def make_extractor(cache):
    return FeatureExtractor(
        "EfficientNetLite0", layer="style", cache=cache, verbose=False
    )


def measure_parts(paths, folder):
    """Return seconds of an image by part, on one core, and of writing a shard."""
    n, costs = len(paths), {}

    def measure(name, function, per=n):
        start = time.perf_counter()
        result = function()
        costs[name] = (time.perf_counter() - start) / per
        return result

    store = FeatureStore(folder / "parts")
    digests = measure("digest", lambda: store.digest_files(paths))
    lazy = ImageLoader(SIZE, n_threads=1).transform(paths)
    images = measure("decode", lambda: np.asarray(lazy))
    extractor = make_extractor(None)
    extractor.transform(images[:8])
    measure("forward", lambda: extractor.transform(images), n / joblib.cpu_count())
    rows, section = np.ones((n, N_FEATURES), "f4"), store.section({"of": "parts"})
    names = [f"{path}x" for path in paths]
    learned = {
        name: ((1, 2, 3, 4), digest)
        for name, digest in zip(names, digests, strict=True)
    }

    def write(n_shards):
        for start in range(0, n, n_shards * SHARD_SIZE):
            part = slice(start, start + n_shards * SHARD_SIZE)
            section.write(digests[part], rows[part])
            store.remember_digests({name: learned[name] for name in names[part]})

    n_shards = -(-n // SHARD_SIZE)
    measure("write a shard alone", lambda: write(1), n_shards)
    # As if the client lags behind: what has come back is written together.
    section, names = store.section({"of": "others"}), [f"{path}y" for path in paths]
    learned |= dict(zip(names, learned.values(), strict=False))
    measure("write a shard", lambda: write(n_shards), n_shards)

    def look_up():
        stamps = list(map(file_stamp, paths))
        section.missing(store.recall_digests(paths, stamps))

    measure("look up", look_up)
    return costs


def measure_round_trip(client, n_rounds):
    """Return the seconds of a task that computes nothing, and of returning rows."""
    paths = [
        f"/collections/museum/movement/artist/{i:09}.jpg" for i in range(SHARD_SIZE)
    ]
    seconds = {}
    for n_rows in (0, SHARD_SIZE):
        times = []
        for _ in range(n_rounds):
            start = time.perf_counter()
            client.submit(return_rows, b"x" * 500, paths, n_rows, pure=False).result()
            times.append(time.perf_counter() - start)
        seconds[n_rows] = float(np.median(times))
    return {
        "send a shard": seconds[0],
        "return a shard": max(0, seconds[SHARD_SIZE] - seconds[0]),
    }


def measure_speed(paths, n_workers, folder):
    """Return images a second: of one process (0), or of workers of this machine."""
    cache = folder / f"speed-{n_workers}"
    n_first = 16 * max(n_workers, 1)  # not timed: networks are built
    if not n_workers:
        load = ImageLoader(SIZE)
        extractor = make_extractor(cache).precompute(load.transform(paths[:n_first]))
        start = time.perf_counter()
        extractor.precompute(load.transform(paths))
        return (len(paths) - n_first) / (time.perf_counter() - start), {}
    with _connect(None, n_workers) as client:
        options = {"client": client, "loader": ImageLoader(SIZE), "verbose": False}
        extractor = make_extractor(cache)
        extract(extractor, paths[:n_first], shard_size=8, **options)
        start = time.perf_counter()
        extract(extractor, paths, shard_size=16, **options)
        speed = (len(paths) - n_first) / (time.perf_counter() - start)
        trip = measure_round_trip(client, 50) if n_workers == 1 else {}
        return speed, trip


@contextlib.contextmanager
def start_processes(folder):
    """Start a scheduler, and 16 threads of one worker: a client, and the scheduler."""
    file = folder / "scheduler.json"
    here = Path(__file__).resolve().parent
    environment = os.environ | {"PYTHONPATH": f"{here.parent}{os.pathsep}{here}"}
    commands = [
        ["scheduler", "--port=0", "--dashboard-address=127.0.0.1:0"],
        ["worker", "--nthreads=16", "--no-nanny", "--no-dashboard"],
    ]
    processes = []
    try:
        for name, *options in commands:
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}"]
            command += [f"--scheduler-file={file}", "--host=127.0.0.1", *options]
            processes.append(
                subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            )
            while not file.exists():
                time.sleep(0.1)
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            yield client, psutil.Process(processes[0].pid)
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def measure_overhead(paths, folder):
    """Return the processor seconds of a shard in the scheduler and in the client."""
    with start_processes(folder) as (client, scheduler):
        extract_by_waiting(paths[:100], 0, folder, client)
        before, own = sum(scheduler.cpu_times()[:2]), time.process_time()
        extract_by_waiting(paths, 0, folder, client)
        return {
            "scheduler a shard": (sum(scheduler.cpu_times()[:2]) - before) / len(paths),
            "client a shard": (time.process_time() - own) / len(paths),
        }


def simulate(paths, n_workers, seconds, folder):
    """Return seconds of 200 workers that wait, of the model, and memory in MB."""
    with (
        dask.config.set(QUIET_WORKERS),
        Client(
            processes=False,
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            set_as_default=False,
        ) as client,
    ):
        extract_by_waiting(paths[: 2 * n_workers], 0, folder, client)
        # Scheduler, workers and client share a process here, and add up.
        n_probed = min(len(paths), 1000)
        overhead = extract_by_waiting(paths[:n_probed], 0, folder, client) / n_probed
        seconds = seconds or 1.5 * overhead * n_workers
        process = psutil.Process()
        memory = [process.memory_info().rss / 1e6]
        found = extract_by_waiting(paths, seconds, folder, client)
        memory.append(process.memory_info().rss / 1e6)
    return {
        "workers": n_workers,
        "shards": len(paths),
        "seconds of a shard": seconds,
        "overhead of a shard": overhead,
        "seconds": found,
        "seconds of the model": len(paths) * max(seconds / n_workers, overhead),
        "memory before and after, MB": memory,
    }


def plan(costs, n_images, n_workers, *, on_gpu=False):
    """Return what the model says of an extraction, as a dict.

    Workers, the scheduler and the client work at the same time; the slowest of them
    decides. Shards are on their way while workers compute others. A worker on a
    processor has one core; decoding and the network take turns. On a GPU, several cores
    decode beside the network.
    """
    parts = costs["parts"]
    per_image = reading = parts["digest"] + parts["decode"]
    per_image += parts["forward"]
    if on_gpu:
        per_image = max(reading / CORES_PER_GPU, 1 / GPU_IMAGES_A_SECOND)
    shard = SHARD_SIZE * per_image
    central = {name: parts[f"{name} a shard"] for name in ("scheduler", "client")}
    central["client"] += parts["write a shard"] + SHARD_SIZE * parts["look up"]
    interval = max(shard / n_workers, *central.values())
    hours = n_images / SHARD_SIZE * interval / 3600
    return {
        "hours": hours,
        "features, GB": n_images * costs["bytes per image"] / 1e9,
        "read, MB/s": n_images * MEGABYTES_PER_FILE / hours / 3600,
        "scheduler": central["scheduler"] / interval,
        "client": central["client"] / interval,
        "most workers": int(shard / max(central.values())),
    }


def print_table(costs):
    """Print the plan of several collections and clusters as a Markdown table."""
    print(
        "| paintings | workers | hours | features | read | scheduler busy | client "
        "busy | more workers help up to |\n|---|---|---|---|---|---|---|---|"
    )
    clusters = [(16, False), (200, False), (8, True), (64, True)]
    for power in (5, 6, 8):
        for n_workers, on_gpu in clusters:
            made = plan(costs, 10**power, n_workers, on_gpu=on_gpu)
            kind = "GPUs" if on_gpu else "cores"
            print(
                f"| 10^{power} | {n_workers} {kind} | {made['hours']:,.2g} | "
                f"{made['features, GB']:,.3g} GB | {made['read, MB/s']:,.0f} MB/s | "
                f"{made['scheduler']:.0%} | {made['client']:.0%} | "
                f"{made['most workers']:,} |".replace("e+02", "00")
            )


def print_measured(costs):
    """Print the costs and the simulation as Markdown tables."""
    print("| part | milliseconds |\n|---|---|")
    for name, seconds in costs["parts"].items():
        per = "" if "shard" in name else ", an image"
        print(f"| {name}{per} | {1000 * seconds:.3g} |")
    print("\n| processes | images a second | of one process |\n|---|---|---|")
    for n_workers, speed in costs["speeds"].items():
        what = "one process" if n_workers == "0" else f"workers: {n_workers}"
        print(f"| {what} | {speed:.1f} | {speed / costs['speeds']['0']:.0%} |")
    print("\n| simulation | |\n|---|---|")
    for name, value in costs["simulation"].items():
        values = value if isinstance(value, list) else [value]
        texts = [f"{x:,}" if isinstance(x, int) else f"{x:,.4g}" for x in values]
        print(f"| {name} | {', '.join(texts)} |")
    print(f"\n{costs['machine']}")


def measure(args, folder):
    """Return all costs as a dict."""
    drawn = make_paintings(
        folder / "paintings",
        n_artists=4,
        n_per_artist=-(-args.images // 40),
        verbose=False,
    )
    paths = list_images(drawn)[: args.images]
    tiny = make_tiny_files(folder / "tiny", args.shards)
    time.sleep(2.1)  # newer files are digested again each time
    parts, speeds = measure_parts(paths, folder), {}
    for n_workers in (0, *args.workers):
        speeds[str(n_workers)], more = measure_speed(paths, n_workers, folder)
        parts = more | parts
    parts |= measure_overhead(tiny[:2000], folder)
    stored = FeatureStore(folder / "speed-0").info()
    return {
        "machine": describe_machine("distributed", "openvino", "tensorflow"),
        "parts": parts,
        "bytes per image": stored["bytes"] / len(paths),
        "speeds": speeds,
        "simulation": simulate(tiny, args.simulated, args.seconds, folder),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--costs", type=Path, help="JSON file to write, or to read")
    parser.add_argument("--table", action="store_true", help="print the plan only")
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--simulated", type=int, default=200, help="waiting workers")
    parser.add_argument(
        "--seconds",
        type=float,
        help="of a waiting shard; default: as long as it takes "
        "the process to serve the workers, and half as long again",
    )
    args = parser.parse_args()
    if args.table:
        print_table(json.loads(args.costs.read_text()))
        return
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(args, Path(folder))
    if args.costs:
        args.costs.write_text(json.dumps(costs, indent=2) + "\n")
    print_measured(costs)
    print()
    print_table(costs)


if __name__ == "__main__":
    main()
