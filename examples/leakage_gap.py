"""How good is it really: random folds against artists kept apart.

Draws paintings of ten movements, cross-validates a classifier of frozen features twice,
and shows the gap, the scores of each movement, and the most confident mistakes, on the
terminal and as a page. Takes a file of InceptionV3 weights; without one, those of
ImageNet.

    python examples/leakage_gap.py [inception_v3.weights.h5]
"""

import sys
import tempfile

import matplotlib.pyplot as plt

from skart import make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.plotting import MistakesDisplay
from skart.report import write_report

folder = tempfile.TemporaryDirectory()
root = make_paintings(
    f"{folder.name}/paintings", n_artists=5, n_per_artist=5, n_jobs=-1
)
paintings = load_image_folder(root)
pipe = make_transfer_pipeline(
    weights=sys.argv[1] if len(sys.argv) > 1 else "imagenet",
    layer="mixed5",
    cache=f"{folder.name}/store",
    units=200,
    epochs=40,
    random_state=0,
)
evaluation = evaluate(pipe, paintings.paths, paintings.labels, groups=paintings.artists)

print(evaluation.leakage_gap.round(3).to_string(), "\n")
table = evaluation.per_movement()
print(table[["paintings", "recall", "recall_low", "recall_high"]].round(2).to_string())
print(f"\n{evaluation.most_confused(3).round(2).to_string(index=False)}")

MistakesDisplay.from_predictions(
    paintings.paths, evaluation.y_true, evaluation.y_pred, evaluation.confidence
)
plt.savefig("mistakes.png", dpi=120)
print("the most confident mistakes saved as mistakes.png")
page = write_report("report.html", evaluation, paintings.paths, estimator=pipe)
print(f"all of it saved as {page}")
folder.cleanup()
