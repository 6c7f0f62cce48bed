"""
Profile a collection
====================

Before training: the number of paintings and artists of each movement, the sizes of the
images, and samples. On the command line, ``skart profile FOLDER`` shows the same.
"""

# %%
# Counts
# ------
# ``frame`` is a table with one row per painting. A movement with few artists is hard to
# evaluate: with artists kept apart, each fold needs at least one of its artists.
import matplotlib.pyplot as plt

from skart.datasets import load_image_folder, make_paintings
from skart.plotting import ImageSizeDisplay, SamplesDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
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
# Files that were skipped, by reason: here, a hidden file with the settings of the
# drawings.
print(paintings.skipped)

# %%
# Sizes
# -----
# Only the headers of the files are read. Images smaller than the input of the network
# are enlarged, which lowers the accuracy. This figure helps to choose
# ``ImageLoader(size=...)``.
ImageSizeDisplay.from_paths(paintings.paths)

# %%
# Samples
# -------
# If artists are passed, each is shown once before one is shown twice.
SamplesDisplay.from_paths(
    paintings.paths, paintings.labels, artists=paintings.artists, n_samples=8
)
plt.show()
