"""
Stacking several views
======================

Features of several layers and hand-crafted features, such as colours and edges, can be
combined in two ways: joined to one vector, or by stacking a classifier of each.
"""

# %%
# Joined
# ------
# ``layer="style"`` joins layers of the network; a ``FeatureUnion`` joins these with
# hand-crafted features.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import (
    FeatureExtractor,
    HandcraftedFeatures,
    ImageLoader,
    make_stacked_classifier,
)
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import ArtistKFold
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
paths, labels, artists = paintings.paths, paintings.labels, paintings.artists
backbone = available_backbone()
print(f"Features: {backbone}")
descriptors = ["color_layout", "color_structure", "edge_direction"]
options = {"cache": "skart-gallery/features", "verbose": False}
joined = make_pipeline(
    ImageLoader(96),
    FeatureUnion(
        [
            ("network", FeatureExtractor(backbone, layer="style", **options)),
            ("handcrafted", HandcraftedFeatures(descriptors, **options)),
        ]
    ),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)

# %%
# Stacked
# -------
# Each layer, and the hand-crafted features, have their own classifier; a final one
# learns from their out-of-fold predictions. ``ArtistKFold`` keeps artists apart there:
# a stack passes no ``groups`` to its folds.
stack = make_stacked_classifier(
    backbone=backbone,
    descriptors=descriptors,
    pooling="avg",
    size=96,
    cv=ArtistKFold(4, artists=dict(zip(paths, artists, strict=True))),
    **options,
)
stack

# %%
# Results
# -------
# Accuracy on new painters over three folds. Neither way is better than the best view
# alone: here, the last layers see all that the others see, and the final classifier has
# only 200 paintings to learn how far to trust each view. Compare before you combine.
scores = {}
codes = np.unique(labels, return_inverse=True)[1]  # what the views of a stack learn
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
for train, test in folds.split(paths, labels, artists):
    stack.fit(paths[train], labels[train])
    for name, view in stack.named_estimators_.items():
        scores.setdefault(name, []).append(view.score(paths[test], codes[test]))
    joined.fit(paths[train], labels[train])
    for name, classifier in (("stacked", stack), ("joined", joined)):
        scores.setdefault(name, []).append(classifier.score(paths[test], labels[test]))
means = [np.mean(values) for values in scores.values()]
_, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
colors = ["C0" if name in ("stacked", "joined") else "0.7" for name in scores]
bars = ax.barh(list(scores), means, color=colors)
ax.bar_label(bars, fmt="{:.0%}", padding=4)
ax.axvline(1 / 10, color="grey", linestyle="--", linewidth=1)
ax.set(xlabel="accuracy on painters it has not seen; dashed: chance", xlim=(0, 1.1))
ax.invert_yaxis()
plt.show()
