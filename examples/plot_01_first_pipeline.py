"""
A first pipeline
================

From paths to movements: an image loader, the features of a frozen network, and a small
head that is trained on them.
"""

# %%
# Paintings
# ---------
# Thirty paintings of each of ten movements, by six invented painters. Your own folder,
# ``Movement/Artist/file.jpg``, is loaded in the same way.
import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skart import load_model, make_transfer_pipeline, save_model
from skart.datasets import load_image_folder, make_paintings
from skart.networks import available_backbone
from skart.plotting import ConfusionDisplay, SamplesDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
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
# ``available_backbone`` names a pretrained network that needs no download. Its features
# are those of the layers that are recommended for style. ``cache`` is the folder of the
# feature store: each painting runs through the network once, for any number of folds.
# The images are small, to make it fast and not too easy; without ``size``, they have
# the size for which the network was trained.
backbone = available_backbone()
print(f"Features: {backbone}")
pipe = make_transfer_pipeline(
    size=96,
    backbone=backbone,
    cache="skart-gallery/features",
    epochs=30,
    random_state=0,
    verbose=False,
)
pipe

# %%
# Evaluation
# ----------
# All paintings of an artist are in the same fold, so that each painting is classified
# by a model that has not seen its artist.
predicted = cross_val_predict(
    pipe,
    paintings.paths,
    paintings.labels,
    groups=paintings.artists,
    cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
)
accuracy = (predicted == paintings.labels).mean()
print(f"accuracy on painters it has not seen {accuracy:.0%}; chance {1 / 10:.0%}")

# %%
# The errors, one row per movement. At this size, the strokes of an Impressionist and
# the dots of a Pointillist look much the same.
ConfusionDisplay.from_predictions(paintings.labels, predicted)
plt.show()

# %%
# Saving the model
# ----------------
# The folds measure the accuracy; the final classifier is trained on all paintings. The
# file contains no code and is safe to open.
save_model(pipe.fit(paintings.paths, paintings.labels), "skart-gallery/first.skart")
loaded = load_model("skart-gallery/first.skart")
print(loaded.predict(paintings.paths[::30]))
