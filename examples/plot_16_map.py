"""
The map of a collection
=======================

What does a collection look like as a whole? On a map, paintings with similar features
are near each other. It shows groups, and paintings that are unlike all others.
"""

# %%
# Features and places
# -------------------
# The places are computed from the features of a pretrained network, by t-SNE. Movements
# and artists are not used.
import matplotlib.pyplot as plt

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.exploration import CollectionMap
from skart.networks import available_backbone
from skart.plotting import MapDisplay

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
    available_backbone(), cache="skart-gallery/features", verbose=False
)
features = extractor.fit_transform(ImageLoader(96).fit_transform(paintings.paths))
map = CollectionMap(random_state=0, verbose=False)
map.fit(features, paintings.labels, artists=paintings.artists)
MapDisplay.from_map(map)

# %%
# Some movements form a group; others fall into as many groups as they have painters.
#
# The paintings themselves
# ------------------------
# Each cell shows the painting nearest to its middle, so none is covered.
MapDisplay.from_map(map, thumbnails=True, paths=paintings.paths)
plt.show()

# %%
# A page
# ------
# It shows all paintings, and more of each: its nearest paintings by other artists, for
# instance. It is a single file that opens without a network. The command for it is
# ``skart map paintings/ --out map.html``.
page = map.to_html(
    "skart-gallery/map.html", paths=paintings.paths, title="Drawn paintings"
)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %%
# A grid has neither overlap nor gaps. It keeps neighbourhoods, but not distances. These
# are the columns and rows of the first paintings.
map.grid_[:5]
