"""
Randomized search over a head
=============================

The report draws learning rate, Adam's betas, units and dropout at random, and keeps the
best. Here they are parameters of the pipeline's last step, and scikit-learn searches
them.
"""

# %%
# What is searched
# ----------------
# ``head_search_space`` holds the report's distributions. Any of them can be replaced:
# few epochs need a larger learning rate.
import os

import matplotlib.pyplot as plt
from scipy.stats import loguniform
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import head_search_space
from skart.plotting import SearchDisplay

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
space = head_search_space()
space["head__optimizer__learning_rate"] = loguniform(1e-4, 1e-2)
print(*space, sep="\n")

# %%
# The search
# ----------
# Features are in the store after the first fold: what is searched is the head alone.
# Artists are kept apart in the search, too; otherwise it would favour heads that
# recognise the painter.
pipe = make_transfer_pipeline(
    size=160,
    weights=os.environ.get("SKART_INCEPTION_WEIGHTS"),  # None: drawn at random
    layer="mixed2",
    scale=True,
    cache="skart-gallery/features",
    epochs=10,
    random_state=0,
    verbose=False,
)
search = RandomizedSearchCV(
    pipe,
    space,
    n_iter=8,
    cv=StratifiedGroupKFold(2, shuffle=True, random_state=0),
    random_state=0,
)
search.fit(paintings.paths, paintings.labels, groups=paintings.artists)
for name, value in search.best_params_.items():
    print(f"{name:32} {value:.3g}")
print(f"{'accuracy':32} {search.best_score_:.0%}")

# %%
# What mattered
# -------------
# A dot is a candidate, a bar the spread over folds. Eight candidates say little more
# than which learning rates are too small; with features in the store, fifty take
# minutes.
SearchDisplay.from_estimator(search)
plt.show()
