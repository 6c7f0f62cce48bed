import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import skart


def command(*arguments, **options):
    """Run ``skart`` as a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(skart.__file__).parents[1]),
        "MPLBACKEND": "Agg",
        "COLUMNS": "100",
    }
    return subprocess.run(
        [sys.executable, "-c", "from skart.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        **options,
    )


def test_help_and_import_leave_keras_alone():
    check = (
        "import sys, skart; dir(skart); from skart.cli import app; "
        "from typer.testing import CliRunner; "
        "result = CliRunner().invoke(app, ['demo', '--help']); "
        "assert result.exit_code == 0 and '--weights' in result.output; "
        "heavy = {'keras', 'tensorflow', 'sklearn', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there():
    for name in skart.__all__:
        assert getattr(skart, name).__name__ == name
    assert set(skart.__all__) <= set(dir(skart))
    with pytest.raises(AttributeError, match="no attribute 'Imagloader'"):
        _ = skart.Imagloader


def test_version():
    done = command("--version")
    assert done.stdout.strip() == f"skart {skart.__version__}"


def test_bad_input_is_one_line_and_exit_2(tmp_path):
    for arguments in (
        ["demo", "--data", str(tmp_path / "nowhere"), "--weights", "random"],
        ["demo", "--data", str(tmp_path), "--weights", "random"],
        ["demo", "--weights", str(tmp_path / "no.h5")],
    ):
        done = command(*arguments, "--out", str(tmp_path / "out"))
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("skart: ")
        assert str(tmp_path) in done.stderr
    assert command("demo", "--candidates", "none").returncode == 2


def test_demo(tmp_path):
    from skart.datasets import make_paintings

    make_paintings(
        tmp_path / "paintings",
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=4,
        n_per_artist=2,
        size_range=(150, 300),
        verbose=False,
    )
    for directory in ("Op Art/Lone Painter", "Too Few/Someone"):
        (tmp_path / "paintings" / directory).mkdir(parents=True)
    source = next((tmp_path / "paintings").rglob("*.jpg"))
    (tmp_path / "paintings/Too Few/Someone/a.jpg").write_bytes(source.read_bytes())
    done = command(
        *("demo", "--data", str(tmp_path / "paintings"), "--weights", "random"),
        *("--candidates", "2", "--epochs", "3", "--layer", "mixed0"),
        *("--out", str(tmp_path / "out")),
    )
    assert done.returncode == 0, done.stderr
    assert "left out, with fewer than 4 paintings: Too Few" in done.stdout
    assert "chance 33.3%" in done.stdout
    assert "artist kept together" in done.stdout
    for name in ("samples.png", "learning-curves.png", "confusion-matrix.png"):
        assert (tmp_path / "out" / name).stat().st_size > 5000
        assert name in done.stdout
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert predictions.columns.tolist() == [
        *("path", "movement", "artist", "predicted", "probability")
    ]
    assert len(predictions) >= 6
    assert "tensorflow" not in done.stderr.lower()
    assert "Traceback" not in done.stderr
