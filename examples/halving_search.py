"""Search a network that is trained from scratch, with epochs as the resource.

A randomized search spends most of its time on bad candidates. Successive halving trains
all candidates for a few epochs, the better half for twice as many, and so on. The
search space is the report's. It takes a few minutes on two cores and prints a line per
fit.
"""

import tempfile

import pandas as pd
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skart import HybridCNNClassifier, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import cnn_search_space

folder = tempfile.TemporaryDirectory()
root = make_paintings(
    f"{folder.name}/paintings",
    movements=["Op Art", "Pointillism", "Neoplasticism", "Ukiyo-e"],
    n_artists=6,
    n_per_artist=6,
    size_range=(100, 300),
    n_jobs=-1,
)
paintings = load_image_folder(root)
# Two painters of each movement are held out of the search.
search_rows, test_rows = next(
    StratifiedGroupKFold(3, shuffle=True, random_state=0).split(
        paintings.paths, paintings.labels, paintings.artists
    )
)
pipe = Pipeline(
    [
        ("load", ImageLoader(size=48, cache_pixels=True)),
        ("cnn", HybridCNNClassifier(batch_norm=True, batch_size=16, random_state=0)),
    ]
)
search = HalvingRandomSearchCV(
    pipe,
    cnn_search_space(),
    resource="cnn__epochs",
    n_candidates=4,
    min_resources=4,
    max_resources=16,
    factor=2,
    cv=StratifiedGroupKFold(2, shuffle=True, random_state=0),
    random_state=0,
    verbose=2,
).fit(
    paintings.paths[search_rows],
    paintings.labels[search_rows],
    groups=paintings.artists[search_rows],
)

results = pd.DataFrame(search.cv_results_)
print(
    results.groupby("n_resources")["mean_test_score"]
    .agg(candidates="size", worst="min", best="max")
    .round(3)
    .to_string()
)
for name, value in search.best_params_.items():
    print(f"{name:32} {value if isinstance(value, tuple) else f'{value:.3g}'}")
accuracy = search.score(paintings.paths[test_rows], paintings.labels[test_rows])
print(f"accuracy on painters the search has not seen {accuracy:.0%}; chance 25%")
folder.cleanup()
