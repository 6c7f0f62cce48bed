"""
Your own features
=================

An ``Encoder`` makes any function of images a backbone: a network of another library, or
a few lines of NumPy, as here. Its features are stored and joined like all others.
"""

# %%
# A function of images
# --------------------
# It gets a batch of images and returns a row for each. This one measures the texture:
# how much, and how unevenly, pixels differ from others at five distances.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import Encoder, FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.networks import available_backbone


def texture(images):
    """Mean of the differences of pixels, and their spread relative to it."""
    grey = images.mean(axis=3)
    columns = []
    for distance in (1, 2, 4, 8, 16):
        for axis in (1, 2, (1, 2)):
            difference = abs(grey - np.roll(grey, distance, axis))
            mean, spread = difference.mean(axis=(1, 2)), difference.std(axis=(1, 2))
            columns += [np.log1p(mean), spread / (1 + mean)]
    return np.stack(columns, axis=1)


root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)

# %%
# As a backbone
# -------------
# The store knows the function by its name and version: change the version together with
# the function.
cache = "skart-gallery/features"
by_texture = FeatureExtractor(
    Encoder(texture, name="pixel-differences", version=1), cache=cache, verbose=False
)
backbone = available_backbone()
print(f"Features: {backbone}")
by_network = FeatureExtractor(backbone, cache=cache, verbose=False)

# %%
# Alone and joined
# ----------------
# Accuracy over three folds, with artists kept apart. Thirty numbers of texture
# recognize most paintings, but add little to those of the network's last layer.
views = {
    "texture": by_texture,
    "network": by_network,
    "both": FeatureUnion([("texture", by_texture), ("network", by_network)]),
}
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
scores = {}
for name, features in views.items():
    pipe = make_pipeline(
        ImageLoader(96),
        features,
        StandardScaler(),
        RidgeClassifier(alpha=10),
    )
    scores[name] = cross_val_score(
        pipe, paintings.paths, paintings.labels, groups=paintings.artists, cv=folds
    ).mean()
_, ax = plt.subplots(figsize=(7, 2.5), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), color=["0.7", "0.7", "C0"])
ax.bar_label(bars, fmt="{:.1%}", padding=4)
ax.axvline(1 / 10, color="grey", linestyle="--", linewidth=1)
ax.set(xlabel="accuracy on painters it has not seen; dashed: chance", xlim=(0, 1.1))
ax.invert_yaxis()
plt.show()
