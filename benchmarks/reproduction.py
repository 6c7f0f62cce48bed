r"""Draw a collection of the shape of Pandora18K, and compare a plan with its run.

Draws 18,038 paintings of 18 movements by 30 artists each, prints the plan of ``skart
reproduce``, runs it, and prints planned and taken time, memory and disk as a Markdown
table. Options that this script doesn't have are those of ``skart reproduce``.

    python benchmarks/reproduction.py pandora_drawn/ --out run/ --no-cited \
        --size 48 --pretrained-size 160 --epochs 3 --head-epochs 20 \
        --n-networks 2 --n-heads 4
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from common import describe_machine

from skart.datasets import list_images, make_paintings

N_MOVEMENTS, N_ARTISTS = 18, 30


def draw(root, n_paintings):
    """Draw the paintings, unless the folder exists."""
    if root.exists():
        return
    per_artist = -(-n_paintings // (N_MOVEMENTS * N_ARTISTS))
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        whole = Path(folder, "whole")
        whole.mkdir()
        # There are ten drawn movements: eight are drawn again by other artists.
        for seed, suffix in enumerate(("", " II")):
            part = Path(folder, f"part {seed}")
            options = {"n_artists": N_ARTISTS, "n_per_artist": per_artist}
            make_paintings(
                part, **options, size_range=(240, 256), random_state=seed, n_jobs=2
            )
            for movement in sorted(part.glob("[!.]*"))[: 10 - 2 * seed]:
                movement.rename(whole / f"{movement.name}{suffix}")
        # The last paintings of artists, in turn.
        order = sorted(list_images(whole), key=lambda path: (Path(path).stem, path))
        for path in order[n_paintings:]:
            Path(path).unlink()
        whole.rename(root)


def reproduce(*arguments):
    """Run ``skart reproduce``; return what it prints as JSON, and the seconds."""
    command = [sys.executable, "-m", "skart.cli", "reproduce", *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--format", "json"], stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout), time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder, new or drawn before")
    parser.add_argument("--out", type=Path, help="new folder (default: temporary)")
    parser.add_argument("--n-paintings", type=int, default=18_038)
    parser.add_argument("--plan", action="store_true", help="do not run it")
    args, options = parser.parse_known_args()
    started = time.perf_counter()
    draw(args.data, args.n_paintings)
    print(f"Drawn in {time.perf_counter() - started:.0f} s.", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        compare(args, [args.data, "--out", args.out or folder, *options])
    print(f"\n`{' '.join(map(str, options))}`; {describe_machine()}")


def compare(args, common):
    """Print a plan, and what was used beside it."""
    plan, seconds = reproduce(*common, "--plan")
    print(f"Planned in {seconds:.0f} s: {plan['minutes']:.1f} minutes.", flush=True)
    if args.plan:
        return
    result, seconds = reproduce(*common)
    print(f"Run in {seconds / 60:.1f} minutes, planning and drawing the page included.")
    usage = pd.DataFrame(result["usage"]).set_index("what")
    minutes = usage[usage.index.str.endswith("minutes")].sum()
    usage.loc["all experiments, minutes"] = minutes
    usage["used / planned"] = usage["used"] / usage["planned"]
    print("\n| | planned | used | used / planned |\n|---|---|---|---|")
    for name, row in usage.iterrows():
        print(f"| {name} | " + " | ".join(f"{x:.3g}" for x in row) + " |")


if __name__ == "__main__":
    main()
