"""
Earlier systems
===============

The report cites systems with hand-crafted features (colours, edges, visual words) and
others with features of a network. ``make_cited_pipeline`` makes each as a pipeline.
"""

# %%
# A table of systems
# ------------------
# ``CITED`` lists what each pipeline follows, and the published accuracy with its
# paintings. None is an exact copy, and accuracies on other paintings don't compare.
import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold

from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import CITED, make_cited_pipeline
from skart.networks import available_backbone

for name, system in CITED.items():
    print(f"{name:17} {system.published}")
print(CITED["khan2014"].departures)

# %%
# One of them
# -----------
# Gunsel, Sariel and Icoglu use six numbers of lightness and edges. They are stored like
# any features, so that the next classifier reuses them.
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


def make(name):
    """A small system."""
    return make_cited_pipeline(
        name,
        size=128,
        backbone=backbone,
        cache="skart-gallery/features",
        verbose=False,
    )


make("gunsel2005")

# %%
# All of them
# -----------
# Accuracy on a third of the painters, which are not in the training set.
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
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
ax.axvline(1 / 10, color="grey", linestyle="--", linewidth=1)
ax.set(
    xlabel="accuracy on painters it has not seen; orange: on a network; dashed: chance",
    xlim=(0, 1.05),
)
ax.invert_yaxis()
plt.show()
