"""The plan of a reproduction, and what was used beside it."""

import json
import sys

import pandas as pd
import pytest
from helpers import run

from skart.datasets import make_paintings
from skart.reproduction._apart import compare_artists, format_artists
from skart.reproduction._plan import Plan
from skart.reproduction._usage import (
    check_disk,
    compare_usage,
    describe_plan,
    format_minutes,
    format_plan,
    format_usage,
)

SMALL = ["--quick", "--size", "32", "--pretrained-size", "75", "--epochs", "9"]
SMALL += ["--n-networks", "2", "--n-heads", "2", "--head-epochs", "2", "--no-cited"]
SMALL += ["--backbone", "EfficientNetLite0"]


def make_plan(**changes):
    plan = {
        "seconds": {"vgg-lite": 60, "transfer": 7200.0, "cited-arora2012": None},
        "at_most": {"transfer"},
        "memory": 10**9,
        "kept": 4 * 10**6,
        "fits": 10**6,
        "pixels": 2 * 10**6,
    }
    return Plan(**{**plan, **changes})


def test_plan_is_a_table(tmp_path):
    described = describe_plan(make_plan(), tmp_path)
    assert described["problems"] == [] and described["minutes"] == 121
    text = format_plan(described)
    assert "vgg-lite" in text and "60 seconds" in text
    assert "at most 2 hours" in text and "at most 2.02 hours" in text
    assert "not known" in text and "Memory: 1.0 GB" in text
    assert f"4 MB in {tmp_path}" in text


def test_lack_of_disk_is_an_error_before_the_run(tmp_path):
    out = tmp_path / "none" / "yet"
    check_disk(make_plan(), out)
    for name in ("kept", "fits", "pixels"):
        plan = make_plan(**{name: 10**18})
        with pytest.raises(OSError, match="needs 1000000000.0 GB on the disk of .*TMP"):
            check_disk(plan, out)
        assert "Warning: the reproduction needs" in format_plan(
            describe_plan(plan, out)
        )
    assert not out.parent.exists()


def test_lack_of_memory_is_a_warning(tmp_path):
    (problem,) = describe_plan(make_plan(memory=10**18), tmp_path)["problems"]
    assert "of memory" in problem and "Close other programs" in problem
    check_disk(make_plan(memory=10**18), tmp_path)


def test_memory_that_is_not_known(tmp_path):
    described = describe_plan(make_plan(memory=None), tmp_path)
    assert "Memory: not known." in format_plan(described)
    planned = {"memory": None, "kept": 4e6, "seconds": {}}
    table = format_usage(compare_usage(planned, {}, {}, tmp_path))
    assert table.loc["memory, GB", "planned"] == "not known"


def test_planned_stands_beside_used(tmp_path):
    (tmp_path / "features").write_bytes(b"x" * 3_000_000)
    (tmp_path / "paintings").mkdir()  # drawn by --quick
    (tmp_path / "paintings" / "a.jpg").write_bytes(b"x" * 3_000_000)
    planned = {"memory": 2e9, "kept": 4e6, "seconds": {"hybrid": 90.0}}
    results = {"hybrid": {"minutes": 2.0}, "vgg-lite": {"minutes": 1.0}}
    cited = {"arora2012": {"failed": "too few"}, "khan2014": {"minutes": 3.0}}
    table = compare_usage(planned, results, cited, tmp_path)
    assert table.loc["hybrid, minutes"].tolist() == [1.5, 2.0]
    assert pd.isna(table.loc["vgg-lite, minutes", "planned"])
    assert table.loc["cited-khan2014, minutes", "used"] == 3
    assert not table.index.str.contains("arora").any()
    assert table.loc["disk, GB"].tolist() == pytest.approx([0.004, 0.003], rel=0.01)
    assert format_usage(table).loc["vgg-lite, minutes"].tolist() == ["not known", "1"]


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(0.5, "30 seconds"), (12.34, "12.3 minutes"), (300, "5 hours"), (None, "not k")],
)
def test_times_are_rounded(minutes, text):
    assert format_minutes(minutes).startswith(text)


def test_artists_apart_stand_beside_the_random_split():
    accuracies = {"random split": [0.8, 0.7, 0.9], "artists apart": [0.6, 0.5, 0.65]}
    leakage = dict.fromkeys(("reported-head", "transfer"), {"accuracies": accuracies})
    table = compare_artists({"leakage": leakage})
    assert len(table) == 2
    row = table.loc["frozen network, head by search"]
    assert row[["artists apart", "artists apart high"]].tolist() == [60, 65]
    shown = format_artists(table)["frozen network, head by search"]
    assert shown["random split"] == "80.0 % (70.0 to 90.0)"
    # Without artists, there is no such table.
    assert len(compare_artists({})) == 0


@pytest.mark.parametrize("out", ["a file", "a file/out", "/proc/none"])
def test_unusable_folder_is_an_error_before_the_plan(out, tmp_path):
    if out.startswith("/proc") and sys.platform != "linux":
        pytest.skip("only Linux has /proc")
    (tmp_path / "a file").touch()
    out = tmp_path / out
    done = run("reproduce", "--quick", "--out", out, code=2)
    assert f"--out {out}: " in done.stderr and "Network:" not in done.stderr


@pytest.mark.slow
def test_plan_stops_before_the_first_experiment(tmp_path):
    options = {"movements": ["Op Art", "Cubism"], "size_range": (80, 96)}
    root = make_paintings(
        tmp_path / "paintings", n_artists=4, n_per_artist=4, verbose=False, **options
    )
    out = tmp_path / "out"
    done = run("reproduce", root, "--out", out, *SMALL, "--plan", "--format", "json")
    assert done.exit_code == 0, done.stderr
    plan = json.loads(done.stdout)
    at_most = {row["experiment"]: row["at_most"] for row in plan["experiments"]}
    # Nine epochs may stop after eight, two of a head can't after ten.
    assert at_most == {
        "vgg-lite": True,
        "hybrid": True,
        "reported-head": False,
        "transfer": False,
        "fine-tune": True,
        "leakage": True,
    }
    assert all(row["minutes"] > 0 for row in plan["experiments"])
    # Floats: minutes of a sum are not the sum of minutes to the last bit.
    total = sum(row["minutes"] for row in plan["experiments"])
    assert plan["minutes"] == pytest.approx(total)
    assert min(plan["memory"], *plan["disk"].values()) > 0
    assert not out.exists()

    # Of a finished reproduction, only what is missing is planned.
    done = run("reproduce", root, "--out", out, *SMALL, "--epochs", "2")
    assert done.exit_code == 0, done.stderr
    (out / "transfer.json").unlink()
    before = sorted(out.rglob("*"))
    options = [*SMALL, "--epochs", "2", "--plan", "--format", "json"]
    again = json.loads(run("reproduce", root, "--out", out, *options).stdout)
    assert [row["experiment"] for row in again["experiments"]] == ["transfer"]
    assert sorted(out.rglob("*")) == before
