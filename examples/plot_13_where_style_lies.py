"""
Where style lies
================

The last layer of a network describes objects; the layers before it describe strokes and
shapes. This example compares layers and statistics in one pass through the network, and
searches them.
"""

# %%
# One pass
# --------
# EfficientNetLite0 has sixteen blocks in seven stages. ``precompute`` stores the
# features of the last block of each stage, and of the last layer, for two statistics of
# their maps.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import FeatureExtractor, HandcraftedFeatures, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import make_head_search

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
images = ImageLoader(size=96).fit_transform(paths)
stages = ["block0", "block2", "block4", "block7", "block10", "block14", "block15"]
layers, poolings = [*stages, None], ["avg", "std"]
extractor = FeatureExtractor(
    "EfficientNetLite0",
    layer=layers,
    pooling=poolings,
    cache="skart-gallery/features",
    verbose=False,
)
extractor.precompute(images)
folds = list(
    StratifiedGroupKFold(3, shuffle=True, random_state=0).split(paths, labels, artists)
)


def accuracy(features):
    """Accuracy of a linear classifier, with artists kept apart."""
    head = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100))
    return cross_val_score(head, features, labels, cv=folds).mean()


# %%
# Layers and statistics
# ---------------------
# The means of the first blocks, mostly colours, say little; the accuracy is highest
# shortly before the end. The layers recommended for style, the ends of four stages
# joined, are better than any layer alone. Hand-crafted features are for comparison.
found = np.zeros((len(layers), len(poolings)))
for i, layer in enumerate(layers):
    for j, pooling in enumerate(poolings):
        extractor.set_params(layer=layer, pooling=pooling)
        found[i, j] = accuracy(extractor.transform(images))
extractor.set_params(layer="style", pooling="avg")
joined = accuracy(extractor.transform(images))
by_hand = HandcraftedFeatures(
    ["color_layout", "color_structure", "edge_direction"],
    cache="skart-gallery/features",
    verbose=False,
)
hand_crafted = accuracy(by_hand.fit_transform(images))

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
names = [layer or "last layer" for layer in layers]
for pooling, values in zip(poolings, found.T, strict=True):
    ax.plot(names, values, marker="o", label=pooling)
ax.axhline(joined, color="C2", label='layer="style"')
ax.axhline(hand_crafted, color="0.5", ls="--", label="hand-crafted features")
ax.set(ylabel="accuracy, artists kept apart")
ax.legend(frameon=False, ncols=2, loc="lower center")

# %%
# Search
# ------
# ``make_head_search`` returns a ``RandomizedSearchCV`` over layer, statistic and head.
# One pass over the paintings serves all candidates.
search = make_head_search(
    "style",
    backbone="EfficientNetLite0",
    layers=["block7", "block10", "block14"],
    cache="skart-gallery/features",
    n_iter=4,
    cv=folds,
    random_state=0,
    size=96,
    verbose=False,
    epochs=10,
)
search.set_params(refit=False).fit(paths, labels)
for name, value in search.best_params_.items():
    print(f"{name}: {value}")
print(f"accuracy: {search.best_score_:.1%}")
