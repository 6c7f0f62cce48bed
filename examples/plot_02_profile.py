"""
Profile a collection
====================

Before anything is trained: how many paintings and artists there are of each movement,
how large the images are, and what they look like. ``skart profile FOLDER`` tells as
much on the command line.
"""

# %%
# How many
# --------
# ``frame`` is a table with a row for each painting. An artist with few paintings is of
# little use for training, and a movement of few artists is hard to test fairly: the
# folds that keep artists apart need one artist each, at least.
import matplotlib.pyplot as plt

from skart.datasets import load_image_folder, make_paintings
from skart.plotting import ImageSizeDisplay, SamplesDisplay

root = make_paintings(
    "skart-gallery/paintings",
    movements=[
        "Cubism",
        "Impressionism",
        "Op Art",
        "Pop Art",
        "Suprematism",
        "Ukiyo-e",
    ],
    n_artists=8,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
table = paintings.frame.groupby("movement").agg(
    paintings=("path", "size"), artists=("artist", "nunique")
)
table

# %%
# What was passed over, and why: here, a hidden file that holds the recipe.
print(paintings.skipped)

# %%
# How large
# ---------
# Only the headers of the files are read. What is smaller than the network's input is
# enlarged, which no network likes: choose ``ImageLoader(size=...)`` with this figure in
# view.
ImageSizeDisplay.from_paths(paintings.paths)

# %%
# What it looks like
# ------------------
# Given the artists, each is shown once before one is shown twice.
SamplesDisplay.from_paths(
    paintings.paths, paintings.labels, artists=paintings.artists, n_samples=8
)
plt.show()
