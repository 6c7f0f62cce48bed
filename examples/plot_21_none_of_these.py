"""
None of these
=============

A classifier assigns one of its movements to any image, even to a photograph.
``NoveltyDetector`` refuses images that are unlike all training paintings. You choose
the share of paintings that may be refused in error.
"""

# %%
# Paintings, and what is none of their movements
# ----------------------------------------------
# Two movements of drawn paintings are left out. A third of the painters is left out as
# well: their paintings are known movements by artists whom the model has not seen.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.exploration import NoveltyDetector
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
extractor = make_transfer_pipeline(
    backbone=available_backbone(),
    layer="style",
    cache="skart-gallery/features",
    verbose=False,
)[:-1]
X, y, artists = (
    extractor.transform(paintings.paths),
    paintings.labels,
    paintings.artists,
)

left_out = np.isin(y, ["Op Art", "Ukiyo-e"])
rows = np.flatnonzero(~left_out)
splitter = GroupShuffleSplit(1, test_size=1 / 3, random_state=0)
train, test = next(splitter.split(rows, groups=artists[rows]))
train, test = rows[train], rows[test]

# %%
# Photographs are cut out of two that come with scikit-learn; noise is drawn.
generator = np.random.default_rng(0)
photographs = [
    photograph[row : row + 224, column : column + 224]
    for photograph in load_sample_images().images
    for row in (0, 200)
    for column in (0, 200, 400)
]
noise = generator.integers(0, 256, (12, 224, 224, 3)).astype(np.uint8)
features = extractor[-1]
images = {
    "known movements, new artists": X[test],
    "movements left out": X[left_out],
    "photographs": features.transform(np.array(photographs)),
    "noise": features.transform(noise),
}

# %%
# Distance to the nearest movement
# --------------------------------
# The threshold comes from the training paintings alone: each is compared with those by
# other artists. With few artists, the share of known paintings that is refused varies
# around the stated one.
detector = NoveltyDetector(refusal_rate=0.05, verbose=False)
detector.fit(X[train], y[train], artists=artists[train])
for name, some in images.items():
    print(f"{name}: {np.mean(detector.predict(some) == -1):.0%} refused")

# %%
# Without artists, each painting is compared with others by the same artist, which are
# nearer. Then the threshold is too strict, and more known paintings are refused.
random = NoveltyDetector(refusal_rate=0.05, verbose=False).fit(X[train], y[train])
print(f"without artists: {np.mean(random.predict(X[test]) == -1):.0%} of known ones")

# %%
# The highest probability
# -----------------------
# A classifier that is unsure may tell the same. Its threshold comes from probabilities
# that are cross-validated with artists apart.
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[train], y[train])
evaluation = evaluate(
    model, X[train], y[train], groups=artists[train], random_folds=False
)
threshold = np.quantile(evaluation.confidence, 0.05)
for name, some in images.items():
    refused = model.predict_proba(some).max(axis=1) < threshold
    print(f"{name}: {np.mean(refused):.0%} refused")

# %%
# Both scores
# -----------
_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, some in images.items():
    distance = -detector.score_samples(some)
    probability = model.predict_proba(some).max(axis=1)
    for ax, values in zip(axes, (distance, probability), strict=True):
        share = np.arange(1, len(values) + 1) / len(values)
        ax.step(np.sort(values), share, where="post", label=name)
axes[0].axvline(-detector.offset_, color="gray", linestyle=":")
axes[0].set(xlabel="Distance to the nearest movement", ylabel="Share of images")
axes[0].set(xscale="log")
axes[1].axvline(threshold, color="gray", linestyle=":")
axes[1].set(xlabel="Highest probability")
axes[0].legend(fontsize="small")

# %%
# Unusual training paintings
# --------------------------
# ``scores_`` holds the score of each training painting, compared with those by other
# artists. The lowest belong to the most unusual ones.
unusual = train[np.argsort(detector.scores_)[:6]]
SamplesDisplay.from_paths(paintings.paths[unusual], y[unusual], n_samples=2, size=120)
plt.show()
