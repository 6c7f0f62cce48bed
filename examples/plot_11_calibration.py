"""
Calibrated and rejecting predictions
====================================

A museum may prefer no answer to a wrong one. This needs calibrated probabilities, and a
threshold below which the classifier doesn't answer.
"""

# %%
# Overconfidence
# --------------
# A head on the last layer of a network, with little dropout, is overconfident.
# scikit-learn's ``CalibratedClassifierCV`` learns a correction on held-out paintings.
# It takes a pipeline of paths like any other classifier.
import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.networks import available_backbone
from skart.plotting import CoverageDisplay, ReliabilityDisplay

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
    units=300,
    dropout=0.2,
    epochs=30,
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
# Dots of few paintings (grey bars) scatter. The rightmost dot counts most: calibration
# brings it closer to the line.
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
good = table[table["accuracy"] >= 0.95]
if len(good):
    threshold, share, accuracy = good.iloc[-1]
    print(f"{share:.0%} answered above {threshold:.0%}: {accuracy:.0%} are right")
CoverageDisplay.from_evaluation(evaluations["calibrated"])
plt.show()
