"""The report's own network, trained from scratch.

Draws paintings of eight movements, holds out four painters of each for the test, and
trains the hybrid CNN on the others, with images streamed from their files. With batch
normalization, which the report did not use, it takes a few minutes on two cores.
"""

import tempfile

import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skart import HybridCNNClassifier, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.plotting import HistoryDisplay

folder = tempfile.TemporaryDirectory()
root = make_paintings(
    f"{folder.name}/paintings",
    movements=[
        "Impressionism",
        "Pointillism",
        "Color Field",
        "Neoplasticism",
        "Op Art",
        "Cubism",
        "Pop Art",
        "Action Painting",
    ],
    n_artists=20,
    n_per_artist=8,
    size_range=(200, 600),
    n_jobs=-1,
)
paintings = load_image_folder(root)
train, test = next(
    StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
        paintings.paths, paintings.labels, paintings.artists
    )
)

pipe = Pipeline(
    [
        # With cache_pixels, files are decoded in the first epoch only.
        ("load", ImageLoader(size=96, cache_pixels=True)),
        (
            "cnn",
            HybridCNNClassifier(
                batch_norm=True,
                dtype="mixed_bfloat16",
                epochs=14,
                optimizer__learning_rate=2e-3,
                learning_rate_schedule="cosine",
                validation_split=0.1,
                random_state=0,
                verbose=1,
            ),
        ),
    ]
)
pipe.fit(
    paintings.paths[train],
    paintings.labels[train],
    cnn__groups=paintings.artists[train],
)
accuracy = pipe.score(paintings.paths[test], paintings.labels[test])
print(f"accuracy on painters it has not seen {accuracy:.0%}; chance {1 / 8:.1%}")

HistoryDisplay.from_estimator(pipe)
plt.savefig("hybrid_cnn.png", dpi=120)
print("learning curves saved as hybrid_cnn.png")
folder.cleanup()
