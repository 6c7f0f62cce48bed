"""
What to label next
==================

Labels take a person's time. Which paintings should be labelled first? Random ones
repeat what is frequent, and the least certain ones resemble each other.
``suggest_paintings`` chooses paintings that are uncertain and differ.
"""

# %%
# A collection without labels
# ---------------------------
# The labels of these drawn paintings are known, but only those that are asked for are
# used. A third of the painters is left out, to test on.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.exploration import suggest_paintings
from skart.networks import available_backbone
from skart.plotting import SamplesDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
pipe = make_transfer_pipeline(
    size=96,
    backbone=available_backbone(),
    layer="style",
    cache="skart-gallery/features",
    verbose=False,
)
X, y = pipe[:-1].transform(paintings.paths), paintings.labels
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
pool, test = next(folds.split(X, y, paintings.artists))
print(f"{len(pool)} paintings to label, {len(test)} by other painters to test on")

# %%
# The first paintings
# -------------------
# Without labels, the selection represents the collection.
first = pool[suggest_paintings(X[pool], n_paintings=10, random_state=0)]
SamplesDisplay.from_paths(paintings.paths[first], y[first], n_samples=2, size=100)
print(f"{len(set(y[first]))} of {len(set(y))} movements are among the first ten")

# %%
# Rounds of labels
# ----------------
# In each round, ten more paintings are labelled, and a classifier is trained on all
# that are labelled so far.


def label_in_rounds(choose, seed, n_rounds=6):
    labelled, accuracies, model = pool[:0], [], None
    for _ in range(n_rounds):
        rest = np.setdiff1d(pool, labelled)
        probabilities = None if model is None else model.predict_proba(X[rest])
        labelled = np.append(labelled, rest[choose(X[rest], probabilities, seed)])
        model = make_pipeline(StandardScaler(), LogisticRegression())
        model.fit(X[labelled], y[labelled])
        accuracies.append(model.score(X[test], y[test]))
    return accuracies


def suggested(X, probabilities, seed):
    return suggest_paintings(X, probabilities, n_paintings=10, random_state=seed)


def at_random(X, probabilities, seed):
    generator = np.random.default_rng([seed, len(X)])
    return generator.choice(len(X), 10, replace=False)


def least_certain(X, probabilities, seed):
    if probabilities is None:
        return at_random(X, probabilities, seed)
    highest = np.sort(probabilities, axis=1)
    return np.argsort(highest[:, -1] - highest[:, -2])[:10]


# %%
# Lines are means of three repetitions.
_, ax = plt.subplots(figsize=(6, 4))
for choose in (suggested, least_certain, at_random):
    curves = [label_in_rounds(choose, seed) for seed in range(3)]
    label = choose.__name__.replace("_", " ")
    ax.plot(10 * np.arange(1, 7), np.mean(curves, axis=0), "o-", label=label)
ax.set(xlabel="Labelled paintings", ylabel="Accuracy on other painters")
ax.legend()
plt.show()
