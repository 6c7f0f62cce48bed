"""A first pipeline: paths in, movements out.

Draws paintings of six movements, keeps painters apart, and compares the report's head
on frozen features with guessing; then fits it, saves it and loads it. Replace
``make_paintings`` by your own folder, and ``weights=None`` by ``"imagenet"`` or a file.
"""

import tempfile

import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skart import load_model, make_transfer_pipeline, save_model
from skart.datasets import load_image_folder, make_paintings
from skart.plotting import plot_confusion_matrix

folder = tempfile.TemporaryDirectory()
root = make_paintings(
    f"{folder.name}/paintings",
    movements=[
        "Cubism",
        "Impressionism",
        "Op Art",
        "Pop Art",
        "Suprematism",
        "Ukiyo-e",
    ],
    n_artists=4,
    n_per_artist=4,
    size_range=(200, 600),
    n_jobs=-1,
)
paintings = load_image_folder(root)
print(paintings.frame.groupby("movement").size().to_string())

pipe = make_transfer_pipeline(
    weights=None,
    layer="mixed2",
    scale=True,  # random weights need it
    cache=f"{folder.name}/features",
    epochs=20,
    random_state=0,
)
predicted = cross_val_predict(
    pipe,
    paintings.paths,
    paintings.labels,
    groups=paintings.artists,
    cv=StratifiedGroupKFold(4),
)
accuracy = (predicted == paintings.labels).mean()
print(f"accuracy with painters kept apart {accuracy:.0%}; chance {1 / 6:.0%}")

plot_confusion_matrix(paintings.labels, predicted)
plt.savefig("first_pipeline.png", dpi=120)
print("confusion matrix saved as first_pipeline.png")

save_model(pipe.fit(paintings.paths, paintings.labels), "first_pipeline.skart")
loaded = load_model("first_pipeline.skart")  # safe, whoever made the file
print(f"saved, loaded, and it says: {loaded.predict(paintings.paths[:1])[0]}")
folder.cleanup()
