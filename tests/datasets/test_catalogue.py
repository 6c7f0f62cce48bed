import gzip
import os
import shutil
import sys

import pandas as pd
import pytest
from helpers import save_image

from skart.datasets import load_catalogue, load_image_folder
from skart.datasets._tables import PACKAGES


@pytest.fixture
def museum(tmp_path):
    paths = ["im/a b.jpg", "im/é.jpg", "im/c.jpg"]
    for path in paths:
        save_image(tmp_path / path, (8, 8))
    return tmp_path, pd.DataFrame(
        {
            "path": paths,
            "movement": ["Op Art", "Pop Art", "Op Art"],
            "artist": ["Björk, A.", None, "Björk, A."],
            "year": [1965, 1962, 1970],
        }
    )


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_file_of_any_separator(museum, sep, encoding):
    root, table = museum
    table.to_csv(root / "works.csv", index=False, sep=sep, encoding=encoding)
    paintings = load_catalogue(root / "works.csv")
    assert paintings.paths.tolist() == [str(root / path) for path in table["path"]]
    assert paintings.labels.tolist() == ["Op Art", "Pop Art", "Op Art"]
    assert paintings.artists[0] == paintings.artists[2] == "Björk, A."
    assert paintings.artists[1] not in ("nan", "None", "Björk, A.")
    assert paintings.frame["year"].tolist() == [1965, 1962, 1970]
    assert paintings.skipped == {}


def test_separator_and_encoding_are_passed_on(museum):
    root, table = museum
    table.to_csv(root / "works.csv", index=False, sep="|", encoding="latin-1")
    paintings = load_catalogue(root / "works.csv", sep="|", encoding="latin-1")
    assert paintings.artists[0] == "Björk, A."


def test_dataframe_with_other_column_names(museum):
    root, table = museum
    original = table = table.rename(columns={"path": "file", "movement": "style"})
    table["style"] = [1, 2, 1]
    before = table.copy()
    paintings = load_catalogue(table, path="file", movement="style", root=root)
    assert paintings.labels.tolist() == [1, 2, 1]
    assert paintings.labels.dtype.kind == "i"
    pd.testing.assert_frame_equal(original, before)


@pytest.mark.parametrize("suffix", [None, ".parquet", ".xlsx"])
def test_floats_of_whole_numbers_are_integers(museum, suffix):
    root, table = museum
    table["movement"], table["artist"] = [1.0, 2.0, 1.0], [7.0, None, 7.0]
    if suffix is not None:
        write = {".parquet": table.to_parquet, ".xlsx": table.to_excel}[suffix]
        write(root / f"works{suffix}", index=False)
        table = root / f"works{suffix}"
    paintings = load_catalogue(table, root=root)
    assert (
        paintings.labels.tolist() == paintings.frame["movement"].tolist() == [1, 2, 1]
    )
    assert paintings.labels.dtype.kind == "i"
    assert paintings.artists[0] == paintings.artists[2] == "7"


@pytest.mark.parametrize("column_exists", [True, False])
def test_artists_are_optional(museum, column_exists):
    root, table = museum
    if column_exists:
        paintings = load_catalogue(table, artist=False, root=root)
    else:
        paintings = load_catalogue(table.drop(columns="artist"), root=root)
    assert paintings.artists is None
    assert paintings.frame.columns.tolist() == ["path", "movement", "artist", "year"]


@pytest.mark.parametrize(
    "columns",
    [
        ["File Name", "Style", "Painter"],
        ["IMAGE_PATH", "Art-Movement", "Creator"],
        ["filename", "label", "ARTIST NAME"],
    ],
)
def test_columns_with_usual_names_are_found(museum, columns):
    root, table = museum
    table.columns = [*columns, "Year"]
    table.to_csv(root / "works.csv", index=False)
    paintings = load_catalogue(root / "works.csv")
    assert paintings.labels.tolist() == ["Op Art", "Pop Art", "Op Art"]
    assert paintings.artists[0] == "Björk, A."
    assert paintings.frame.columns.tolist() == ["path", "movement", "artist", "Year"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_text_is_read_as_text(tmp_path, suffix):
    for name in ("00120", "1.10"):
        save_image(tmp_path / f"{name}.jpg", (8, 8))
    table = pd.DataFrame(
        {
            "path": ["00120.jpg", "1.10.jpg", "00120.jpg", "1.10.jpg"],
            "movement": ["1.10", "1.1", "True", "1e3"],
            "artist": ["007", "7", "7.0", "1.10"],
            "inventory": ["00120", "1.10", "12", "NA"],
        }
    )
    file = tmp_path / f"works{suffix}"
    {".csv": table.to_csv, ".xlsx": table.to_excel, ".parquet": table.to_parquet}[
        suffix
    ](file, index=False)
    paintings = load_catalogue(file)
    assert paintings.labels.tolist() == table["movement"].tolist()
    assert paintings.artists.tolist() == table["artist"].tolist()
    assert paintings.frame["inventory"][:3].tolist() == ["00120", "1.10", "12"]


def test_spellings_of_one_name_are_equal(museum):
    root, table = museum
    table["movement"] = [" Op  Art", "Pop Art", "Op Art\u00a0"]
    table["artist"] = ["Bjo\u0308rk, A. ", "\t", "Bj\u00f6rk, A."]
    for source in (table, root / "works.csv"):
        table.to_csv(root / "works.csv", index=False)
        paintings = load_catalogue(source, root=root)
        assert paintings.target_names == ["Op Art", "Pop Art"]
        assert paintings.artists[0] == paintings.artists[2] == "Björk, A."
        # An artist that is blank is unknown.
        assert paintings.artists[1].startswith("unknown artist of")
    table["movement"] = ["Op Art", "  ", ""]
    with pytest.raises(ValueError, match="without path or movement: row 2, row 3"):
        load_catalogue(table, root=root)


def test_artists_in_several_spellings_are_one(museum):
    root, table = museum
    table["artist"] = ["Li Na", "LI  NA", "Lin A"]
    with pytest.warns(UserWarning, match="'LI NA' is 'Li Na'. If they") as caught:
        paintings = load_catalogue(table, root=root)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert paintings.artists.tolist() == ["Li Na", "Li Na", "Lin A"]
    table["artist"] = ["Li Na", "li na", None]
    with pytest.warns(UserWarning, match="'li na' is 'Li Na'"):
        artists = load_catalogue(table, root=root).frame["artist"]
    assert artists.isna().tolist() == [False, False, True]


@pytest.mark.parametrize("name", ["Cafe\u0301.jpg", "a  b.jpg", " lead.jpg", "7"])
@pytest.mark.parametrize("as_file", [True, False])
def test_paths_are_taken_as_they_are(tmp_path, name, as_file):
    save_image(tmp_path / "x.jpg", (8, 8))
    shutil.copy(tmp_path / "x.jpg", tmp_path / name)
    table = pd.DataFrame({"path": [name, " x.jpg "], "movement": ["A", "B"]})
    if as_file:
        table.to_csv(tmp_path / "works.csv", index=False)
        table = tmp_path / "works.csv"
    paintings = load_catalogue(table, root=tmp_path)
    assert paintings.paths.tolist() == [str(tmp_path / name), str(tmp_path / "x.jpg")]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("Cafe\u0301.jpg", "Caf\u00e9.jpg"),
        ("Caf\u00e9.jpg", "Cafe\u0301.jpg"),
        ("im/1.jpg", r"im\1.jpg"),
        ("im/e\u0301.jpg", " im\\\u00e9.jpg"),
    ],
)
def test_paths_of_other_systems_are_found(tmp_path, name, cell):
    save_image(tmp_path / name, (8, 8))
    table = pd.DataFrame({"path": [cell, name], "movement": ["A", "B"]})
    paintings = load_catalogue(table, root=tmp_path)
    assert paintings.paths.tolist() == [str(tmp_path / name)] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,movement,movement\na.jpg,A,B\n", None),
        ("path,movement,movement \na.jpg,A,B\n", "several columns 'movement'"),
    ],
)
def test_columns_of_one_name_raise(tmp_path, content, message):
    save_image(tmp_path / "a.jpg", (8, 8))
    (tmp_path / "works.csv").write_text(content)
    with pytest.raises(ValueError, match=message or "one movement only"):
        load_catalogue(tmp_path / "works.csv")


@pytest.mark.parametrize(
    "content",
    [
        "path\tmovement\tsize (h, w, d)\na.jpg\tA\t1\na.jpg\tB\t2\n",
        "\npath;movement\na.jpg;A\na.jpg;B\n",
        "path,movement\na.jpg,A,\na.jpg,B,\n",
        '"path","movement"\n"a.jpg","A;1"\n"a.jpg","B;2"\n',
        "path,movement\na.jpg,A, \na.jpg,B\n",
        "path,movement\n\na.jpg,A,\na.jpg,B,\n",
        '"path\n\n",movement\n\na.jpg,A\na.jpg,B\n',
        f"path;movement;text\na.jpg;A;{'x, ' * 50_000}\na.jpg;B;y\n",
        'path;text;movement;a, b, c\na.jpg;"' + "x, x, x\n" * 30 + '";A;y\na.jpg;z;B;y',
    ],
)
def test_separators_of_odd_tables(tmp_path, content):
    save_image(tmp_path / "a.jpg", (8, 8))
    (tmp_path / "works.csv").write_text(content)
    paintings = load_catalogue(tmp_path / "works.csv")
    assert [label[0] for label in paintings.labels] == ["A", "B"]


@pytest.mark.parametrize("suffix", [None, ".csv", ".xlsx", ".parquet"])
def test_blank_rows_are_left_out_and_counted(museum, suffix):
    root, table = museum
    blank = pd.DataFrame([[None] * 4, [" ", "", None, None]], columns=table.columns)
    table = pd.concat([table[:1], blank, table[1:], blank], ignore_index=True)
    table["year"] = table["year"].astype(object if suffix else "Int64")

    def load(table, **options):
        if suffix is None:
            table = table.set_index(table.index + 7)
            return load_catalogue(table, root=root, **options)
        file = root / f"works{suffix}"
        if suffix == ".csv":
            table.to_csv(file, index=False, sep=";")
        elif suffix == ".xlsx":
            table.astype(object).to_excel(file, index=False)
        else:
            table.to_parquet(file)
        return load_catalogue(file, **options)

    paintings = load(table)
    assert paintings.labels.tolist() == ["Op Art", "Pop Art", "Op Art"]
    assert paintings.frame["year"].tolist() == [1965, 1962, 1970]
    assert paintings.frame.index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="without path or movement: row 4"):
        load(table.assign(movement=table["movement"].where(table.index != 3)))
    table.loc[4, "path"] = "none.jpg"
    with pytest.warns(UserWarning, match=r"exist in .*: row 5 \('none.jpg'\). They"):
        paintings = load(table, on_error="skip")
    assert paintings.frame["year"].tolist() == [1965, 1962]
    assert paintings.paths.tolist() == [str(root / x) for x in table["path"][[0, 3]]]


@pytest.mark.parametrize("sep", [None, ",", r"\s*,\s*"])
@pytest.mark.parametrize("above", ["", "\n \r\n"])
@pytest.mark.filterwarnings("ignore:Falling back to the 'python' engine")
def test_blank_lines_are_counted(tmp_path, above, sep):
    save_image(tmp_path / "a.jpg", (8, 8))
    content = f"{above}path,movement\n\na.jpg,A\n \n\na.jpg,\n\na.jpg,B\n\n"
    (tmp_path / "works.csv").write_text(content)
    with pytest.raises(ValueError, match="without path or movement: row 5. Comp"):
        load_catalogue(tmp_path / "works.csv", sep=sep)
    (tmp_path / "works.csv").write_text(content.replace("a.jpg,\n", "\n"))
    assert load_catalogue(tmp_path / "works.csv", sep=sep).labels.tolist() == ["A", "B"]


def test_other_sheets_are_named(museum):
    root, table = museum
    with pd.ExcelWriter(root / "works.xlsx") as file:
        pd.DataFrame({"about": ["x"]}).to_excel(file, sheet_name="Notes", index=False)
        table.to_excel(file, sheet_name="Works", index=False)
    message = r"Only its first sheet is read, 'Notes', not 'Works': put the table first"
    for options in ({}, {"path": "path"}):
        with pytest.raises(ValueError, match=message):
            load_catalogue(root / "works.xlsx", **options)


def test_table_of_one_column(museum):
    root, table = museum
    table[["path"]].to_csv(root / "works.csv", index=False)
    message = "no column that looks like the movement. Its columns are 'path'"
    with pytest.raises(ValueError, match=message):
        load_catalogue(root / "works.csv")


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_missing_package_names_the_extra(museum, monkeypatch, suffix):
    root, table = museum
    file = root / f"works{suffix}"
    file.touch()
    for package in PACKAGES.values():
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'skart\[tables\]'"):
        load_catalogue(file)


def test_invalid_catalogue_raises(museum):
    root, table = museum
    with pytest.raises(FileNotFoundError, match="no table"):
        load_catalogue(root / "nothing.csv")
    with pytest.raises(ValueError, match="'movment'.*Did you mean 'movement'"):
        load_catalogue(table, movement="movment", root=root)
    with pytest.raises(ValueError, match="Did you mean 'artist'"):
        load_catalogue(table, artist="artists", root=root)
    with pytest.raises(FileNotFoundError, match=r"row 1 \('.*a b.jpg'\)"):
        load_catalogue(table, root=root / "elsewhere")
    table.loc[1, "movement"] = None
    with pytest.raises(ValueError, match="without path or movement: row 2"):
        load_catalogue(table, root=root)
    with pytest.raises(ValueError, match="has no paintings"):
        load_catalogue(table[:0], root=root)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"path,movement", b"PK\x03\x04", b"PAR1PAR1"])
def test_damaged_file_raises(tmp_path, suffix, content):
    file = tmp_path / f"works{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"works{suffix}' can't be read as a table"):
        load_catalogue(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "path,movement\nä.jpg,Op Art".encode("latin-1"),
            "encoding UTF-8. Save it as UTF-8, or pass its encoding, such as enc",
        ),
        (gzip.compress(b"path,movement", mtime=0), "it is compressed. Unpack it"),
        (b"PK\x03\x04", "a spreadsheet or ZIP file. Save the table in it as .xlsx or"),
        (b"", "is empty"),
        (b"path,artist\na.jpg,Gris, Juan\nb.jpg,Arp", "row 1 has 3 fields, .* quotes"),
        (b"path,artist\na.jpg,Arp,\nb.jpg,Gris, Juan", "row 2 has 3 fields, .* quotes"),
        (b"path,artist\n\na.jpg,Arp,\n \nb.jpg,Gris, Juan", "row 4 has 3 fields"),
        (b"path,artist\na.jpg,Arp\nb.jpg,Gris, Juan", "Expected 2 fields in line 3"),
    ],
)
def test_unreadable_file_raises(tmp_path, content, message):
    (tmp_path / "works.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"works.csv' .*{message}"):
        load_catalogue(tmp_path / "works.csv")


def test_compressed_file_raises_with_a_separator(tmp_path):
    content = gzip.compress(b"path,movement\na.jpg,Op Art", mtime=0)
    (tmp_path / "works.csv.gz").write_bytes(content)
    for sep in (None, ","):
        with pytest.raises(ValueError, match="it is compressed. Unpack it"):
            load_catalogue(tmp_path / "works.csv.gz", sep=sep)


def test_catalogue_of_real_paintings_agrees_with_folder():
    folder = os.environ.get("SKART_PAINTINGS")
    if not folder:
        pytest.skip("SKART_PAINTINGS names no folder of paintings with a catalogue.csv")
    by_table = load_catalogue(os.path.join(folder, "catalogue.csv"))
    by_folder = load_image_folder(folder)
    assert sorted(by_table.paths) == sorted(by_folder.paths)
    assert by_table.target_names == by_folder.target_names


def test_json_is_no_table(tmp_path):
    file = tmp_path / "manifest.json"
    file.write_text('{"type": "Manifest"}')
    with pytest.raises(ValueError, match="it is JSON. A IIIF manifest"):
        load_catalogue(file)


def test_files_that_are_missing_are_left_out(museum):
    root, table = museum
    table.loc[2, "path"] = "im/none.jpg"
    with pytest.raises(FileNotFoundError, match="on_error='skip' to leave them out"):
        load_catalogue(table, root=root)
    with pytest.warns(UserWarning, match=r"row 3 \('im/none.jpg'\). They are left out"):
        paintings = load_catalogue(table, root=root, on_error="skip")
    assert paintings.labels.tolist() == ["Op Art", "Pop Art"]
    assert paintings.frame["year"].tolist() == [1965, 1962]
    with pytest.raises(ValueError, match="on_error must be"):
        load_catalogue(table, root=root, on_error="blank")
