"""Run the fast tests with other versions, and note the result in the guide.

    python .ci/check_versions.py --lowest               # the lowest allowed versions
    python .ci/check_versions.py --python python3.13    # the newest ones

Makes an environment by uv (.venv-lowest, .venv-3.13) and replaces the line of this
combination in docs/versions.jsonl, and the table in docs/guide/installation.md. Other
arguments are passed to pytest; they are noted, too.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "docs" / "versions.jsonl"
PAGE = ROOT / "docs" / "guide" / "installation.md"
COLUMNS = ("tensorflow", "keras", "scikit-learn", "numpy", "pandas")
MARK = "<!-- written by .ci/check_versions.py: {} -->"

# Old versions of other packages may warn of new versions of what they use: warnings
# are errors where skart is meant, and scikit-learn's announcements.
FILTERS = "default\nerror::FutureWarning:(skart|sklearn)\nerror:::skart\n" + (
    "ignore:the feature store .* is on a network file system"
)

DESCRIBE = """
import json, platform
from importlib.metadata import distributions
packages = {x.name.lower().replace('_', '-'): x.version for x in distributions()}
print(json.dumps({"python": platform.python_version(), "packages": packages}))
"""


def as_table(runs):
    """Return the table of the guide."""
    lines = [
        f"| Python | versions | {' | '.join(COLUMNS)} | tests | result | date |",
        "|---" * (5 + len(COLUMNS)) + "|",
    ]
    for run in runs:
        result = f"{run['passed']:,} passed, {run['skipped']} skipped"
        if run["failed"]:
            result += f", {run['failed']} failed"
        versions = [run["packages"][name] for name in COLUMNS]
        cells = [run["python"], run["versions"], *versions]
        lines.append(f"| {' | '.join([*cells, run['tests'], result, run['date']])} |")
    return "\n".join(lines)


def read_runs():
    return [json.loads(line) for line in RUNS.read_text("utf-8").splitlines()]


def note(run):
    """Replace the run of the same combination, and the table."""
    same = run["versions"], run["python"].rpartition(".")[0]
    runs = [
        one
        for one in (read_runs() if RUNS.exists() else [])
        if (one["versions"], one["python"].rpartition(".")[0]) != same
    ]
    runs = sorted([*runs, run], key=lambda one: (one["versions"], one["python"]))
    RUNS.write_text("".join(f"{json.dumps(one)}\n" for one in runs), "utf-8")
    begin, end = MARK.format("begin"), MARK.format("end")
    text = PAGE.read_text("utf-8")
    table = f"{begin}\n\n{as_table(runs)}\n\n{end}"
    pattern = f"{re.escape(begin)}.*{re.escape(end)}"
    PAGE.write_text(re.sub(pattern, lambda _: table, text, flags=re.S), "utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lowest", action="store_true")
    parser.add_argument("--python", default="3.11", help="default: 3.11")
    options, arguments = parser.parse_known_args()

    import uv

    call = [uv.find_uv_bin(), "--quiet"]
    name = re.search(r"3\.\d+|$", options.python)[0] or "other"
    folder = ROOT / f".venv-{'lowest' if options.lowest else name}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    make = ["venv", "--clear", "--python", options.python, str(folder)]
    subprocess.run([*call, *make], check=True)
    install = ["pip", "install", "--python", str(python), "--editable", ".[test]"]
    if options.lowest:
        install += ["--resolution", "lowest-direct"]
    subprocess.run([*call, *install], check=True, cwd=ROOT)
    report = folder / "tests.xml"
    tests = [python, "-m", "pytest", f"--junitxml={report}", *arguments]
    if options.lowest:
        tests += ["--override-ini", f"filterwarnings={FILTERS}"]
    status = subprocess.run(tests, cwd=ROOT, check=False).returncode
    if status not in (0, 1):  # there is no result
        return status
    described = subprocess.run(
        [python, "-I", "-c", DESCRIBE], check=True, capture_output=True, text=True
    )
    described = json.loads(described.stdout)
    counts = ET.parse(report).find("testsuite").attrib
    failed = int(counts["failures"]) + int(counts["errors"])
    skipped = int(counts["skipped"])
    note(
        {
            "date": str(datetime.date.today()),
            "system": f"{platform.system()} {platform.machine()}",
            "python": described["python"],
            "versions": "lowest" if options.lowest else "newest",
            "tests": " ".join(x for x in arguments if "/" in x) or "fast",
            "passed": int(counts["tests"]) - failed - skipped,
            "skipped": skipped,
            "failed": failed,
            "packages": described["packages"],
        }
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
