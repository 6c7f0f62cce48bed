"""
Learning curves and early stopping
==================================

A head with many units overfits. The loss on held-out paintings shows when, and
``patience`` stops the training there.
"""

# %%
# All epochs
# ----------
# ``validation_split`` holds out a share of the paintings. With ``head__groups``, all
# paintings of some artists are held out, so the validation loss is that of new artists.
# The last layer of the network, little dropout and a constant learning rate make the
# head overfit soon: the training loss falls to zero, the validation loss does not.
import matplotlib.pyplot as plt

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.networks import available_backbone
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
backbone = available_backbone()
print(f"Features: {backbone}")
pipe = make_transfer_pipeline(
    size=96,
    backbone=backbone,
    layer=None,
    cache="skart-gallery/features",
    units=650,
    dropout=0.2,
    epochs=60,
    validation_split=0.25,
    optimizer__learning_rate=5e-4,
    learning_rate_schedule=None,
    random_state=0,
    verbose=False,
)
pipe.fit(paintings.paths, paintings.labels, head__groups=paintings.artists)
HistoryDisplay.from_estimator(pipe)

# %%
# Early stopping
# --------------
# The dot marks the best epoch. With ``patience=8``, training stops after eight epochs
# without a better validation loss, and the best weights are restored. More dropout
# keeps the two curves closer together.
pipe.set_params(head__patience=8, head__dropout=0.7)
pipe.fit(paintings.paths, paintings.labels, head__groups=paintings.artists)
print(f"{len(pipe[-1].history_['loss'])} epochs of {pipe[-1].epochs}")
HistoryDisplay.from_estimator(pipe)
plt.show()
