"""
Labels to check
===============

Some labels of every large collection are wrong. A classifier that was not trained on a
painting, and the artist's other paintings, show which to look at first.
"""

# %%
# Eight wrong labels
# ------------------
# The labels of drawn paintings are correct, so eight are changed here.
import matplotlib.pyplot as plt
import numpy as np

from skart import make_transfer_pipeline
from skart.audit import find_label_issues
from skart.datasets import load_image_folder, make_paintings
from skart.images import ImageLoader
from skart.networks import available_backbone

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
generator = np.random.default_rng(0)
labels = paintings.labels.copy()
wrong = generator.choice(len(labels), 8, replace=False)
for place in wrong:
    others = np.setdiff1d(paintings.target_names, labels[place])
    labels[place] = generator.choice(others)

# %%
# The most suspect labels
# -----------------------
# The pipeline is cross-validated; its probabilities and the artists' other paintings
# are combined.
pipe = make_transfer_pipeline(
    size=96,
    backbone=available_backbone(),
    cache="skart-gallery/features",
    epochs=30,
    random_state=0,
    verbose=False,
)
table = find_label_issues(
    pipe, paintings.paths, labels, paintings.artists, verbose=False
)
table["is wrong"] = table["position"].isin(wrong)
table[["movement", "suggested", "score", "issue", "is wrong"]].head(12).round(3)

# %%
# The reasons, for instance of the first:
for reason in table["reason"][0].split("; "):
    print(reason)

# %%
# How many have to be looked at to find all
# -----------------------------------------
# The order is what counts. Guessing finds the last one near the end of the list.
found = table["is wrong"].cumsum()
fig, ax = plt.subplots(layout="constrained")
ax.step(np.arange(1, 41), found[:40], where="post", label="in this order")
ax.plot([1, 40], [8 / len(labels), 8 * 40 / len(labels)], "--", label="at random")
ax.set(xlabel="paintings looked at", ylabel="wrong labels found")
ax.legend()
plt.show()

# %%
# Look at them
# ------------
# ``skart.report.write_suspects``, or ``skart suspects --html``, writes a page to decide
# on each painting, with its nearest paintings by other artists. The decisions are saved
# as a CSV file, which ``skart train --corrections`` takes.
first = table.head(6)
images = ImageLoader(160, resize="pad").transform(paintings.paths[first["position"]])
fig, axes = plt.subplots(1, 6, figsize=(12, 2.6), layout="constrained")
for ax, image, row in zip(axes, np.asarray(images), first.itertuples(), strict=True):
    ax.imshow(image)
    ax.set_title(f"{row.movement}?\n{row.suggested}", fontsize="small")
    ax.set_axis_off()
plt.show()
