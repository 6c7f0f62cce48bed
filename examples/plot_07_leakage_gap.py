"""
Random folds against artists kept apart
=======================================

With random folds, each painter is in the training and the test set. A classifier that
recognizes painters, for instance by their palette, then seems to recognize movements.
"""

# %%
# Two classifiers
# ---------------
# One is trained on colour histograms, the other on features of a network.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.networks import available_backbone


def colour_histogram(images):
    """Share of each of 4 x 4 x 4 colours in each image."""
    codes = [(np.asarray(image) // 64) @ (16, 4, 1) for image in images]
    counts = [np.bincount(code.ravel(), minlength=64) for code in codes]
    return np.array(counts) / codes[0].size


root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
backbone = available_backbone()
print(f"Features: {backbone}")
colours = make_pipeline(
    ImageLoader(64),
    FunctionTransformer(colour_histogram),
    StandardScaler(),
    LogisticRegression(max_iter=1000),
)
network = make_pipeline(
    ImageLoader(96),
    FeatureExtractor(
        backbone,
        layer="style",
        cache="skart-gallery/features",
        verbose=False,
    ),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)

# %%
# Two cross-validations
# ---------------------
# ``evaluate`` cross-validates with artists kept apart and with random folds. The
# difference is the leakage gap: the part of the accuracy that is due to known painters.
# Colours tell painters apart, and hardly movements. The network's gap is small.
evaluations = {
    name: evaluate(pipe, paintings.paths, paintings.labels, groups=paintings.artists)
    for name, pipe in (("colours", colours), ("network", network))
}
for name, evaluation in evaluations.items():
    print(name, evaluation.leakage_gap.loc[["accuracy"]].round(3), sep="\n")

# %%
# The gap of each classifier
# --------------------------
# Bars are 95 % bootstrap intervals. Artists are resampled instead of paintings, because
# the paintings of an artist are not independent.
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for shift, label in ((-0.2, "random folds"), (0.2, "artists kept apart")):
    for place, evaluation in enumerate(evaluations.values()):
        if shift < 0:
            evaluation = evaluation.random_folds
        accuracy = evaluation.metrics["accuracy"]
        low, high = evaluation.intervals().loc["accuracy"]
        ax.bar(
            place + shift,
            accuracy,
            width=0.36,
            yerr=[[accuracy - low], [high - accuracy]],
            color="C0" if shift > 0 else "0.75",
            capsize=4,
            label=label if place == 0 else None,
        )
        ax.annotate(f"{accuracy:.0%}", (place + shift, 0.02), ha="center")
ax.axhline(1 / 10, color="grey", linestyle="--", linewidth=1)
ax.annotate("chance", (1.42, 1 / 10), xytext=(0, 3), textcoords="offset points")
ax.set_xticks(range(2), ["colours only", "features of a network"])
ax.set(ylabel="accuracy", ylim=(0, 1.05), xlim=(-0.6, 1.7))
ax.legend(loc="upper left")
plt.show()
