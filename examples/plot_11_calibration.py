"""
Calibrated and rejecting predictions
====================================

A museum would rather have no answer than a wrong one. That needs probabilities that can
be trusted, and a threshold below which the classifier declines to answer.
"""

# %%
# Too sure of itself
# ------------------
# A head on random features is right less often than it claims; on those of pretrained
# weights, this one needs no correction.
# ``CalibratedClassifierCV`` of scikit-learn learns, on paintings held out, how far to
# correct it; it takes a pipeline of paths like any other classifier.
import os

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.plotting import CoverageDisplay, ReliabilityDisplay

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
pipe = make_transfer_pipeline(
    size=160,
    weights=os.environ.get("SKART_INCEPTION_WEIGHTS"),  # None: drawn at random
    layer="mixed2",
    scale=True,
    cache="skart-gallery/features",
    units=300,
    dropout=0.2,
    epochs=20,
    optimizer__learning_rate=2e-3,
    random_state=0,
    verbose=False,
)
calibrated = CalibratedClassifierCV(pipe, method="temperature", cv=3, ensemble=False)
evaluations = {
    name: evaluate(
        classifier,
        paintings.paths,
        paintings.labels,
        groups=paintings.artists,
        cv=3,
        random_folds=False,
    )
    for name, classifier in (("as it is", pipe), ("calibrated", calibrated))
}
for name, evaluation in evaluations.items():
    figures = evaluation.metrics[["accuracy", "log_loss", "calibration_error"]]
    print(name, figures.round(2).to_dict())

# %%
# How sure, and how often right
# -----------------------------
# On the dotted line, of ten answers given with a confidence of 80 % eight are right.
_, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, (name, evaluation) in zip(axes, evaluations.items(), strict=True):
    ReliabilityDisplay.from_evaluation(evaluation, ax=ax)
    ax.set_title(name)

# %%
# Declining to answer
# -------------------
# Of the paintings of which it is surest, it is right about more. ``coverage`` gives the
# threshold for the accuracy that you need.
table = evaluations["calibrated"].coverage()
good = table[table["accuracy"] >= 0.9]
if len(good):
    threshold, share, accuracy = good.iloc[-1]
    print(f"{share:.0%} answered above {threshold:.0%}: {accuracy:.0%} are right")
CoverageDisplay.from_evaluation(evaluations["calibrated"])
plt.show()
