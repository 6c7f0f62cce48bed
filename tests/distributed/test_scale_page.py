"""The plan on the page of the guide is computed from measured costs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skart

ROOT = Path(skart.__file__).parents[1]
PAGE, COSTS = ROOT / "docs/guide/scale.md", ROOT / "benchmarks/scale_out.json"


@pytest.mark.skipif(not PAGE.exists(), reason="the guide is not installed")
def test_plan_is_computed_from_the_costs():
    done = subprocess.run(
        [sys.executable, "scale_out.py", "--table", "--costs", COSTS],
        cwd=ROOT / "benchmarks",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.startswith("| paintings |")
    assert done.stdout in PAGE.read_text("utf-8")
