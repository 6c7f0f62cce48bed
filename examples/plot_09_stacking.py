"""
Stacking hand-crafted and deep features
=======================================

Features of a network and hand-crafted features, such as colours, can be combined in two
ways: concatenated to one vector, or by stacking two classifiers.
"""

# %%
# Two kinds of features
# ---------------------
# ``ImageLoader`` returns images that are decoded on access. ``FunctionTransformer``
# makes a step of any function of images.
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings


def measure_colours(images):
    """Histograms of lightness, chroma and each channel, and how much rows differ."""
    rows = []
    for image in images:
        image = np.asarray(image, float)[::4, ::4]
        value, chroma = image.max(axis=2), np.ptp(image, axis=2)
        edges = np.abs(np.diff(image, axis=0)).mean(axis=(0, 1))
        histograms = [
            np.histogram(channel, bins=8, range=(0, 255), density=True)[0]
            for channel in (value, chroma, *np.moveaxis(image, 2, 0))
        ]
        rows.append(np.concatenate([*histograms, edges]))
    return np.array(rows)


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
deep = make_pipeline(
    FeatureExtractor(
        weights=os.environ.get("SKART_INCEPTION_WEIGHTS"),  # None: drawn at random
        layer="mixed2",
        cache="skart-gallery/features",
        verbose=False,
    ),
    StandardScaler(),
)
colours = make_pipeline(FunctionTransformer(measure_colours), StandardScaler())

# %%
# Concatenated or stacked
# -----------------------
# ``FeatureUnion`` concatenates the vectors. ``StackingClassifier`` trains its final
# classifier on out-of-fold predictions; with a list of folds as ``cv``, artists are
# kept apart there as well.


def apart(n_folds, rows):
    """Folds of some paintings, with artists kept apart."""
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    return list(
        folds.split(
            paintings.paths[rows], paintings.labels[rows], paintings.artists[rows]
        )
    )


by_colour = make_pipeline(
    ImageLoader(160), colours, LogisticRegression(C=0.01, max_iter=1000)
)
by_network = make_pipeline(
    ImageLoader(160), deep, LogisticRegression(C=0.01, max_iter=1000)
)
classifiers = {
    "colours": by_colour,
    "network": by_network,
    "side by side": make_pipeline(
        ImageLoader(160),
        FeatureUnion([("colours", colours), ("deep", deep)]),
        LogisticRegression(C=0.01, max_iter=1000),
    ),
    "stacked": StackingClassifier([("colours", by_colour), ("network", by_network)]),
}
classifiers["stacked"]

# %%
# Results
# -------
# Accuracy on new painters over four folds. The final classifier has to learn as well,
# and 180 paintings are few for that.
scores = dict.fromkeys(classifiers, 0)
for train, test in apart(4, np.arange(len(paintings.paths))):
    classifiers["stacked"].set_params(cv=apart(3, train))
    for name, classifier in classifiers.items():
        classifier.fit(paintings.paths[train], paintings.labels[train])
        score = classifier.score(paintings.paths[test], paintings.labels[test])
        scores[name] += score / 4
_, ax = plt.subplots(figsize=(7, 3), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), color=["0.7", "0.7", "C0", "C0"])
ax.bar_label(bars, fmt="{:.0%}", padding=4)
ax.axvline(1 / 6, color="grey", linestyle="--", linewidth=1)
ax.set(xlabel="accuracy on painters it has not seen; dashed: chance", xlim=(0, 1))
ax.invert_yaxis()
plt.show()
