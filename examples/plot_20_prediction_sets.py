"""
Prediction sets that hold for new artists
=========================================

Instead of one movement with a probability, a classifier can return all movements that
are in the running: one where it has proven reliable, more where it has not. How many
are necessary is learned from paintings by artists that it has not seen.
"""

# %%
# Sets of an evaluation
# ---------------------
# Any classifier with probabilities will do. Here, a logistic regression on colours and
# edges is cross-validated with painters apart and with random folds. The sets of each
# painter are calibrated on the paintings of the others, once by each evaluation.
# ``covered`` is the share of the sets that hold the true movement; 90 % are promised.
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import HandcraftedFeatures, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import ConformalClassifier, evaluate

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    verbose=False,
)
paintings = load_image_folder(root)
features = make_pipeline(
    ImageLoader(96),
    HandcraftedFeatures(["hsv", "edge_direction"], verbose=False),
)
X = features.fit_transform(paintings.paths)
classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
evaluation = evaluate(classifier, X, paintings.labels, groups=paintings.artists)
print(evaluation.sets_per_movement(alpha=0.1).round(2))

# %%
# What random folds promise, and hold
# -----------------------------------
# With random folds, the classifier has seen other paintings by each painter. Its
# probabilities are too good, and the sets are too small for new painters.
promised = np.linspace(0.5, 0.95, 10)
tables = [evaluation.sets_per_movement(1 - share).loc["all"] for share in promised]
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, name, title in zip(
    axes,
    ("covered", "size"),
    ("share of sets that hold the movement", "mean number of movements in a set"),
    strict=True,
):
    ax.plot(promised, [one[name] for one in tables], "o-", label="painters apart")
    ax.plot(
        promised, [one[f"random_{name}"] for one in tables], "s--", label="random folds"
    )
    ax.set(xlabel="promised share", title=title)
axes[0].plot(promised, promised, ":", color="gray", label="as promised")
axes[0].legend()

# %%
# Sets of new paintings
# ---------------------
# ``ConformalClassifier`` calibrates while it is fitted, and predicts sets. A third of
# the painters are new to it.
new = np.isin(paintings.artists, np.unique(paintings.artists)[::3])
model = ConformalClassifier(classifier, alpha=0.2)
model.fit(X[~new], paintings.labels[~new], groups=paintings.artists[~new])
sets = model.predict_set(X[new])
sizes = sets.sum(axis=1)
shown = [np.flatnonzero(sizes == size)[0] for size in np.unique(sizes)[:4]]
fig, axes = plt.subplots(1, len(shown), figsize=(11, 4), layout="constrained")
for ax, row in zip(axes, shown, strict=True):
    ax.imshow(Image.open(paintings.paths[new][row]))
    ax.set_title(paintings.labels[new][row])
    ax.set_xlabel("\n".join(model.classes_[sets[row]]))
    ax.set(xticks=[], yticks=[])
plt.show()
