"""
Layers, statistics, and several views
=====================================

The last layer of a network describes objects; middle layers and standard deviations
describe style better. This example compares layers and statistics in one pass through
the network, searches them, and stacks several views of a painting.
"""

# %%
# One pass
# --------
# ``precompute`` stores the features of all layers and statistics.
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    StratifiedGroupKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import (
    FeatureExtractor,
    HandcraftedFeatures,
    ImageLoader,
    make_stacked_pipeline,
)
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import ArtistKFold, make_head_search

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
some = np.isin(paintings.labels, ["Impressionism", "Op Art", "Suprematism", "Ukiyo-e"])
paths, labels = paintings.paths[some], paintings.labels[some]
artists = paintings.artists[some]
images = ImageLoader(size=160).fit_transform(paths)
layers, poolings = ["mixed2", "mixed5", None], ["avg", "std", "gram"]
weights = os.environ.get("SKART_INCEPTION_WEIGHTS")  # None: drawn at random
extractor = FeatureExtractor(
    weights=weights,
    layer=layers,
    pooling=poolings,
    cache="skart-gallery/features",
    verbose=False,
)
extractor.precompute(images)
folds = list(StratifiedGroupKFold(2).split(paths, labels, artists))


def accuracy(features):
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    return cross_val_score(head, features, labels, cv=folds).mean()


# %%
# Layers and statistics
# ---------------------
# Artists are kept apart. Hand-crafted features are shown for comparison.
found = np.zeros((len(layers), len(poolings)))
for i, layer in enumerate(layers):
    for j, pooling in enumerate(poolings):
        extractor.set_params(layer=layer, pooling=pooling)
        found[i, j] = accuracy(extractor.transform(images))
by_hand = HandcraftedFeatures(
    ["color_layout", "color_structure", "edge_direction"],
    cache="skart-gallery/features",
    verbose=False,
)
accuracy_by_hand = accuracy(by_hand.fit_transform(images))

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
names = [layer or "the last layer" for layer in layers]
for pooling, values in zip(poolings, found.T, strict=True):
    ax.plot(names, values, marker="o", label=pooling)
ax.axhline(accuracy_by_hand, color="0.5", ls="--", label="hand-made features")
ax.axhline(1 / 4, color="0.5", ls=":", label="chance")
ax.set(ylabel="accuracy, artists kept apart", ylim=(0, 1))
ax.legend(frameon=False, ncols=2, loc="lower left")

# %%
# Search
# ------
# ``make_head_search`` returns a ``RandomizedSearchCV`` over layer, statistic and head.
# One pass over the paintings serves all candidates.
search = make_head_search(
    "style",
    layers=["mixed2", "mixed5"],
    cache="skart-gallery/features",
    n_iter=4,
    cv=folds,
    random_state=0,
    weights=weights,
    size=160,
    verbose=False,
    epochs=5,
)
search.set_params(refit=False).fit(paths, labels)
for name, value in search.best_params_.items():
    print(f"{name}: {value}")
print(f"accuracy: {search.best_score_:.1%}")

# %%
# Several views
# -------------
# Each layer, and the hand-crafted features, have their own head; a final classifier
# learns from out-of-fold predictions to combine them. ``ArtistKFold`` keeps artists
# apart there: a stack passes no ``groups`` to its folds. With as few as eighty
# paintings, the best single view may be better.
stack = make_stacked_pipeline(
    layers=["mixed2", "mixed5"],
    weights=weights,
    descriptors=["color_layout", "color_structure", "edge_direction"],
    pooling="avg",
    size=160,
    cv=ArtistKFold(2, artists=dict(zip(paths, artists, strict=True))),
    cache="skart-gallery/features",
    verbose=False,
)
train, test = folds[0]
stack.fit(paths[train], labels[train])
codes = np.unique(labels, return_inverse=True)[1]  # what a stack's heads learn
for name, view in stack.named_estimators_.items():
    print(f"{name:12} {view.score(paths[test], codes[test]):.1%}")
print(f"{'all':12} {stack.score(paths[test], labels[test]):.1%}")
