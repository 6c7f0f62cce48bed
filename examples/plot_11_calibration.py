"""
Calibrated and rejecting predictions
====================================

A museum may prefer no answer to a wrong one. This needs calibrated probabilities, and a
threshold below which the classifier doesn't answer.
"""

# %%
# Overconfidence
# --------------
# A head on features of random weights is overconfident. scikit-learn's
# ``CalibratedClassifierCV`` learns a correction on held-out paintings; it takes a
# pipeline of paths like any other classifier.
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
# Confidence and accuracy
# -----------------------
# On the dotted line, eight of ten predictions with a confidence of 80 % are correct.
_, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, (name, evaluation) in zip(axes, evaluations.items(), strict=True):
    ReliabilityDisplay.from_evaluation(evaluation, ax=ax)
    ax.set_title(name)

# %%
# Rejecting predictions
# ---------------------
# Among the most confident predictions, more are correct. ``coverage`` returns the
# threshold for the accuracy that you need.
table = evaluations["calibrated"].coverage()
good = table[table["accuracy"] >= 0.9]
if len(good):
    threshold, share, accuracy = good.iloc[-1]
    print(f"{share:.0%} answered above {threshold:.0%}: {accuracy:.0%} are right")
CoverageDisplay.from_evaluation(evaluations["calibrated"])
plt.show()
