"""Collections as the options of the commands choose them."""

import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import finish, needs_names_of_bytes, run, start

from skart import FeatureStore
from skart.cli._collection import (
    Collection,
    make_folds,
    validation_share,
)
from skart.cli._options import Source
from skart.datasets._pandora18k import is_pandora18k, periods_of


def test_pandora18k_is_recognised_by_its_layout(make_folder, tmp_path):
    names = [f"{folder}/Artist/{i}.jpg" for i in range(4) for folder in ("05_Baroque",)]
    root = make_folder([*names, *(f"14_Cubism/Other/{i}.jpg" for i in range(4))])
    assert is_pandora18k(root)
    collection = Collection(Source(root))
    assert collection.labels.tolist() == ["Baroque"] * 4 + ["Cubism"] * 4
    assert "8 paintings instead of 18,038" in collection.differences[0]
    (root / ".git").mkdir()
    (root / "__MACOSX").mkdir()
    assert is_pandora18k(root)
    (root / "Mail Art").mkdir()
    assert not is_pandora18k(root) and not is_pandora18k(tmp_path / "nowhere")


def test_pandora18k_may_have_empty_movements(make_folder):
    root = make_folder(["05_Baroque/0.jpg", "05_Baroque/1.jpg"])
    assert Collection(Source(root), least=1, labelled=False).movements == ["Baroque"]
    (root / "03_Northern_Renaissance").mkdir()
    collection = Collection(Source(root), least=1, labelled=False, skip_empty=True)
    assert collection.movements == ["Baroque"]
    remark = "movements without images: 03_Northern_Renaissance"
    assert remark in collection.remarks()
    with pytest.raises(ValueError, match="movements without images"):
        Collection(Source(root))


def test_periods_of_known_movements():
    assert periods_of(["Pop Art", "Baroque"]) == {
        "Baroque": (1590, 1725),
        "Pop Art": (1952, 1975),
    }
    assert periods_of(["Baroque", "Mail Art"]) is None


def test_small_movements_are_left_out(make_folder):
    root = make_folder(
        [f"{name}/{i}.jpg" for name in ("Cubism", "Dada") for i in range(5)]
        + ["Fauvism/0.jpg"]
    )
    collection = Collection(Source(root))
    assert collection.left_out == ["Fauvism"] and len(collection.paths) == 10
    assert collection.groups is None and "artists" not in collection.summary()
    assert collection.remarks() == ["left out, with fewer than 4 paintings: Fauvism"]
    assert len(Collection(Source(root), least=1).paths) == 11
    with pytest.raises(ValueError, match="fewer than two movements of 6 or more"):
        Collection(Source(root), least=6)


def test_skipped_files_are_named(make_folder):
    root = make_folder(
        [f"{name}/{i}.jpg" for name in ("Cubism", "Dada") for i in "0123"]
    )
    for name in "abc":
        (root / "Dada" / f"{name}.txt").write_text("about")
    assert Collection(Source(root)).remarks() == [
        "skipped, not an image: Dada/a.txt, Dada/b.txt and 1 more"
    ]


def test_repeated_rows_are_left_out(make_folder, tmp_path):
    root = make_folder([f"{i}.jpg" for i in range(8)])
    table = pd.DataFrame({"path": sorted(root.iterdir()), "movement": ["A", "B"] * 4})
    other = pd.DataFrame({"path": table["path"][:1], "movement": ["B"]})
    table = pd.concat([table, table[:1], other])
    table.to_csv(tmp_path / "works.csv", index=False)
    first = str(table["path"].iloc[0])
    message = rf"several movements, 1 in all, such as '{first}' \('A', 'B'\): each"
    with pytest.warns(UserWarning, match=message):
        collection = Collection(Source(tmp_path / "works.csv"))
    assert collection.remarks() == ["left out, the same path and movement again: 1 row"]
    assert collection.summary()["paintings"].tolist() == [4, 5]
    assert len(collection.metadata) == 9


def test_rows_of_a_file_in_other_spellings_are_left_out(make_folder, tmp_path):
    root = make_folder([f"{i}.jpg" for i in range(8)])
    os.symlink(root, tmp_path / "link")
    os.symlink(root / "1.jpg", tmp_path / "one.jpg")
    rows = [(f"{root.name}/{i}.jpg", "AB"[i % 2], "Gris") for i in range(8)]
    rows += [
        (f"./{root.name}/../{root.name}/0.jpg", "A", "gris "),
        ("link/0.jpg", "A", "Arp"),
        ("one.jpg", "B", "unknown"),
    ]
    table = pd.DataFrame(rows, columns=["path", "movement", "artist"])
    table.to_csv(tmp_path / "works.csv", index=False)
    with pytest.warns(UserWarning, match="'gris' is 'Gris'"):
        collection = Collection(Source(tmp_path / "works.csv"))
    assert collection.summary()["paintings"].tolist() == [4, 4]
    assert collection.remarks() == [
        "left out, the same path and movement again: 3 rows, 1 of them with another "
        "artist"
    ]


def test_catalogue_keeps_integer_movements(make_folder, tmp_path):
    root = make_folder([f"{i}.jpg" for i in range(8)])
    table = pd.DataFrame({"path": sorted(root.iterdir()), "movement": [3, 7] * 4})
    table.to_csv(tmp_path / "works.csv", index=False)
    assert Collection(Source(tmp_path / "works.csv")).labels.tolist() == [3, 7] * 4


def test_folds_keep_artists_apart_if_possible(make_folder):
    names = [f"{name}/{name}{i % 2}/{i}.jpg" for name in "ab" for i in range(4)]
    collection = Collection(Source(make_folder(names)))
    splits, how = make_folds(collection, 4, seed=0)
    assert how == "artists kept apart" and len(splits) == 4
    for train, test in splits:
        assert not set(collection.groups[train]) & set(collection.groups[test])
        assert set(collection.labels[train]) == {"a", "b"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("{0}/{1}.jpg", "the artists are not known"),
        ("{0}/one/{1}.jpg", "fewer than two movements have two artists"),
    ],
)
def test_folds_are_random_for_a_reason(make_folder, name, reason):
    root = make_folder(name.format(movement, i) for movement in "ab" for i in range(4))
    splits, how = make_folds(Collection(Source(root)), 4, seed=0)
    assert how == f"at random, because {reason}" and len(splits) == 4


def profile(*arguments):
    return run("profile", *arguments, code=0).stdout


def test_part_of_a_split_is_an_option(make_folder):
    names = [
        f"{part}/{name}/{name}{i}/{i}.jpg"
        for part in ("Train", "Test")
        for name in ("Dada", "Pop Art")
        for i in range(4)
    ]
    root = make_folder(names)
    done = run("profile", root, code=2)
    assert "parts of a split, 'Test', 'Train'" in done.stderr
    assert "Pass --part Test for one of them, or --part all for all." in done.stderr
    done = run("audit", root, "--min-size", 0, code=0)
    assert "read without movements: " in done.stderr and "--part Test" in done.stderr
    assert profile(root, "--part", "Train").startswith("8 paintings of 8 artists in 2")
    assert profile(root, "--part", "all").startswith("16 paintings of 8 artists in 2")


def test_artists_in_names_are_an_option(make_folder):
    root = make_folder(
        f"{name}/{name.lower()} {i // 2}_{i}.jpg"
        for name in ("Dada", "Fluxus")
        for i in range(4)
    )
    assert "Pass --artists names to keep artists apart" in profile(root)
    assert profile(root, "--artists", "names").startswith("8 paintings of 4 artists")
    pattern = r"^(?P<artist>\w+)"
    assert profile(root, "--artists", pattern).startswith("8 paintings of 2 artists")
    out = ("--out", root.parent / "map.html")
    for arguments in (["profile", root], ["audit", root], ["map", root, *out]):
        done = run(*arguments, "--artists", "x", code=2)
        assert "skart: --artists must have a group named artist" in done.stderr


def test_options_that_do_not_apply_raise(make_folder, tmp_path):
    root = make_folder([f"{name}/{i}.jpg" for i in range(4) for name in "ab"])
    table = tmp_path / "works.csv"
    table.write_text("path,movement")
    for data, option, reason in (
        (root, "--path-column", "--path-column is for tables, and .* is a folder"),
        (table, "--artists", "--artists is for folders, and .* is a table"),
    ):
        done = run("profile", data, option, "x", code=2)
        assert re.search(reason, done.stderr)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_columns_of_a_table_are_options(make_folder, tmp_path, suffix):
    names = [f"{i}.jpg" for i in range(8)]
    root, table = make_folder(names), tmp_path / f"works{suffix}"
    frame = pd.DataFrame(
        {"Datei": names, "Stil": [*"aaaabbbb"], "Maler": [*"12341234"]}
    )
    write = {
        ".csv": frame.to_csv,
        ".xlsx": frame.to_excel,
        ".parquet": frame.to_parquet,
    }
    write[suffix](table, index=False)
    options = ("--path-column", "Datei", "--movement-column", "Stil")
    options += ("--artist-column", "Maler", "--root", root)
    assert profile(table, *options).startswith(
        "8 paintings of 4 artists in 2 movements"
    )


def test_groups_of_an_audit_are_a_table(make_folder, tmp_path):
    names = [f"{name}/{name}{i}/{i}.jpg" for name in ("Dada", "Op") for i in range(4)]
    root, table = make_folder(names), tmp_path / "works.csv"
    shutil.copy(root / names[0], root / "Dada" / "Dada1" / "again.jpg")
    arguments = ["audit", str(root), "--min-size", "0", "--groups", str(table)]
    done = run(*arguments, code=0)
    assert "copy of Dada/Dada0/0.jpg" in done.stdout
    collection = Collection(Source(table, artist_column="group"))
    by_name = dict(zip(collection.paths, collection.groups, strict=True))
    assert by_name[str(root / names[0])] == by_name[str(root / names[1])]
    assert len(set(by_name.values())) == 7 and len(by_name) == 9


def test_validation_share_has_room_for_each_movement():
    labels = np.repeat(np.arange(10), 4)
    assert validation_share(np.repeat([0, 1], 50)) == 0.15
    assert validation_share(labels) * len(labels) >= 10
    trained_on = len(labels) * 2 / 3
    assert validation_share(labels, 3) * trained_on >= 10


@pytest.mark.parametrize("name", ["works.csv", "shards-*.parquet"])
def test_table_that_is_missing(tmp_path, name):
    done = run("profile", tmp_path / name, code=2)
    assert f"there is no table '{tmp_path / name}'" in done.stderr


def test_profile_gives_reasons(make_folder):
    folder = make_folder([f"{m}/{i}.jpg" for m in ("Cubism", "Dada") for i in range(2)])
    (folder / "Dada" / "bad.jpg").write_bytes(b"no image")
    told = profile(folder)
    assert "can't be read: 1\n" in told and "bad.jpg': not an image" in told


def test_files_that_are_missing_are_skipped(make_folder, tmp_path):
    root = make_folder([f"{i}.jpg" for i in range(8)])
    lines = [f"{i}.jpg,{'ab'[i % 2]}" for i in range(10)]
    for name, column in (("works", "path,style"), ("plain", "path,note")):
        (tmp_path / f"{name}.csv").write_text("\n".join([column, *lines]))
    source = Source(tmp_path / "works.csv", root=root)
    with pytest.raises(FileNotFoundError, match="row 9"):
        Collection(source)
    with pytest.warns(UserWarning, match="row 9 .*They are left out"):
        assert len(Collection(source, on_error="skip").paths) == 8
    told = profile(tmp_path / "works.csv", "--root", root)
    assert "8 paintings in 2 movements" in told
    source = Source(tmp_path / "plain.csv", root=root)
    with pytest.warns(UserWarning, match="row 9 .*They are left out"):
        assert len(Collection(source, on_error="skip", labelled=False).paths) == 8
    lines[1:3] = [",", "", "lost.jpg,a", "2.jpg,b"]
    (tmp_path / "plain.csv").write_text("\n".join(["path,note", *lines[:-2]]))
    with pytest.warns(UserWarning, match=r"exist in .*: row 4 \('lost.jpg'\). They"):
        paths = Collection(source, on_error="skip", labelled=False).paths
    assert list(paths) == [str(root / f"{i}.jpg") for i in (0, *range(2, 8))]


def test_profile_of_one_artist(make_folder):
    root = make_folder(f"{m}/Arp/{i}.jpg" for m in ("Cubism", "Dada") for i in "01")
    assert profile(root).startswith("4 paintings of 1 artist in 2 movements\n")


def test_audit_of_a_table(make_folder, tmp_path):
    table, root = tmp_path / "works.csv", make_folder(["0.jpg", "1.jpg"])
    shutil.copy(root / "0.jpg", root / "1.jpg")
    for header, rows, remark in (
        ("path,movement", ["0.jpg,A", "1.jpg,A"], ""),
        ("path,artist", ["0.jpg,Arp", "1.jpg,Arp"], "read without movements: "),
        ("path,movement", ["0.jpg,A", "1.jpg,B", "2.jpg,B"], "row 3 ('2.jpg'). They"),
    ):
        table.write_text("\n".join([header, *rows]))
        done = run("audit", table, "--root", root, "--min-size", 0, code=0)
        assert "copy of 0.jpg" in done.stdout and remark in done.stderr
    table.write_text("path,movement\n2.jpg,A")
    done = run("audit", table, code=2)
    assert "--root" in done.stderr and "--on-error" not in done.stderr


@needs_names_of_bytes
def test_audit_of_a_name_that_is_no_utf_8(make_folder):
    root = make_folder(["A/0.jpg", "B/1.jpg"])
    name = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(root / "A" / "0.jpg", root / "B" / name)
    script = "from skart.cli import main; main()"  # which sets the encoding
    options = ("--min-size", 0, "--groups", root.parent / "groups.csv")
    told = finish(start(script, "audit", root, *options))
    assert "conflicting movements" in told and "udce9.jpg" in told


@pytest.mark.parametrize("name", ["~no-such-user", "~no-such-user.csv"])
def test_tilde_without_a_user_is_a_name(make_folder, monkeypatch, name):
    root = make_folder([f"{m}/{i}.jpg" for m in ("Cubism", "Dada") for i in range(2)])
    monkeypatch.chdir(root.parent)
    if name.endswith(".csv"):
        rows = [f"folder/{m}/{i}.jpg,{m}" for m in ("Cubism", "Dada") for i in range(2)]
        (root.parent / name).write_text("\n".join(["path,movement", *rows]))
    else:
        root.rename(name)
    assert profile(name).startswith("4 paintings in 2 movements")
    assert FeatureStore(name).root == root.parent / name


def test_errors_of_the_system_say_what_to_do(make_folder, tmp_path):
    folder = make_folder([f"{m}/{i}.jpg" for m in ("Cubism", "Dada") for i in range(2)])
    (tmp_path / "file").touch()
    done = run("profile", folder, "--out", tmp_path / "file", code=2)
    assert f"{str(tmp_path / 'file')!r}: File exists. It is not a folder" in done.stderr
    done = run("profile", folder, "--split-at", "9", code=2)
    assert "--split-at 9: it is for figures. Pass --out" in done.stderr
    (tmp_path / "works.csv").write_text("path,movement\na.jpg,b")
    done = run("profile", tmp_path / "works.csv", "--image-column", "path", code=2)
    assert "is no Parquet file. Pass --path-column" in done.stderr
