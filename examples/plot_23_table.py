"""
Paintings in one Parquet file
=============================

Data sets of Hugging Face are Parquet files that hold the images themselves. They are
not unpacked: ``load_table`` names each image by its row, and whatever takes the path of
an image reads it from there.
"""

# %%
# A file of paintings
# -------------------
# Here it is written from drawn paintings, with the columns that such files have: a
# struct of bytes and path, and integers with names.
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pyarrow as pa
from pyarrow import parquet
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skart import ImageLoader, make_transfer_pipeline
from skart.datasets import load_image_folder, load_table, make_paintings
from skart.networks import available_backbone

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
drawn = load_image_folder(root)
images = [
    {"bytes": Path(path).read_bytes(), "path": Path(path).name} for path in drawn.paths
]
table = pa.table(
    {
        "image": images,
        "style": [drawn.target_names.index(name) for name in drawn.labels],
        "artist": drawn.artists,
    }
)
features = {"style": {"names": drawn.target_names, "_type": "ClassLabel"}}
about = {"huggingface": json.dumps({"info": {"features": features}})}
file = Path("skart-gallery/paintings.parquet")
parquet.write_table(table.replace_schema_metadata(about), file, row_group_size=100)
print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {table.num_rows} rows")

# %%
# Its rows are paths
# ------------------
# Only the labels are read here. They are names, not integers.
paintings = load_table(file)
print(Path(paintings.paths[17]).name)
print(paintings.frame[["movement", "artist"]].value_counts(sort=False).head(3))

# %%
# A pipeline on rows
# ------------------
# Rows are read in their order, a row group at a time, and each is computed once.
pipe = make_transfer_pipeline(
    backbone=available_backbone(),
    layer="style",
    cache="skart-gallery/features",
    random_state=0,
    verbose=False,
)
predicted = cross_val_predict(
    pipe,
    paintings.paths,
    paintings.labels,
    groups=paintings.artists,
    cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
)
accuracy = (predicted == paintings.labels).mean()
print(f"accuracy on artists it has not seen: {accuracy:.1%}")

# %%
# Some rows, with what was predicted for them.
rows = range(0, len(paintings.paths), len(paintings.paths) // 10)[:10]
shown = ImageLoader(96).transform(paintings.paths[list(rows)])
figure, axes = plt.subplots(2, 5, figsize=(9, 4.4), layout="constrained")
for axis, row, image in zip(axes.flat, rows, shown, strict=True):
    axis.imshow(image)
    right = predicted[row] == paintings.labels[row]
    axis.set_title(
        f"row {row}: {predicted[row]}", fontsize=8, color="black" if right else "C3"
    )
    axis.axis("off")
figure.suptitle(f"{accuracy:.0%} right")
plt.show()
