import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run
from sklearn.metrics import recall_score

import skart
from skart.datasets import list_images, load_image_folder, make_paintings
from skart.images._headers import read_sizes
from skart.model_selection import CITED


def start(*arguments):
    """Start ``skart`` as a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(skart.__file__).parents[1]),
        "MPLBACKEND": "Agg",
        "COLUMNS": "100",
    }
    return subprocess.Popen(
        [sys.executable, "-c", "from skart.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def command(*arguments):
    """Run ``skart`` to its end, in this process."""
    done = run(*arguments)
    return subprocess.CompletedProcess(
        arguments, done.exit_code, done.stdout, done.stderr
    )


def test_help_and_import_do_not_import_keras():
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


def test_public_names_can_be_imported():
    for name in skart.__all__:
        assert getattr(skart, name).__name__.removeprefix("skart.") == name
    assert set(skart.__all__) <= set(dir(skart))
    with pytest.raises(AttributeError, match="No skart attribute Imagloader"):
        _ = skart.Imagloader


def test_installed_command_prints_its_version():
    stdout, stderr = start("--version").communicate()
    assert stdout.strip() == f"skart {skart.__version__}" and not stderr


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


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Paintings of three movements, five painters each."""
    return make_paintings(
        tmp_path_factory.mktemp("drawn") / "paintings",
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=5,
        n_per_artist=3,
        size_range=(100, 200),
        verbose=False,
    )


@pytest.fixture(scope="module")
def trained(drawn, tmp_path_factory):
    """Return a model file, the cache options and the finished command."""
    folder = tmp_path_factory.mktemp("model")
    cache = ("--cache", str(folder / "cache"))
    done = command(
        *("train", str(drawn), "--out", str(folder / "model.skart"), *cache),
        *("--backbone", "EfficientNetLite0", "--size", "80"),
        *("--candidates", "2", "--epochs", "20", "--format", "json"),
    )
    assert done.returncode == 0, done.stderr
    return folder / "model.skart", cache, done


@pytest.mark.slow
def test_profile(drawn, tmp_path):
    arguments = ["profile", str(drawn), "--out", str(tmp_path / "f")]
    arguments += ["--split-at", "140"]
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert "45 paintings of 15 artists in 3 movements" in done.stdout
    widths = read_sizes([*drawn.rglob("*.*g")])[:, 0]
    assert f"width: {widths.min()} to {widths.max()} pixels" in done.stdout
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [
        *("samples.png", "sizes-above-140.png", "sizes-below-140.png", "sizes.png")
    ]
    done = command(*arguments)
    assert done.returncode == 2 and "samples.png: it exists already" in done.stderr
    assert command(*arguments, "--force").returncode == 0
    (drawn.parent / "broken").mkdir()
    shutil.copytree(drawn, drawn.parent / "broken", dirs_exist_ok=True)
    (drawn.parent / "broken/Op Art/x.jpg").write_bytes(b"no image")
    done = command("profile", str(drawn.parent / "broken"), "--format", "json")
    answer = json.loads(done.stdout)
    assert answer["paintings"] == 46
    assert [row["paintings"] for row in answer["movements"]] == [15, 16, 15]
    (broken,) = answer["unreadable"].items()
    assert broken[0].endswith("x.jpg") and "not an image" in broken[1]


def test_profile_of_a_catalogue(drawn, tmp_path):
    paintings = load_image_folder(drawn)
    paintings.frame.to_csv(tmp_path / "works.csv", index=False)
    done = command("profile", str(tmp_path / "works.csv"))
    assert "45 paintings of 15 artists in 3 movements" in done.stdout
    unknown = paintings.frame["artist"].mask(lambda artist: artist == artist.max())
    paintings.frame.assign(artist=unknown).to_csv(tmp_path / "works.csv", index=False)
    done = command("profile", str(tmp_path / "works.csv"), "--format", "json")
    profile = json.loads(done.stdout)
    assert profile["artists"] == 14
    assert sorted(row["artists"] for row in profile["movements"]) == [4, 5, 5]


def test_audit(drawn, tmp_path):
    folder = tmp_path / "paintings"
    shutil.copytree(drawn, folder)
    painting = sorted((folder / "Op Art").rglob("*.jpg"))[0]
    shutil.copy(painting, folder / "Pointillism" / "again.jpg")
    half = folder / "Op Art" / "half\none.jpg"
    half.write_bytes(painting.read_bytes()[:900])
    (folder / "Cubism").mkdir()
    done = command(
        *("audit", str(folder), "--format", "json", "--min-size", "0"),
        *("--csv", str(tmp_path / "found.csv"), "--html", str(tmp_path / "found.html")),
    )
    assert done.returncode == 1, done.stderr
    found = pd.DataFrame(json.loads(done.stdout))
    unreadable = found[found["problem"] == "unreadable"]["file"].tolist()
    assert unreadable == [str(half)]
    assert "movements without images: Cubism" in done.stderr
    assert "conflicting movements" in set(found["problem"])
    copies = found[found["problem"] == "exact duplicate"]["file"]
    assert {str(painting), str(folder / "Pointillism" / "again.jpg")} == set(copies)
    table = pd.read_csv(tmp_path / "found.csv")
    assert table["file"].tolist() == found["file"].tolist()
    assert "again.jpg" in (tmp_path / "found.html").read_text()
    # Any folder of images will do.
    done = command("audit", str(folder / "Op Art"))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[lines.index("unreadable") + 1].startswith(r"  half\none.jpg: ")
    (tmp_path / "flat").mkdir()
    shutil.copy(painting, tmp_path / "flat")
    done = command("audit", str(tmp_path / "flat"))
    assert done.returncode == 0 and done.stdout.startswith("1 images")
    assert "read without movements" in done.stderr


def test_audit_replaces_its_table_atomically(image_paths, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left on device")

    table = tmp_path / "found.csv"
    table.write_text("an older one")
    monkeypatch.setattr(os, "replace", fail)
    folder = str(Path(image_paths[0]).parent)
    done = run("audit", folder, "--force", "--csv", table)
    assert done.exit_code == 2 and "no space left" in done.output
    assert table.read_text() == "an older one"
    assert not list(tmp_path.glob(".skart*"))


def test_train(trained, drawn):
    file, _, done = trained
    answer = json.loads(done.stdout)
    assert answer["paintings"] == 45
    assert answer["movements"] == ["Neoplasticism", "Op Art", "Pointillism"]
    assert 0 <= answer["validation_accuracy"] <= 1
    assert answer["calibration"]["artists_apart"]
    assert "parameters were searched for" in answer["calibration"]["method"]
    # The defaults, or the drawn candidate.
    assert 100 <= answer["best"].get("head__units", 650) <= 1000
    assert "artists kept apart" in done.stderr
    notes = skart.persistence.model_info(file)["notes"]
    assert notes["paintings"] == dict.fromkeys(answer["movements"], 15)
    assert len(notes["search"]["mean_test_score"]) == 2
    assert len(set(notes["digests"])) == 45
    assert len(notes["calibration"]["probability"]) == 45
    again = command("train", str(drawn), "--out", str(file))
    assert again.returncode == 2 and "--force" in again.stderr
    elsewhere = command("train", str(drawn), "--out", str(file.parent / "no/m.skart"))
    assert elsewhere.returncode == 2 and "folder" in elsewhere.stderr


@pytest.mark.slow
def test_predict(trained, drawn, tmp_path):
    file, cache, _ = trained
    paths = list_images(drawn)[:4]
    # A path that is passed twice is predicted once.
    done = command("predict", str(file), *paths, paths[0], *cache, "--format", "json")
    assert done.returncode == 0, done.stderr
    model = skart.load_model(file)
    expected = model.predict_proba(paths)
    for painting, row in zip(json.loads(done.stdout), expected, strict=True):
        found = {x["movement"]: x["probability"] for x in painting["predictions"]}
        assert list(found.values()) == sorted(found.values(), reverse=True)
        for name, value in zip(model.classes_, row, strict=True):
            assert found[name] == pytest.approx(value, abs=1e-6)

    # A folder with an unreadable file.
    folder = tmp_path / "new scans"
    folder.mkdir()
    for path in paths[:2]:
        shutil.copy(path, folder)
    (folder / "broken.jpg").write_bytes(Path(paths[0]).read_bytes()[:500])
    done = command(
        *("predict", str(file), str(folder), *cache, "--format", "csv", "--top-k", "1")
    )
    assert done.returncode == 1
    assert "broken.jpg' can't be read" in done.stderr
    table = pd.read_csv(io.StringIO(done.stdout))
    assert table.columns.tolist() == [
        *("path", "rank", "movement", "probability", "trained_on", "error")
    ]
    broken = table[table["error"].notna()]
    assert broken["path"].tolist() == [str(folder / "broken.jpg")]
    assert broken[["rank", "movement", "probability"]].isna().all(axis=None)
    table = table[table["error"].isna()]
    assert sorted(table["path"]) == sorted(
        str(folder / Path(path).name) for path in paths[:2]
    )
    assert table["movement"].tolist() == [
        model.classes_[row.argmax()] for row in expected[:2]
    ]
    # A table: its other columns are kept.
    works = tmp_path / "works.csv"
    names = [Path(path).name for path in paths[:2]]
    rows = pd.DataFrame({"File": names, "inventory": ["007", "1.10"]})
    rows.to_csv(works, index=False)
    done = command(
        *("predict", str(file), str(works), "--root", str(folder), *cache),
        *("--format", "csv", "--top-k", "1"),
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(io.StringIO(done.stdout), dtype=str)
    assert table["path"].tolist() == [str(folder / name) for name in names]
    assert table["inventory"].tolist() == ["007", "1.10"]
    done = command("predict", str(file), str(tmp_path / "none.jpg"), *cache)
    assert (
        done.returncode == 1 and "none.jpg" in done.stderr and not done.stdout.strip()
    )


@pytest.mark.slow
def test_evaluate(trained, drawn, tmp_path):
    file, cache, _ = trained
    done = command(
        *("evaluate", str(file), str(drawn), *cache, "--format", "json"),
        *("--predictions", str(tmp_path / "all.csv")),
    )
    assert done.returncode == 0, done.stderr
    assert "its pipeline is cross-validated" in done.stderr
    answer = json.loads(done.stdout)
    table = pd.read_csv(tmp_path / "all.csv")
    accuracy = np.mean(table["movement"] == table["predicted"])
    assert answer["metrics"]["accuracy"] == pytest.approx(accuracy)
    assert answer["leakage_gap"]["artists_apart"]["accuracy"] == pytest.approx(accuracy)
    assert np.sum(answer["confusion"]["counts"]) == answer["paintings"] == 45
    expected = recall_score(table["movement"], table["predicted"], average=None)
    assert [x["recall"] for x in answer["movements"]] == pytest.approx(list(expected))

    # Paintings it was not trained on are a test of the model itself.
    others = make_paintings(
        tmp_path / "others",
        movements=["Op Art", "Pointillism", "Ukiyo-e"],
        n_artists=2,
        n_per_artist=2,
        size_range=(100, 200),
        random_state=7,
        verbose=False,
    )
    seen = next((drawn / "Op Art").rglob("*.*g"))
    shutil.copy(seen, others / "Op Art" / f"copy{seen.suffix}")
    done = command("evaluate", str(file), str(others), *cache)
    assert done.returncode == 0, done.stderr
    assert (
        "8 paintings, none of them byte for byte one that the model was trained on"
        in done.stdout
    )
    assert "since the model was trained on them: 1 painting\n" in done.stderr
    assert "doesn't know: Ukiyo-e" in done.stderr


@pytest.mark.slow
def test_report(trained, drawn, tmp_path):
    file, cache, _ = trained
    out = tmp_path / "report.html"
    done = command("report", str(file), str(drawn), "--out", str(out), *cache)
    assert done.returncode == 0, done.stderr
    page = out.read_text()
    # Samples, sizes, confusion, reliability, coverage, training, search; no mistakes.
    assert page.count("<figure") >= 7
    assert "random folds" in page and "Model card" in page
    assert str(drawn) not in page and str(tmp_path) not in page
    done = command("report", str(file), str(drawn), "--out", str(out), *cache)
    assert done.returncode == 2 and "--force" in done.stderr


@pytest.mark.slow
def test_train_shows_no_messages_of_tensorflow(drawn, tmp_path):
    process = start(
        *("train", str(drawn), "--out", str(tmp_path / "model.skart")),
        *("--cache", str(tmp_path / "cache"), "--backbone", "EfficientNetLite0"),
        *("--size", "80", "--epochs", "1"),
    )
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "tensorflow" not in stderr.lower() and "WARNING" not in stderr


def reproduce(folder, out, **options):
    small = ("--size", "32", "--pretrained-size", "75", "--epochs", "2")
    small = (*small, "--n-networks", "1", "--n-heads", "2")
    small = (*small, "--backbone", "EfficientNetLite0")
    return start("reproduce", str(folder), "--quick", "--out", str(out), *small)


@pytest.mark.slow
def test_reproduce_continues_after_a_kill(drawn, tmp_path):
    process = reproduce(drawn, tmp_path / "out")
    lines = iter(process.stderr.readline, "")
    # What is run first, vgg-lite and hybrid, is finished.
    assert any(line.startswith("Frozen EfficientNetLite0: features") for line in lines)
    process.kill()
    process.communicate()
    finished = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "out").glob("*.json")
        if path.name != "plan.json"  # which may get what was not planned before
    }
    assert tmp_path / "out/vgg-lite.json" in finished
    assert tmp_path / "out/fine-tune.json" not in finished

    process = reproduce(drawn, tmp_path / "out")
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "vgg-lite: finished before" in stderr and "hybrid: finished" in stderr
    for path, written in finished.items():
        assert path.stat().st_mtime_ns == written
    assert "measured on Pandora18K and are left out" in stdout
    table = pd.read_csv(tmp_path / "out/results.csv", index_col=0)
    assert len(table) == 5 and not table.columns.str.startswith("report").any()
    results = json.loads((tmp_path / "out/transfer.json").read_text())
    chosen = np.argmax(results["probabilities"], axis=1)
    accuracy = np.mean(np.array(results["classes"])[chosen] == results["y_true"])
    row = table.loc["frozen network, head by search"]
    assert row["test"] == pytest.approx(100 * accuracy)
    figures = {path.stem for path in (tmp_path / "out/figures").iterdir()}
    assert {"samples", "sizes", "transfer-search", "confusion-matrix"} <= figures
    assert "hybrid-search" not in figures  # of one candidate
    assert {f"{name}-history" for name in ("vgg-lite", "hybrid", "fine-tune")} < figures
    page = (tmp_path / "out/reproduction.html").read_text()
    assert page.count("<figure") == len(figures)
    assert "With artists kept apart" in page and "With artists kept apart" in stdout
    assert "Planned and actual use" in page and "Planned and actual use" in stdout
    assert not (tmp_path / "out/fits").exists()

    # Cited systems: the same test part; each result is stored as well.
    cited = pd.read_csv(tmp_path / "out/cited.csv", index_col=0)
    assert cited.index.tolist() == list(CITED)
    assert "Cited systems" in page and "Cited systems" in stdout
    assert all(name in stdout for name in CITED)
    for name, row in cited.iterrows():
        assert (
            pd.isna(row["failed"]) and (tmp_path / f"out/cited-{name}.skart").exists()
        )
        result = json.loads((tmp_path / f"out/cited-{name}.json").read_text())
        assert row["test"] == 100 * result["test"]
        assert pd.isna(row["published"]) == (CITED[name].figure is None)

    # Other settings are an error.
    process = start(
        *("reproduce", str(drawn), "--quick", "--out", str(tmp_path / "out")),
        *("--backbone", "EfficientNetLite0", "--seed", "1"),
    )
    stderr = process.communicate()[1]
    assert (
        process.returncode == 2
        and "holds a reproduction of other paintings" in stderr
        and "seed 0 (now 1)" in stderr
    )


NOISY = """
import logging, os, sys, warnings
from skart.cli import main
from skart.cli._app import command

@command
def noisy():
    os.write(2, b"a notice of a C++ library\\n")
    logging.getLogger("tensorflow").warning("another warning")
    warnings.warn("for the user")
    print("a remark")
    return "the answer"

sys.argv[1:] = ["noisy"]
main()
"""


@pytest.mark.parametrize("level", [None, "0"])
def test_a_command_shows_no_native_output(level):
    environment = {**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    done = subprocess.run(
        [sys.executable, "-c", NOISY], capture_output=True, text=True, env=environment
    )
    shown = ["another warning", "skart: warning: for the user", "a remark"]
    if level == "0":
        shown.insert(0, "a notice of a C++ library")
    assert done.stderr.splitlines() == shown
    assert done.stdout == "the answer\n" and done.returncode == 0


@pytest.mark.parametrize(("closed", "shown"), [(1, "a remark"), (2, "the answer")])
def test_a_command_runs_with_a_closed_stream(closed, shown):
    code = f"import os; os.close({closed}); os.execv({sys.executable!r}, " + (
        f"[{sys.executable!r}, '-c', {NOISY!r}])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0
    assert (done.stdout + done.stderr).splitlines()[-1] == shown


@pytest.mark.slow
def test_demo(tmp_path):
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
    source.write_bytes(source.read_bytes()[:500])
    done = command(
        *("demo", "--data", str(tmp_path / "paintings")),
        *("--backbone", "EfficientNetLite0", "--candidates", "2", "--epochs", "3"),
        *("--out", str(tmp_path / "out"), "--on-error", "blank"),
    )
    assert done.returncode == 0, done.stderr
    assert source.name in done.stderr
    assert "left out, with fewer than 4 paintings: Too Few" in done.stdout
    assert "chance 33.3%" in done.stdout
    assert "artists kept apart" in done.stdout
    for name in ("samples.png", "learning-curves.png", "confusion-matrix.png"):
        assert (tmp_path / "out" / name).stat().st_size > 5000
        assert name in done.stdout
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert predictions.columns.tolist() == [
        *("path", "movement", "artist", "predicted", "probability")
    ]
    assert len(predictions) >= 6
