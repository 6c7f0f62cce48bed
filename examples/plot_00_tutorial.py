"""
Tutorial: from a folder to a page
=================================

In fifteen minutes: look at a collection, train a classifier, measure it on artists that
it has not seen, find out where it errs, and give it to somebody else. Each step is
shown in Python, with the command that does the same.

The paintings are drawn, so that the tutorial runs anywhere. For your own, replace
``root`` by a folder ``Movement/Artist/file.jpg``. To follow with the commands alone,
draw the paintings first:

.. code-block:: sh

   python -c "
   from skart.datasets import make_paintings
   root = 'skart-gallery/paintings'
   make_paintings(root, n_artists=6, n_per_artist=5, size_range=(150, 400))"

``new_scans/`` and ``painting.jpg`` stand for files of your own.
"""

# %%
# 1. The collection
# -----------------
# Ten movements, by six invented painters each.
#
# .. code-block:: sh
#
#    skart profile skart-gallery/paintings/
import matplotlib.pyplot as plt
import numpy as np

from skart import evaluate, load_model, make_transfer_pipeline, save_model
from skart.audit import audit_collection, find_label_issues
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import ConformalClassifier
from skart.exploration import CollectionMap, PaintingIndex
from skart.networks import available_backbone
from skart.plotting import (
    ConfusionDisplay,
    ExplanationDisplay,
    MapDisplay,
    MistakesDisplay,
    SamplesDisplay,
)
from skart.report import write_report

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
paths, labels, artists = paintings.paths, paintings.labels, paintings.artists
SamplesDisplay.from_paths(paths, labels, artists=artists)

# %%
# The audit looks for what would spoil the figures: broken files, duplicates, labels
# that contradict each other. It changes nothing.
#
# .. code-block:: sh
#
#    skart audit skart-gallery/paintings/ --html skart-gallery/audit.html
audit = audit_collection(paths, labels=labels, artists=artists, verbose=False)
audit.summary()

# %%
# 2. Features and a head
# ----------------------
# A pretrained network turns each painting into a few hundred numbers, once: they are
# kept in the folder ``cache``. A small network, the head, learns the movements from
# them. The images are small here, to make it fast and not too easy; without ``size``,
# they have the size for which the network was trained.
#
# .. code-block:: sh
#
#    skart train skart-gallery/paintings/ --out skart-gallery/model.skart
backbone = available_backbone()
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
# 3. How good is it on artists it has not seen?
# ---------------------------------------------
# If works by the same artist are in both the training and the test set, the classifier
# can recognize the artist instead of the movement. ``groups`` keeps artists apart; the
# gap shows how much random folds overstate the accuracy.
#
# .. code-block:: sh
#
#    skart evaluate skart-gallery/model.skart skart-gallery/paintings/
evaluation = evaluate(pipe, paths, labels, groups=artists)
evaluation.leakage_gap

# %%
# Which movements does it confuse, and in which paintings?
ConfusionDisplay.from_predictions(labels, evaluation.y_pred)

# %%
MistakesDisplay.from_predictions(
    paths, labels, evaluation.y_pred, evaluation.confidence, n_mistakes=4
)

# %%
# 4. What does the collection look like?
# --------------------------------------
# On the map, paintings with similar features are near each other. ``to_html`` writes it
# as a page to zoom, filter and search in.
#
# .. code-block:: sh
#
#    skart map skart-gallery/paintings/ --out skart-gallery/map.html
features = pipe[:-1].fit_transform(paths)
collection_map = CollectionMap(random_state=0, verbose=False)
collection_map.fit(features, labels, artists=artists)
collection_map.to_html("skart-gallery/map.html", paths=paths, title="Tutorial")
MapDisplay.from_map(collection_map, thumbnails=True, paths=paths)

# %%
# 5. Which labels are wrong?
# --------------------------
# For the demonstration, six paintings get a wrong movement. The list begins with the
# paintings that a classifier, trained without them, confidently assigns to another
# movement.
#
# .. code-block:: sh
#
#    skart suspects skart-gallery/paintings/ --html skart-gallery/suspects.html
generator = np.random.default_rng(0)
wrong = generator.choice(len(labels), 6, replace=False)
damaged = labels.copy()
damaged[wrong] = [generator.choice(np.setdiff1d(labels, [x])) for x in labels[wrong]]
index = PaintingIndex(verbose=False).fit(features, artists=artists)
issues = find_label_issues(pipe, paths, damaged, artists, index=index, verbose=False)
n_found = np.isin(issues["position"][:6], wrong).sum()
print(f"{n_found} of the first 6 are among the wrong ones")
issues.head()

# %%
# 6. A model to give away
# -----------------------
# Where a model is not sure, it can return several movements: its sets hold the right
# one for nine of ten works by artists that it has not seen. The works of ten artists
# play the new scans here. The file of a model holds no code.
#
# .. code-block:: sh
#
#    skart predict skart-gallery/model.skart new_scans/ --sets 0.9
new = np.isin(artists, np.unique(artists)[::6])
model = ConformalClassifier(pipe, alpha=0.1)
model.fit(paths[~new], labels[~new], groups=artists[~new])
save_model(model, "skart-gallery/model.skart")
loaded = load_model("skart-gallery/model.skart")
sets = loaded.predict_set(paths[new])
held = sets[np.arange(len(sets)), loaded.classes_.searchsorted(labels[new])]
print(f"{held.mean():.0%} of {len(sets)} sets hold the movement; ", end="")
print(f"they have {sets.sum(axis=1).mean():.1f} movements on average")

# %%
# Where did it look? Bright places speak for the predicted movement.
#
# .. code-block:: sh
#
#    skart explain skart-gallery/model.skart painting.jpg --out skart-gallery/heat.html
some = np.flatnonzero(new)[::12]
ExplanationDisplay.from_estimator(loaded, paths[some], titles=labels[some])
plt.show()

# %%
# 7. A page for those who did not train it
# ----------------------------------------
# One file with the figures, the mistakes, the map, a model card and the list of all
# paintings. It opens without a network.
#
# .. code-block:: sh
#
#    skart report skart-gallery/model.skart skart-gallery/paintings/ \
#        --out skart-gallery/report.html
#    pip install 'skart[serve]'
#    skart serve skart-gallery/model.skart --data skart-gallery/paintings/
#
# The last command opens a page on which a painting is dropped, for people who don't use
# the command line.
page = write_report(
    evaluation,
    paths,
    "skart-gallery/report.html",
    estimator=pipe,
    index=index,
    verbose=False,
)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# sphinx_gallery_thumbnail_number = 2
