"""
A page for one painting, and its answers to programs
====================================================

``skart serve model.skart --data paintings/`` opens a page on which a painting is
dropped. The same application, made by ``make_app``, answers programs: the bytes of an
image go in, and movements, a heat map and the nearest paintings come out.
"""

# %%
# A model and its application
# ---------------------------
# One painter of each movement is kept for the requests.
import base64
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.utils import Bunch
from starlette.testclient import TestClient

from skart import make_transfer_pipeline, save_model
from skart.datasets import load_image_folder, make_paintings
from skart.networks import available_backbone
from skart.serving import make_app

root = make_paintings(
    "skart-gallery/paintings",
    n_artists=6,
    n_per_artist=5,
    size_range=(150, 400),
    n_jobs=-1,
    verbose=False,
)
paintings = load_image_folder(root)
X, y, artists = paintings.paths, paintings.labels, paintings.artists
numbers = np.array([name[-1] for name in artists])
train, test = next(LeaveOneGroupOut().split(X, groups=numbers))
pipe = make_transfer_pipeline(
    backbone=available_backbone(),
    layer="style",
    cache="skart-gallery/features",
    random_state=0,
    verbose=False,
)
save_model(pipe.fit(X[train], y[train]), "skart-gallery/served.skart")
app = make_app(
    "skart-gallery/served.skart",
    data=Bunch(paths=X[train], labels=y[train], artists=artists[train]),
    cache="skart-gallery/features",
)

# %%
# A request
# ---------
# A test client asks the application in this process. Programs ask the address that
# ``skart serve`` prints.
client = TestClient(app, base_url="http://localhost")
content = Path(X[test][0]).read_bytes()
answer = client.post("/predict?heat=true&neighbors=true", content=content).json()
for one in answer["movements"][:3]:
    print(f"{one['movement']}: {one['probability']:.0%}")
print("none of these:", answer["none_of_these"])

# %%
# Images come as data URIs, which a browser shows as they are.


def open_uri(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


sent = open_uri(answer["image"]["thumbnail"])
neighbors = answer["neighbors"][:3]
figure, axes = plt.subplots(1, 5, figsize=(12, 3), layout="constrained")
for axis, title in zip(axes, ["sent", answer["heat"]["movement"]], strict=False):
    axis.imshow(sent)
    axis.set_title(title)
axes[1].imshow(open_uri(answer["heat"]["overlay"]))
for axis, one in zip(axes[2:], neighbors, strict=True):
    axis.imshow(open_uri(one["thumbnail"]))
    axis.set_title(f"{one['movement']}, {one['similarity']:.2f}")
for axis in axes:
    axis.axis("off")
