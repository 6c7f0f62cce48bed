"""
What came before
================

The report cites systems of colours, edges and visual words, made by hand, and others on
a network's features. ``make_cited_pipeline`` makes each as a pipeline of paths.
"""

# %%
# A table of systems
# ------------------
# ``CITED`` tells of each what is taken over, and what was published, measured
# on which paintings. None is a copy, and figures from other paintings don't compare.
import os

import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold

from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import CITED, make_cited_pipeline

for name, system in CITED.items():
    print(f"{name:17} {system.published}")
print(CITED["khan2014"].departures)

# %%
# One of them
# -----------
# The six numbers of Gunsel, Sariel and Icoglu tell of lightness and edges. They are
# kept like any features, so that the next classifier finds them.
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


def make(name):
    """A small system."""
    return make_cited_pipeline(
        name,
        size=128,
        weights=os.environ.get("SKART_INCEPTION_WEIGHTS"),  # None: drawn at random
        cache="skart-gallery/features",
        verbose=False,
    )


make("gunsel2005")

# %%
# All of them
# -----------
# Accuracy on a quarter of the painters, whom none has seen.
folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
train, test = next(folds.split(paintings.paths, paintings.labels, paintings.artists))
scores = {}
for name in CITED:
    system = make(name).fit(paintings.paths[train], paintings.labels[train])
    scores[name] = system.score(paintings.paths[test], paintings.labels[test])
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
bars = ax.barh(
    list(scores),
    list(scores.values()),
    color=["C0" if CITED[name].descriptors else "C1" for name in scores],
)
ax.bar_label(bars, fmt="{:.0%}", padding=4)
ax.axvline(1 / 6, color="grey", linestyle="--", linewidth=1)
ax.set(
    xlabel="accuracy on painters it has not seen; orange: on a network; dashed: chance",
    xlim=(0, 1.05),
)
ax.invert_yaxis()
plt.show()
