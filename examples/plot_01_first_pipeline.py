"""
A first pipeline
================

The report's pipeline, from paths to movements: an image loader, the features of a
frozen InceptionV3, and a small head that is trained on them.
"""

# %%
# Paintings
# ---------
# Forty paintings of each of six movements, by eight invented painters. Your own folder,
# ``Movement/Artist/file.jpg``, is loaded in the same way.
import os

import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skart import load_model, make_transfer_pipeline, save_model
from skart.datasets import load_image_folder, make_paintings
from skart.plotting import ConfusionDisplay, SamplesDisplay

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
samples = SamplesDisplay.from_paths(
    paintings.paths, paintings.labels, artists=paintings.artists
)

# %%
# Pipeline
# --------
# ``cache`` is the folder of the feature store: each painting runs through the network
# once, for any number of folds. With random weights, an early layer is best
# (``layer="mixed2"``). The head standardizes the features.
pipe = make_transfer_pipeline(
    size=160,
    weights=os.environ.get("SKART_INCEPTION_WEIGHTS"),  # None: drawn at random
    layer="mixed2",
    cache="skart-gallery/features",
    units=300,
    dropout=0.5,
    epochs=30,
    optimizer__learning_rate=1e-3,
    random_state=0,
    verbose=False,
)
pipe

# %%
# Evaluation
# ----------
# All paintings of an artist are in the same fold, so that each painting is classified
# by a model that has not seen its artist. Pretrained weights give a higher accuracy.
predicted = cross_val_predict(
    pipe,
    paintings.paths,
    paintings.labels,
    groups=paintings.artists,
    cv=StratifiedGroupKFold(4, shuffle=True, random_state=0),
)
accuracy = (predicted == paintings.labels).mean()
print(f"accuracy on painters it has not seen {accuracy:.0%}; chance {1 / 6:.0%}")

# %%
# The errors, one row per movement.
ConfusionDisplay.from_predictions(paintings.labels, predicted)
plt.show()

# %%
# Saving the model
# ----------------
# The folds measure the accuracy; the final classifier is trained on all paintings. The
# file contains no code and is safe to open.
save_model(pipe.fit(paintings.paths, paintings.labels), "skart-gallery/first.skart")
loaded = load_model("skart-gallery/first.skart")
print(loaded.predict(paintings.paths[::40]))
