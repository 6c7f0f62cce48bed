"""
Mistakes
========

The accuracy shows how often a classifier errs, the mistakes show why. The most
confident mistakes are the most instructive: wrong labels, details instead of whole
paintings, similar movements.
"""

# %%
# Confused movements
# ------------------
# Out-of-fold predictions: each painting was classified by a model that was not trained
# on its painter.
import matplotlib.pyplot as plt

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.networks import available_backbone
from skart.plotting import MistakesDisplay

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
    cache="skart-gallery/features",
    epochs=30,
    random_state=0,
    verbose=False,
)
evaluation = evaluate(
    pipe,
    paintings.paths,
    paintings.labels,
    groups=paintings.artists,
    cv=3,
    random_folds=False,
)
evaluation.most_confused(5).round(2)

# %%
# Precision and recall of each movement, with intervals. That of Impressionism is wide:
# its mistakes are paintings of few painters, and other painters may be recognized more
# often, or less.
columns = ["paintings", "precision", "recall", "recall_low", "recall_high"]
evaluation.per_movement()[columns].round(2)

# %%
# The most confident mistakes
# ---------------------------
# They are close views of flowers by a few painters, whose short strokes resemble dots.
# ``skart.report.write_report`` shows them on a page, with all other results.
MistakesDisplay.from_predictions(
    paintings.paths,
    evaluation.y_true,
    evaluation.y_pred,
    evaluation.confidence,
    n_mistakes=8,
)
plt.show()
