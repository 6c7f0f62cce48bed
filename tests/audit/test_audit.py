import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import needs_posix
from PIL import Image, ImageEnhance, ImageOps
from sklearn.model_selection import GroupKFold

from skart.audit import Audit, audit_collection
from skart.audit._problems import PROBLEMS
from skart.datasets import load_image_folder, make_paintings
from skart.report import write_audit


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Forty paintings, two of each painter; read only."""
    root = tmp_path_factory.mktemp("drawn")
    make_paintings(
        root, n_artists=2, n_per_artist=2, size_range=(220, 400), verbose=False
    )
    return load_image_folder(root)


def crop(image, left, top, right, bottom):
    width, height = image.size
    shares = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return image.crop(tuple(round(share) for share in shares))


CHANGES = {
    "resized": lambda image: image.resize((image.width // 2, image.height // 2)),
    "quality 40": lambda image: image,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "grey": ImageOps.grayscale,
    "crop 3 %": lambda image: crop(image, 0.03, 0.03, 0.03, 0.03),
    "crop 5 %": lambda image: crop(image, 0.05, 0.05, 0.05, 0.05),
    "crop of two sides": lambda image: crop(image, 0.05, 0, 0, 0.04),
    "light border": lambda image: ImageOps.expand(image, image.width // 30, "white"),
    "dark border": lambda image: ImageOps.expand(image, image.width // 12, "black"),
}


def copies_of(paths, folder, name):
    folder.mkdir(exist_ok=True)
    copies = []
    for index, path in enumerate(paths):
        with Image.open(path) as image:
            copy = CHANGES[name](image.convert("RGB"))
        copies.append(str(folder / f"{index}.jpg"))
        copy.save(copies[-1], quality=40 if name == "quality 40" else 90)
    return copies


def problems_of(result, path):
    return result.table.loc[result.table["file"] == str(path), "problem"].tolist()


def test_different_paintings_of_one_painter_are_no_duplicates(drawn):
    result = audit_collection(
        drawn.paths, labels=drawn.labels, verbose=False, min_size=0
    )
    assert result.files["cluster"].isna().all()
    assert len(set(result.groups)) == len(drawn.paths)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(drawn, tmp_path, change):
    n_paintings = len(drawn.paths)
    copies = copies_of(drawn.paths, tmp_path, change)
    result = audit_collection([*drawn.paths, *copies], verbose=False, min_size=0)
    pairs = result.groups.reshape(2, n_paintings)
    found = pairs[0] == pairs[1]
    assert found.mean() >= 0.95, np.array(drawn.paths)[~found]
    # No two paintings are merged by way of their copies.
    assert len(set(pairs[0])) == n_paintings


@pytest.mark.parametrize("change", CHANGES)
def test_real_paintings(tmp_path, change):
    folder = os.environ.get("SKART_PAINTINGS")
    if not folder:
        pytest.skip("SKART_PAINTINGS names no folder of paintings")
    paths = load_image_folder(folder).paths
    result = audit_collection(
        [*paths, *copies_of(paths, tmp_path, change)], verbose=False, min_size=0
    )
    assert result.groups.tolist() == list(range(len(paths))) * 2


def test_copies_of_a_copy_are_one_cluster(drawn, tmp_path):
    one = drawn.paths[0]
    smaller = copies_of([one], tmp_path / "a", "resized")[0]
    cropped = copies_of([smaller], tmp_path / "b", "crop 3 %")[0]
    again = shutil.copy(cropped, str(tmp_path / "again.jpg"))
    paths = [one, drawn.paths[5], smaller, cropped, again]
    result = audit_collection(paths, min_size=0, verbose=False)
    assert result.groups.tolist() == [0, 1, 0, 0, 0]
    assert problems_of(result, smaller) == ["near duplicate"]
    assert problems_of(result, again) == ["exact duplicate", "near duplicate"]
    row = result.table.query("file == @again and problem == 'exact duplicate'").iloc[0]
    assert (row["related"], row["detail"], row["position"]) == (
        cropped,
        "equal bytes",
        4,
    )


def test_the_largest_copy_is_the_original(drawn, tmp_path):
    image = Image.open(drawn.paths[0]).convert("RGB")
    small, large = tmp_path / "a.png", tmp_path / "b.png"
    image.reduce(2).save(small)
    image.save(large)
    result = audit_collection([small, large, *drawn.paths[1:3]], verbose=False)
    copies = result.table[result.table["problem"] == "near duplicate"]
    assert copies["original"].tolist() == [str(large)] * 2
    others = result.table.drop(index=copies.index)
    assert len(others) and others["original"].isna().all()
    write_audit(result, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count("original (the largest)") == 1


def test_dozens_of_one_image_are_one_cluster(drawn, tmp_path):
    image = Image.open(drawn.paths[0]).convert("RGB")
    paths = []
    for index in range(60):
        image.putpixel((0, 0), (index, 0, 0))
        paths.append(tmp_path / f"{index}.png")
        image.save(paths[-1])
    result = audit_collection([*paths, *drawn.paths[1:4]], verbose=False, min_size=0)
    assert result.groups.tolist() == [0] * 60 + [1, 2, 3]
    assert result.table["related"].str.count(r" \| ").max() == 19
    write_audit(result, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == 20 and "and 40 more" in page


@needs_posix
def test_unreadable_files_are_findings(drawn, tmp_path):
    good = drawn.paths[0]
    jpeg = Image.open(good).convert("RGB")
    jpeg.save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    reasons = {
        "half.jpg": "truncated",
        "empty.jpg": "an empty file",
        "text.jpg": "not an image",
        "folder.jpg": "not a regular file",
        "link.jpg": "no such file",
        "pipe.jpg": "not a regular file",
        "absent.jpg": "no such file",
    }
    result = audit_collection(
        [tmp_path / name for name in reasons] + [good], verbose=False, min_size=0
    )
    assert result.table["problem"].tolist() == ["unreadable"] * len(reasons)
    for reason, detail in zip(reasons.values(), result.table["detail"], strict=True):
        assert reason in detail
    assert len(set(result.groups)) == len(reasons) + 1


def test_unreadable_files_of_equal_bytes(tmp_path):
    for name, text in (("a", "no image"), ("b", "no image"), ("c", "NO IMAGE")):
        (tmp_path / f"{name}.jpg").write_text(text)
    paths = sorted(map(str, tmp_path.iterdir()))
    result = audit_collection(
        paths, labels=["Cubism", "Fauvism", "Cubism"], verbose=False
    )
    assert result.groups.tolist() == [0, 0, 1]
    both = ["unreadable", "exact duplicate", "conflicting movements"]
    assert [problems_of(result, path) for path in paths] == [both, both, both[:1]]
    write_audit(result, tmp_path / "page.html")
    assert "conflicting movements" in (tmp_path / "page.html").read_text()


def test_collection_without_readable_files(tmp_path):
    result = audit_collection([tmp_path / "a.jpg"], verbose=False, min_size=0)
    assert result.summary().loc["unreadable", "findings"] == 1
    write_audit(result, tmp_path / "page.html")


def test_file_deleted_during_the_audit(drawn, tmp_path, monkeypatch):
    paths = [shutil.copy(drawn.paths[0], tmp_path / f"{name}.jpg") for name in "abc"]
    digest = hashlib.file_digest

    def late(*args):
        Path(paths[2]).unlink(missing_ok=True)
        return digest(*args)

    monkeypatch.setattr(hashlib, "file_digest", late)
    result = audit_collection(paths, verbose=False, min_size=0)
    assert len(set(result.groups)) == 1  # found by its pixels, which were read
    write_audit(result, tmp_path / "page.html")
    assert "no such file" in (tmp_path / "page.html").read_text()


def test_the_same_file_twice(drawn, tmp_path):
    link = tmp_path / "link.jpg"
    link.symlink_to(drawn.paths[0])
    result = audit_collection(
        [drawn.paths[0], link, drawn.paths[1], link], verbose=False, min_size=0
    )
    assert result.groups.tolist() == [0, 0, 1, 0]
    assert set(result.table["detail"]) == {"the same file again"}


def test_conflicts(drawn, tmp_path):
    one, other = drawn.paths[:2]
    copy = copies_of([one], tmp_path, "resized")[0]
    result = audit_collection(
        [one, copy, other],
        labels=["Cubism", "Fauvism", "Fauvism"],
        artists=["Gris", "Unknown", "Derain"],
        min_size=0,
        verbose=False,
    )
    conflicts = result.table[result.table["problem"] == "conflicting movements"]
    assert conflicts["detail"].tolist() == [
        "Cubism here, Fauvism there",
        "Fauvism here, Cubism there",
    ]
    assert conflicts["related"].tolist() == [copy, one]
    assert "conflicting artists" not in set(result.table["problem"])
    result = audit_collection(
        [one, copy], artists=["Gris", "Picasso"], verbose=False, min_size=0
    )
    assert result.summary().loc["conflicting artists", "findings"] == 2


def test_case_spaces_and_accents_of_artists_are_ignored(drawn, tmp_path):
    one, other = drawn.paths[:2]
    copy = copies_of([one], tmp_path, "resized")[0]
    composed, decomposed = "C\u00e9zanne", " CE\u0301ZANNE "
    result = audit_collection(
        [one, copy, other], artists=[composed, decomposed, "Monet"]
    )
    assert "conflicting artists" not in set(result.table["problem"])
    assert result.files["artist"].tolist() == [composed, decomposed, "Monet"]
    result = audit_collection(
        [one, other], artists=[composed, decomposed], verbose=False
    )
    assert result.groups.tolist() == [0, 0]
    result = audit_collection(
        [one, copy], artists=[decomposed, "Monet "], verbose=False
    )
    conflicts = result.table[result.table["problem"] == "conflicting artists"]
    assert conflicts["detail"].iloc[0] == f"{decomposed} here, Monet  there"


def test_groups_keep_artists_and_duplicates_together(drawn, tmp_path):
    a, b, c, d = drawn.paths[:4]
    copy = copies_of([b], tmp_path, "darker")[0]
    artists = ["Gris", "Gris", "Derain", "Derain", "Braque"]
    assert audit_collection(
        [a, b, copy, c, d], artists=artists, verbose=False
    ).groups.tolist() == [
        0,
        0,
        0,
        0,
        1,
    ]
    nobody = [None, np.nan, "unknown ", "Anonymous", f"unknown artist of {d}"]
    result = audit_collection(
        [a, b, copy, c, d], artists=nobody, verbose=False, min_size=0
    )
    assert result.groups.tolist() == [0, 1, 1, 2, 3]
    assert result.files["artist"].isna().all()


def test_groups_in_a_splitter(drawn, tmp_path):
    copies = copies_of(drawn.paths, tmp_path, "quality 40")
    paths = np.r_[drawn.paths, copies]
    groups = audit_collection(
        paths, artists=[*drawn.artists] * 2, verbose=False, min_size=0
    ).groups
    assert groups.dtype.kind == "i"
    assert len(set(groups)) == len(set(drawn.artists))
    for training, test in GroupKFold(4).split(paths, groups=groups):
        assert not set(groups[training]) & set(groups[test])


def test_grey_blank_border_and_tiny(drawn, tmp_path):
    image = Image.open(drawn.paths[0]).convert("RGB")
    margin = image.width // 5
    ImageOps.expand(image, (margin, 0), "white").save(tmp_path / "border.png")
    image.resize((300, 199)).save(tmp_path / "tiny.png")
    Image.new("RGB", (300, 300), (250, 250, 249)).save(tmp_path / "blank.png")
    grey = copies_of([drawn.paths[0]], tmp_path, "grey")[0]
    paths = [*drawn.paths[:4], *sorted(tmp_path.glob("*.png")), grey]
    result = audit_collection(paths, verbose=False)
    assert problems_of(result, tmp_path / "blank.png") == ["blank"]
    assert problems_of(result, tmp_path / "border.png") == ["near duplicate", "border"]
    assert problems_of(result, tmp_path / "tiny.png") == ["near duplicate", "tiny"]
    assert problems_of(result, grey) == ["near duplicate", "greyscale", "tiny"]
    border = result.files.set_index("path")["border"][str(tmp_path / "border.png")]
    assert border == pytest.approx(2 * 0.2 / 1.4, abs=0.04)
    row = result.table.query("problem == 'greyscale'").iloc[0]
    assert row["detail"] == "no colour, but a copy has"
    wide = tmp_path / "wide.png"
    ImageOps.expand(image, image.width * 2, "white").save(wide)
    assert audit_collection([wide], verbose=False).files["border"][0] > 0.8
    relaxed = audit_collection(paths, min_size=100, max_border=0.5, verbose=False)
    assert not {"tiny", "border"} & set(relaxed.table["problem"])


def test_grey_is_no_finding_among_grey_images(drawn, tmp_path):
    grey = copies_of(drawn.paths[:4], tmp_path, "grey")
    result = audit_collection([*grey, drawn.paths[4]], verbose=False, min_size=0)
    assert "greyscale" not in set(result.table["problem"])


def test_imbalance(image_paths):
    labels = ["Cubism"] * 10 + ["Fauvism"] + [None]
    result = audit_collection(image_paths, labels=labels, max_imbalance=9, min_size=0)
    (row,) = result.table.itertuples()
    assert row.detail == ("Cubism has 10 paintings, Fauvism has 1: 10 times as many")
    assert pd.isna(row.position) and pd.isna(row.file)
    balanced = audit_collection(
        image_paths, labels=labels, max_imbalance=10, min_size=0
    )
    assert len(balanced.table) == 0
    assert balanced.summary()["findings"].tolist() == [0] * len(PROBLEMS)


def test_each_file_is_decoded_once(drawn, count_decodes):
    result = audit_collection(drawn.paths, n_threads=2, verbose=False, min_size=0)
    result.table, result.groups, result.summary()
    assert sorted(count_decodes) == sorted(drawn.paths)


def test_n_threads_does_not_change_the_result(drawn, tmp_path):
    paths = [*drawn.paths, *copies_of(drawn.paths[:9], tmp_path, "crop 3 %")]
    one, two = (
        audit_collection(paths, n_threads=n_threads, verbose=False, min_size=0)
        for n_threads in (1, 2)
    )
    pd.testing.assert_frame_equal(one.files, two.files)


def test_paths_may_be_list_array_or_series(drawn):
    paths = [*drawn.paths[:3], drawn.paths[0]]
    expected = audit_collection(paths, verbose=False, min_size=0).table
    for given in (
        np.array(paths),
        pd.Series(paths, index=[7, 5, 3, 1]),
        map(Path, paths),
    ):
        given = list(given) if isinstance(given, map) else given
        pd.testing.assert_frame_equal(
            audit_collection(given, verbose=False, min_size=0).table, expected
        )


def test_csv(drawn, tmp_path):
    result = audit_collection(
        [*drawn.paths[:3], drawn.paths[0]], verbose=False, min_size=0
    )
    result.table.to_csv(tmp_path / "findings.csv", index=False)
    read = pd.read_csv(tmp_path / "findings.csv")
    assert read["problem"].tolist() == ["exact duplicate"] * 2
    assert read["file"].tolist() == read["related"].tolist() == [drawn.paths[0]] * 2


def test_page_is_escaped_and_loads_nothing(drawn, tmp_path):
    bad = "<script>alert(1)</script>&'\".jpg"
    # A slash can't stand in a name: it makes a folder.
    bad = tmp_path / bad.replace("/", "")
    shutil.copy(drawn.paths[0], bad)
    odd = tmp_path / os.fsdecode(b"no utf-8 \xff.jpg")
    shutil.copy(drawn.paths[0], odd)
    (tmp_path / "<b>broken.jpg").write_text("x")
    paths = [drawn.paths[0], bad, odd, tmp_path / "<b>broken.jpg"]
    labels = ["<i>Cubism</i>", "Fauvism", None, "Fauvism"]
    result = audit_collection(
        paths, labels=labels, max_imbalance=1, verbose=False, min_size=0
    )
    write_audit(result, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<i>" not in page and "<b>" not in page
    assert "times as many" in page and "nan" not in page
    assert page.count('<img src="data:image/jpeg;base64,') == 3
    assert "http://" not in page and "https://" not in page
    assert 'src="f' not in page
    # Links are relative, so that the page names no folder of this machine.
    assert 'href="%3Cb%3Ebroken.jpg"' in page and str(tmp_path) not in page


def test_page_is_written_whole_or_not_at_all(image_paths, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left on device")

    page = tmp_path / "page.html"
    page.write_text("an older one")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_audit(audit_collection(image_paths, verbose=False), page)
    assert page.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [page]


def test_page_counts_clusters_and_findings_left_out(drawn, tmp_path):
    copies = copies_of(drawn.paths[:4], tmp_path, "quality 40")
    result = audit_collection([*drawn.paths[:4], *copies], min_size=1000, verbose=False)
    write_audit(result, tmp_path / "page.html", max_clusters=1)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == 2
    assert "3 more clusters" in page and "3 more are in the table" in page


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"min_size": "big"},
            "'min_size' parameter of audit_collection must be a float in",
        ),
        ({"max_border": 20}, "'max_border' parameter .* Got 20 instead"),
        ({"max_imbalance": 0.5}, "'max_imbalance' parameter"),
        ({"min_similarity": np.nan}, "'min_similarity' parameter"),
        ({"n_threads": 0}, "'n_threads' parameter"),
        ({"labels": ["Cubism"]}, "inconsistent numbers of samples"),
        ({"artists": np.array([["a", "b"]] * 12)}, "artists must be a 1-D array"),
    ],
)
def test_invalid_parameters_raise(image_paths, parameters, message):
    with pytest.raises(ValueError, match=message):
        audit_collection(image_paths, **parameters)


@pytest.mark.parametrize(
    "paths, error, message",
    [
        ("a.jpg", TypeError, "paths must be a list or array of paths"),
        ([], ValueError, "paths holds 0 paths"),
        (["a.jpg", 3], TypeError, r"paths\[1\] is 3"),
    ],
)
def test_invalid_paths_raise(paths, error, message):
    with pytest.raises(error, match=message):
        audit_collection(paths)


def test_repr(image_paths):
    result = audit_collection(image_paths, min_size=0)
    assert isinstance(result, Audit)
    assert repr(result) == "<Audit: 0 findings in 12 paintings>"
