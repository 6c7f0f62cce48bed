"""Decisions on suspect labels."""

import numpy as np
import pandas as pd
import pytest

from skart.audit import apply_corrections

PATHS = ["/art/Dada/a.jpg", "/art/Dada/b.jpg", "/art/Cubism/a.jpg", "/art/Cubism/c.jpg"]
LABELS = ["Dada", "Dada", "Cubism", "Cubism"]


def table(*rows):
    return pd.DataFrame(rows, columns=["path", "movement", "decision", "corrected"])


def test_decisions_are_applied(tmp_path):
    rows = table(
        ("Dada/a.jpg", "Dada", "change", "Cubism"),
        ("Dada/b.jpg", "Dada", "keep", None),
        ("Cubism/c.jpg", "Cubism", "exclude", None),
    )
    file = tmp_path / "corrections.csv"
    rows.to_csv(file, index=False)
    for corrections in (rows, file, str(file)):
        labels, kept = apply_corrections(corrections, PATHS, LABELS)
        assert labels.tolist() == ["Cubism", "Dada", "Cubism", "Cubism"]
        assert kept.tolist() == [True, True, True, False]
    assert LABELS == ["Dada", "Dada", "Cubism", "Cubism"]
    # What has been applied to the collection itself changes nothing.
    again, _ = apply_corrections(rows, PATHS, labels)
    np.testing.assert_array_equal(again, labels)


def test_paths_may_begin_below_or_above_the_common_folder():
    below, above = ("b.jpg", "Dada"), ("art/Cubism/c.jpg", "Cubism")
    rows = table((*below, "exclude", ""), (*above, "exclude", ""))
    _, kept = apply_corrections(rows, PATHS, LABELS)
    assert kept.tolist() == [True, False, True, False]
    nested = ["/art/a.jpg", "/art/x/a.jpg"]
    rows = table(("a.jpg", "Dada", "exclude", ""))
    kept = apply_corrections(rows, nested, ["Dada", "Dada"])[1]
    assert kept.tolist() == [False, True]


def test_numbers_stay_numbers(tmp_path):
    rows = table(("a.jpg", 1, "change", 2))
    rows.to_csv(tmp_path / "c.csv", index=False)
    labels, _ = apply_corrections(tmp_path / "c.csv", ["a.jpg", "b.jpg"], [1, 2])
    assert labels.tolist() == [2, 2]
    rows = table(("a.jpg", 1, "change", 2), ("b.jpg", 2, "keep", None))
    assert rows["corrected"].dtype == float
    labels, _ = apply_corrections(rows, ["a.jpg", "b.jpg"], [1, 2])
    assert labels.tolist() == [2, 2]


def test_names_that_are_no_unicode():
    rows = table(("\\udcff.jpg", "\\udcfe", "change", "b"))
    labels, _ = apply_corrections(rows, ["x/\udcff.jpg", "x/b.jpg"], ["\udcfe", "b"])
    assert labels.tolist() == ["b", "b"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("Dada/z.jpg", "Dada", "keep", ""),
            "row 2: there is no such painting .*z.jpg",
        ),
        (
            ("a.jpg", "Dada", "keep", ""),
            "row 2: 2 paintings .* have that name: 'a.jpg'",
        ),
        (("Dada/a.jpg", "Dada", "change", "Cubsm"), "no movement 'Cubsm'.*'Cubism'"),
        (("Dada/a.jpg", "Dada", "change", None), "no movement None"),
        (
            ("Dada/a.jpg", "Dada", "alter", ""),
            "one of keep, change, exclude; got 'alter'",
        ),
        (("Dada/a.jpg", "Fauvism", "keep", ""), "of 'Fauvism' there and of 'Dada' in"),
        ((None, "Dada", "keep", ""), "row 2: there is no path"),
    ],
)
def test_errors_name_row_and_reason(row, message):
    with pytest.raises(ValueError, match=message):
        apply_corrections(table(row), PATHS, LABELS)


def test_blank_rows_are_counted(tmp_path):
    lines = "path,movement,decision,corrected", ",,,", "", "z.jpg,Dada,keep,"
    (tmp_path / "c.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="row 4: there is no such painting"):
        apply_corrections(tmp_path / "c.csv", PATHS, LABELS)
    rows = table(("z.jpg", "Dada", "keep", "")).set_index(pd.Index(["any"]))
    with pytest.raises(ValueError, match="row 2: there is no such painting"):
        apply_corrections(rows, PATHS, LABELS)


def test_contradictions_and_missing_columns():
    twice = ("Dada/b.jpg", "Dada", "keep", "")
    other = ("Dada/b.jpg", "Dada", "exclude", "")
    assert apply_corrections(table(twice, twice), PATHS, LABELS)[1].all()
    with pytest.raises(ValueError, match="row 3: an earlier row decides otherwise"):
        apply_corrections(table(twice, other), PATHS, LABELS)
    with pytest.raises(ValueError, match="no column 'decision'"):
        apply_corrections(table(twice).drop(columns="decision"), PATHS, LABELS)
