"""
The hybrid CNN
==============

The report's own network, a hybrid of VGG and Inception, trained from scratch without
pretrained weights.
"""

# %%
# Many small paintings
# --------------------
# A network trained from scratch needs more paintings than a head. These are small, so
# that training takes seconds; the report's are 500 x 500 pixels.
import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold

from skart import make_cnn_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.plotting import ConfusionDisplay, HistoryDisplay

root = make_paintings(
    "skart-gallery/small",
    movements=["Op Art", "Pointillism", "Neoplasticism", "Ukiyo-e"],
    n_artists=20,
    n_per_artist=5,
    size_range=(64, 128),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
train, test = next(
    StratifiedGroupKFold(4, shuffle=True, random_state=0).split(
        paintings.paths, paintings.labels, paintings.artists
    )
)

# %%
# Training
# --------
# Files are decoded in threads while the network trains, in the first epoch only. Batch
# normalization, which the report did not use, saves many epochs.
pipe = make_cnn_pipeline(
    "hybrid",
    size=48,
    batch_norm=True,
    epochs=10,
    batch_size=16,
    learning_rate_schedule="cosine",
    validation_split=0.2,
    optimizer__learning_rate=3e-3,
    random_state=0,
)
pipe.fit(
    paintings.paths[train],
    paintings.labels[train],
    cnn__groups=paintings.artists[train],
)
HistoryDisplay.from_estimator(pipe)

# %%
# New painters
# ------------
# Other networks are ``"vgg_lite"``, ``"squeezenet"`` and ``"alexnet"``.
# ``examples/hybrid_cnn.py`` trains this one on eight movements.
predicted = pipe.predict(paintings.paths[test])
accuracy = (predicted == paintings.labels[test]).mean()
print(f"accuracy {accuracy:.0%}; chance 25%")
ConfusionDisplay.from_predictions(paintings.labels[test], predicted)
plt.show()

# sphinx_gallery_thumbnail_path = "images/hybrid_cnn.svg"
