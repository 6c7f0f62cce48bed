"""
Nearest paintings by other artists
==================================

The paintings most similar to a painting are mostly by its own artist. Those by other
artists show what it shares with a movement, and explain a prediction by examples.
"""

# %%
# An index of features
# --------------------
# The index takes features from the store. It keeps artists apart.
import matplotlib.pyplot as plt
import numpy as np

from skart import FeatureExtractor
from skart.datasets import load_image_folder, make_paintings
from skart.exploration import PaintingIndex
from skart.networks import available_backbone
from skart.plotting import NeighborsDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
extractor = FeatureExtractor(
    available_backbone(),
    layer="style",
    cache="skart-gallery/features",
    verbose=False,
)
index = PaintingIndex(extractor).fit(paintings.paths, artists=paintings.artists)
index.features_.shape

# %%
# Four paintings, each beside the five nearest ones by other artists, with their
# similarities.
some = np.arange(0, len(paintings.paths), 76)
NeighborsDisplay.from_index(
    index,
    paintings.paths[some],
    paintings.paths,
    paintings.labels,
    titles=paintings.labels[some],
    size=120,
)

# %%
# Artists and movements
# ---------------------
# The nearest painting of any artist is by the same one in most cases, so it has the
# same movement; this says nothing about movements. Without the artist's paintings, the
# share is that of a classifier by one nearest neighbour, on artists it has not seen.
for other_artists in (False, True):
    _, nearest = index.kneighbors(n_neighbors=1, other_artists=other_artists)
    nearest = nearest[:, 0]
    same_artist = np.mean(paintings.artists[nearest] == paintings.artists)
    same_movement = np.mean(paintings.labels[nearest] == paintings.labels)
    print(
        f"other_artists={other_artists}: same artist {same_artist:.0%}, "
        f"same movement {same_movement:.0%}"
    )

# %%
# Neighbours of one movement
# --------------------------
# ``among`` names the paintings that may be neighbours, for all queries or, in rows, for
# each. Here: what a painting is most similar to in two other movements. The nearest
# training paintings of a predicted movement explain the prediction: ``skart predict
# --data paintings/ --html page.html`` shows them.
query = paintings.paths[[0, 0]]
movements = np.array(["Cubism", "Impressionism"])
NeighborsDisplay.from_index(
    index,
    query,
    paintings.paths,
    paintings.labels,
    titles=[f"in {movement}" for movement in movements],
    among=paintings.labels == movements[:, None],
    size=120,
)
plt.show()
