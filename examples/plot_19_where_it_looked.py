"""
Where the model looked
======================

Heat maps of two methods, on drawn paintings, and how faithful they are.
"""

# %%
# A model
# -------
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.explanation import grad_cam, occlusion, perturbation_curves
from skart.networks import available_backbone
from skart.plotting import ExplanationDisplay

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
train, test = next(splitter.split(paintings.paths, groups=paintings.artists))
pipe = make_transfer_pipeline(
    backbone=available_backbone(),
    layer="style",
    cache="skart-gallery/features",
    epochs=40,
    random_state=0,
    verbose=False,
)
pipe.fit(paintings.paths[train], paintings.labels[train])
pipe.score(paintings.paths[test], paintings.labels[test])

# %%
# Grad-CAM
# --------
# From the gradients of the log-odds at the feature maps. Bright places speak for the
# movement; the painting is grey where they do not. The paintings are by artists that
# the model has not seen.
some = test[np.unique(paintings.labels[test], return_index=True)[1]][[0, 2, 5, 7]]
ExplanationDisplay.from_estimator(
    pipe, paintings.paths[some], titles=paintings.labels[some]
)

# %%
# Occlusion
# ---------
# How far the probability falls if patches are blurred, shared among the pixels by how
# much blurring changes them. It takes 80 predictions for each painting, and explains
# any classifier.
ExplanationDisplay.from_estimator(
    pipe, paintings.paths[some], method="occlusion", titles=paintings.labels[some]
)

# %%
# Another movement
# ----------------
# What would speak for another movement, here the second most probable one?
found = grad_cam(pipe, paintings.paths[some])
second = found.classes[np.argsort(-found.probabilities, axis=1)[:, 1]]
ExplanationDisplay.from_estimator(
    pipe,
    paintings.paths[some[:2]],
    movements=second[:2],
    titles=paintings.labels[some[:2]],
)

# %%
# Faithfulness
# ------------
# A picture may look convincing and be wrong. If the hottest places decide, the
# probability falls fast when they are deleted first: faster than with random heat of
# the same coarseness.
generator = np.random.default_rng(0)
heats = {
    "Grad-CAM": found.heat,
    "occlusion": occlusion(pipe, paintings.paths[some]).heat,
    "random": np.kron(generator.random((len(some), 8, 8)), np.ones((1, 28, 28))),
}
_, ax = plt.subplots(layout="constrained")
for name, heat in heats.items():
    side = found.heat.shape[1]
    curves = perturbation_curves(
        pipe, paintings.paths[some], heat[:, :side, :side], n_steps=10
    )
    label = f"{name}, area {curves.deletion.mean():.2f}"
    ax.plot(curves.shares, curves.deletion.mean(axis=0), label=label)
ax.set(xlabel="deleted share of the painting", ylabel="probability of the movement")
ax.legend()
plt.show()
