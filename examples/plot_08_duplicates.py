"""
Duplicates in a collection
==========================

Collections from many sources often contain the same painting more than once: smaller,
cropped, recompressed. If one copy is in the training set and another in the test set,
the accuracy is too high. ``audit_collection`` finds such copies.
"""

# %%
# Copies
# ------
# Five copies of paintings, altered as museums and web sites do, and a truncated file.
# ``audit_collection`` decodes every file once and changes none.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from sklearn.model_selection import GroupKFold

from skart.audit import audit_collection
from skart.datasets import load_image_folder, make_paintings

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
movement = paintings.paths[paintings.labels == "Impressionism"]
originals = [Image.open(path).convert("RGB") for path in movement[::6]]
alter = {
    "small": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cropped": lambda image: ImageOps.crop(image, min(image.size) // 40),
    "grey": ImageOps.grayscale,
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "bordered": lambda image: ImageOps.expand(image, 12, "white"),
}
folder = tempfile.TemporaryDirectory()
copies = [f"{folder.name}/{name}.jpg" for name in alter]
for path, image, change in zip(copies, originals, alter.values(), strict=True):
    change(image).save(path, quality=80)
broken = f"{folder.name}/broken.jpg"
Path(broken).write_bytes(Path(copies[0]).read_bytes()[:2000])

paths = [*paintings.paths, *copies, broken]
labels = [*paintings.labels, *["Impressionism"] * 6]
artists = [*paintings.artists, *["unknown"] * 6]
found = audit_collection(paths, labels=labels, artists=artists, verbose=False)
summary = found.summary()
summary[summary["findings"] > 0]

# %%
# Groups
# ------
# ``groups`` are for splitters: the paintings of an artist and all copies of a painting
# are in the same group.
for train, test in GroupKFold(4).split(paths, groups=found.groups):
    assert not set(found.groups[train]) & set(found.groups[test])
print(f"{len(set(found.groups))} groups of {len(paths)} files")

# %%
# The copies found
# ----------------
# One column per copy: the painting above, its copy below, and their similarity.
# ``skart.report.write_audit(found, "audit.html")`` writes all findings to a page.
clusters = found.files.dropna(subset="cluster").groupby("cluster")
_, axes = plt.subplots(
    2, len(clusters), figsize=(2.2 * len(clusters), 4.4), layout="constrained"
)
for column, (_, files) in zip(axes.T, clusters, strict=True):
    for ax, path in zip(column, files["path"], strict=False):
        ax.imshow(np.asarray(Image.open(path).convert("RGB")))
        ax.set_axis_off()
    names = " and ".join(Path(path).stem for path in files["path"][1:])
    column[1].set_title(f"{names}: {files['similarity'].max():.2f}", fontsize=10)
plt.show()
folder.cleanup()
