"""Measure what an installation of skart weighs, and what each extra adds.

Installs the working copy into new environments by uv, and adds up the files of each
distribution, without the byte code that Python adds later. Prints Markdown tables.

    python benchmarks/install_size.py
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import uv

ROOT = Path(__file__).parents[1]
# Those of developers.
NOT_FOR_USERS = {"bench", "docs", "release", "test", "test-slow"}
TENSORFLOW = {"keras", "scikeras", "tensorflow"}

MEASURE = """
import json
from importlib.metadata import distributions
sizes = {}
for one in distributions():
    files = [file.locate() for file in one.files or () if file.suffix != ".pyc"]
    sizes[one.name.lower()] = sum(x.stat().st_size for x in files if x.is_file())
print(json.dumps(sizes))
"""


def measure(*requirements):
    """Return the MB of each distribution in a new environment."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "bin" if sys.platform != "win32" else "Scripts", "python")
        call = [uv.find_uv_bin(), "--quiet"]
        subprocess.run([*call, "venv", "--python", sys.executable, folder], check=True)
        install = [*call, "pip", "install", "--python", str(python), *requirements]
        subprocess.run(install, check=True)
        found = subprocess.run(
            [python, "-I", "-c", MEASURE], check=True, capture_output=True, text=True
        )
    return {name: size / 1e6 for name, size in json.loads(found.stdout).items()}


def print_table(head, rows):
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--least", type=float, default=5, help="MB that are named")
    options = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    print(
        f"{datetime.date.today()}; {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}."
    )
    base = measure(str(ROOT))
    total = sum(base.values())
    required = [
        line
        for line in project["dependencies"]
        if line.partition(">=")[0] not in TENSORFLOW
    ]
    without = sum(measure(*required).values()) + base["skart"]
    large = sorted(base, key=base.get, reverse=True)
    large = [name for name in large if base[name] >= options.least]
    rows = [[name, f"{base[name]:,.0f} MB"] for name in large]
    rest = total - sum(base[name] for name in large)
    rows += [
        [f"{len(base) - len(large)} others", f"{rest:,.0f} MB"],
        ["**`pip install skart`**", f"**{total:,.0f} MB**"],
        ["without TensorFlow, Keras and SciKeras", f"{without:,.0f} MB"],
    ]
    print_table(["package", "installed size"], rows)
    rows = []
    for extra in sorted(project["optional-dependencies"].keys() - NOT_FOR_USERS):
        sizes = measure(f"{ROOT}[{extra}]")
        new = sorted(sizes.keys() - base.keys(), key=sizes.get, reverse=True)
        added = sum(sizes.values()) - total
        rows.append([f"`{extra}`", f"{added:,.0f} MB", ", ".join(new[:4])])
    print_table(["extra", "adds", "its largest packages"], rows)


if __name__ == "__main__":
    main()
