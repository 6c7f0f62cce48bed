"""
Randomized search over a head
=============================

The report searches learning rate, Adam's betas, units and dropout at random. Here they
are parameters of the last step of a pipeline, searched by scikit-learn.
"""

# %%
# The search space
# ----------------
# ``head_search_space`` returns the report's distributions. Any of them can be replaced:
# here, few epochs need a larger learning rate.
import matplotlib.pyplot as plt
from scipy.stats import loguniform
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import head_search_space
from skart.networks import available_backbone
from skart.plotting import SearchDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
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
# After the first fold all features are stored, so only heads are trained. Artists are
# kept apart in the search as well; otherwise it would prefer heads that recognize the
# painter.
backbone = available_backbone()
print(f"Features: {backbone}")
pipe = make_transfer_pipeline(
    size=96,
    backbone=backbone,
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
# Results
# -------
# Each dot is a candidate, each bar the standard deviation over folds. Eight candidates
# only show which learning rates are too small; with stored features, fifty take
# minutes.
SearchDisplay.from_estimator(search)
plt.show()
