"""
Fine-tuning the last blocks
===========================

As in the report's last experiment, a head is trained on frozen features, and then the
head and the last blocks of the network are trained together at a low learning rate.
"""

# %%
# Two stages
# ----------
# ``unfreeze_from="block10"`` trains the layers after that layer. The layers before it
# are frozen: each painting runs through them once, and the maps are stored. The
# validation set, all paintings of some artists, is the same in both stages.
import matplotlib.pyplot as plt
import numpy as np

from skart import DenseHeadClassifier, make_fine_tune_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.plotting import HistoryDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
pipe = make_fine_tune_pipeline(
    DenseHeadClassifier(
        units=300,
        dropout=0.5,
        epochs=20,
        patience=5,
    ),
    backbone="EfficientNetLite0",
    size=96,
    unfreeze_from="block10",
    epochs=10,
    patience=3,
    validation_split=0.25,
    optimizer__learning_rate=1e-4,
    cache="skart-gallery/features",
    random_state=0,
    verbose=0,
)
pipe.fit(paintings.paths, paintings.labels, model__groups=paintings.artists)

history = pipe[-1].history_
stage, loss = np.array(history["stage"]), np.array(history["val_loss"])
for number, name in ((1, "head alone"), (2, "fine-tuned")):
    print(f"{name}: validation loss {loss[stage == number].min():.2f}")

# %%
# Effect of the second stage
# --------------------------
# The dashed line marks its beginning. The validation loss rises at first and then falls
# below that of the head alone, and the weights of the best epoch are restored.
# ``examples/fine_tune.py`` does the same with larger images.
HistoryDisplay.from_estimator(pipe)
plt.show()

# sphinx_gallery_thumbnail_path = "images/fine_tuning.svg"
