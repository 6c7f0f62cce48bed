"""Memory and disk of this machine, and a plan beside what was used."""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd


def peak_memory():
    """Return the largest memory of this process so far in bytes; None on Windows."""
    status = _read_proc("/proc/self/status")
    if "VmHWM" in status:
        return status["VmHWM"]
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _read_proc(file):
    """Return the sizes in a file of /proc in bytes, or none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: 1024 * int(size.split()[0]) for name, size in pairs}


def size_of_folder(folder):
    """Return the size of the files in a folder in bytes."""
    total = 0
    for file in Path(folder).rglob("*"):
        with contextlib.suppress(OSError):  # deleted meanwhile
            total += file.stat().st_size if file.is_file() else 0
    return total


def _size_of_results(out):
    """Return the size of a reproduction in bytes, without paintings that it drew."""
    return size_of_folder(out) - size_of_folder(out / "paintings")


def check_disk(plan, out):
    """Raise OSError if a reproduction that is planned does not fit on the disk."""
    problems = _find_lack_of_disk(plan, out)
    if problems:
        raise OSError(problems[0])


def describe_plan(plan, out):
    """Return a plan as plain values."""
    problems = _find_lack_of_disk(plan, out)
    available = _read_proc("/proc/meminfo").get("MemAvailable")
    if available and plan.memory and plan.memory > available + peak_memory():
        problems.append(
            f"the reproduction needs about {format_bytes(plan.memory)} of memory, and "
            f"{format_bytes(available)} are available: it may be slow, or be ended by "
            "the system. Close other programs, or pass a smaller --size or "
            "--pretrained-size."
        )
    return {
        "experiments": [
            {
                "experiment": name,
                "minutes": None if seconds is None else seconds / 60,
                "at_most": name in plan.at_most,
            }
            for name, seconds in plan.seconds.items()
        ],
        "minutes": plan.total / 60,
        "memory": plan.memory,
        "disk": {"kept": plan.kept, "fits": plan.fits, "pixels": plan.pixels},
        "folders": {"out": str(out), "temporary": tempfile.gettempdir()},
        "problems": problems,
    }


def _find_lack_of_disk(plan, out):
    folder = out.absolute()
    while not folder.exists():
        folder = folder.parent
    temporary = Path(tempfile.gettempdir())
    # An interrupted run has written a part of it.
    in_out = max(0, plan.kept + plan.fits - _size_of_results(out))
    needed = {folder: in_out, temporary: plan.pixels}
    if os.stat(folder).st_dev == os.stat(temporary).st_dev:
        needed = {folder: in_out + plan.pixels}
    free = {folder: shutil.disk_usage(folder).free for folder in needed}
    return [
        f"the reproduction needs {format_bytes(needed[folder])} on the disk of "
        f"{str(folder)!r}, which has {format_bytes(free[folder])} free. Pass another "
        "folder as --out, or as the environment variable TMPDIR for the pixels of "
        "networks from scratch, or a smaller --size or --pretrained-size."
        for folder in needed
        if needed[folder] > free[folder]
    ]


def format_plan(described):
    """Return what `describe_plan` returns as a text."""
    times = {
        row["experiment"]: ("at most " if row["at_most"] else "")
        + format_minutes(row["minutes"])
        for row in described["experiments"]
    }
    if not times:
        return "All experiments are finished."
    is_bound = "at most " in "".join(times.values())
    times["all"] = ("at most " if is_bound else "") + format_minutes(
        described["minutes"]
    )
    disk, folders = described["disk"], described["folders"]
    lines = [
        *pd.Series(times, name="time").to_string().splitlines(),
        "",
        f"Memory: {format_bytes(described['memory'])}. Disk: "
        f"{format_bytes(disk['kept'])} in {folders['out']}, and for a time "
        f"{format_bytes(disk['fits'])} there and {format_bytes(disk['pixels'])} in "
        f"{folders['temporary']}.",
        "Reading the files for the first time and drawing the page are not included. "
        "If you interrupt the command, what was trained is kept.",
        *(f"Warning: {problem}" for problem in described["problems"]),
    ]
    return "\n".join(lines)


def compare_usage(planned, results, cited, out):
    """Return what was planned and used: minutes of each experiment, and GB."""
    used = results | {f"cited-{name}": result for name, result in cited.items()}
    rows = {
        name: (planned["seconds"].get(name), result["minutes"])
        for name, result in used.items()
        if "minutes" in result
    }
    rows = {
        f"{name}, minutes": (None if seconds is None else seconds / 60, minutes)
        for name, (seconds, minutes) in rows.items()
    }
    memory = planned["memory"], peak_memory()
    rows["memory, GB"] = [n_bytes and n_bytes / 1e9 for n_bytes in memory]
    rows["disk, GB"] = planned["kept"] / 1e9, _size_of_results(out) / 1e9
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["planned", "used"])
    return table.astype(float).rename_axis("what")


def format_usage(table):
    """Return the figures of `compare_usage` as texts."""
    return table.map(_format_figure)


def _format_figure(x):
    if pd.isna(x):
        return "not known"
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def format_minutes(minutes):
    """Return a time in seconds, minutes or hours."""
    if minutes is None:
        return "not known"
    if minutes >= 90:
        return f"{minutes / 60:.3g} hours"
    return f"{minutes:.3g} minutes" if minutes >= 1.5 else f"{60 * minutes:.0f} seconds"


def format_bytes(n):
    """Return a size in MB or GB."""
    if n is None:
        return "not known"
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"
