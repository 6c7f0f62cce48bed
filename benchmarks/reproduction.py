"""Draw a collection of the shape of Pandora18K, and compare a plan with its run.

Draws 18,038 paintings of 18 movements by 30 artists each, prints the plan of ``skart
reproduce``, runs it, and prints planned and taken time, memory and disk as a Markdown
table. Options that this script doesn't have are those of ``skart reproduce``.

    python benchmarks/reproduction.py pandora_drawn/ --out run/ --no-cited \
        --size 64 --pretrained-size 160 --epochs 4 --head-epochs 10 \
        --n-networks 2 --n-heads 4
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import describe_machine

from skart.datasets import list_images, make_paintings

N_MOVEMENTS, N_ARTISTS = 18, 30


def draw(root, n_paintings):
    """Draw the paintings, unless they are there."""
    # There are ten drawn movements: eight are drawn again by other artists.
    done = root / f".{n_paintings}-paintings"
    if done.exists():
        return
    per_artist = -(-n_paintings // (N_MOVEMENTS * N_ARTISTS))
    for seed, suffix in enumerate(("", " II")):
        part = root.parent / f"{root.name}-{seed}"
        options = {"n_artists": N_ARTISTS, "n_per_artist": per_artist}
        make_paintings(
            part, **options, size_range=(240, 256), random_state=seed, n_jobs=2
        )
        root.mkdir(exist_ok=True)
        for movement in sorted(part.glob("[!.]*"))[: 10 - 2 * seed]:
            movement.rename(root / f"{movement.name}{suffix}")
    # The last paintings of artists, in turn.
    files = sorted(list_images(root), key=lambda path: (Path(path).stem, str(path)))
    for path in files[n_paintings:]:
        Path(path).unlink()
    done.touch()


def reproduce(data, out, options, *more):
    """Run ``skart reproduce``; return what it prints as JSON, and the seconds."""
    command = [sys.executable, "-m", "skart.cli", "reproduce", str(data)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--out", str(out), *options, "--format", "json", *more],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return json.loads(done.stdout), time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--n-paintings", type=int, default=18_038)
    parser.add_argument("--draw-only", action="store_true")
    args, options = parser.parse_known_args()
    started = time.perf_counter()
    draw(args.data, args.n_paintings)
    print(f"Drawn in {time.perf_counter() - started:.0f} s.", flush=True)
    if args.draw_only:
        return


if __name__ == "__main__":
    main()
