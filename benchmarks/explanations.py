"""Heat maps: whether they show what decides.

Three questions. Is the heat where the movement is, in pictures with a motif in a known
place: on plain ground, on textured ground, and beside a motif of another movement? Does
the probability fall if the hottest places are deleted, and rise if they are inserted,
faster than by chance, by edges and by the change that covering makes (Petsiuk et al.
2018)? Do heat maps change if the weights of the model are replaced by random ones
(Adebayo et al. 2018)?
"""

import argparse
import copy
import tempfile
from pathlib import Path

import numpy as np
from common import describe_machine, spread, time_in_turn
from paintings import add_collection_options, load_paintings, print_header, print_row
from PIL import Image, ImageFilter
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import DenseHeadClassifier, FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.explanation import (
    grad_cam,
    occlusion,
    overlay_heat,
    perturbation_curves,
)
from skart.explanation._grad_cam import open_network, sum_heat, weigh_by_place
from skart.explanation._occlusion import _measure_change
from skart.explanation._predictor import resize_heat

SIDE, MOTIF = 224, 112
MOVEMENTS = ["Op Art", "Pointillism", "Ukiyo-e"]
GROUNDS = ("plain", "textured", "two motifs")
OTHERS = [  # seeds and movements
    (3, ["Op Art", "Pointillism", "Ukiyo-e"]),
    (4, ["Cubism", "Op Art", "Impressionism"]),
    (5, ["Pop Art", "Ukiyo-e", "Action Painting"]),
    # These were not looked at before the defaults were chosen.
    (10, ["Neoplasticism", "Pop Art", "Pointillism"]),
    (11, ["Suprematism", "Cubism", "Ukiyo-e"]),
    (12, ["Action Painting", "Impressionism", "Op Art"]),
]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=24, help="explained pictures")
    parser.add_argument(
        "--poolings", nargs="*", default=["avg", "avg std", "max", "gram"]
    )
    parser.add_argument("--only", choices=["motifs", "others", "paintings", "speed"])
    add_collection_options(parser)
    args = parser.parse_args()
    print(describe_machine(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        if args.only not in ("others", "paintings"):
            train, test = make_motifs(folder, args.pictures)
            measure_speed(train, test, args)
        if args.only in (None, "motifs"):
            compare("Motifs", train, test, args)
        if args.only in (None, "others"):
            locate_others(folder, args)
        if args.only in (None, "paintings"):
            train, test = split_paintings(load_paintings(args, folder), args)
            compare("Paintings", train, test, args)


def make_motifs(folder, n_test, seed=0, movements=MOVEMENTS, ground="plain"):
    """Return pictures (X, y, masks) of a ground with a motif or without one."""
    root = make_paintings(
        Path(folder, f"motifs-{seed}"),
        movements=movements,
        n_artists=6,
        n_per_artist=6,
        size_range=(240, 360),
        random_state=seed,
        n_jobs=-1,
        verbose=False,
    )
    paintings = load_image_folder(root)
    generator = np.random.default_rng(seed)
    artists = np.unique(paintings.artists)
    is_test = np.zeros(len(paintings.artists), bool)
    while set(paintings.labels[is_test]) != set(movements):
        chosen = generator.choice(artists, 6, replace=False)
        is_test = np.isin(paintings.artists, chosen)
    sets = []
    for mask, n in ((~is_test, 240), (is_test, n_test)):
        X, y, masks = [], [], []
        for number in range(n):
            movement = [*movements, "plain"][number % (3 if n == n_test else 4)]
            ends = generator.integers(120, 240, (2, 1, 1, 3))
            share = np.linspace(0, 1, SIDE)[:, None, None]
            picture = ((1 - share) * ends[0] + share * ends[1]).round()
            picture = np.repeat(picture, SIDE, axis=1)
            if ground == "textured":
                picture = np.clip(picture + draw_texture(generator), 0, 255).round()
            picture, place = picture.astype(np.uint8), np.zeros((SIDE, SIDE), bool)
            if movement != "plain":
                motif = read_motif(paintings, movement, mask, generator)
                top, left = generator.integers(0, SIDE - MOTIF + 1, 2)
                if ground == "two motifs" and n == n_test:
                    other = movements[(number + 1) % 3]
                    corner = [MOTIF * (x < (SIDE - MOTIF) / 2) for x in (top, left)]
                    box = tuple(slice(x, x + MOTIF) for x in corner)
                    picture[box] = read_motif(paintings, other, mask, generator)
                box = slice(top, top + MOTIF), slice(left, left + MOTIF)
                picture[box], place[box] = motif, True
            X.append(picture), y.append(movement), masks.append(place)
        sets.append((np.array(X), np.array(y), np.array(masks)))
    return sets


def read_motif(paintings, movement, mask, generator):
    """Return a quarter of a painting of a movement."""
    found = paintings.paths[mask & (paintings.labels == movement)]
    with Image.open(generator.choice(found)) as image:
        motif = np.asarray(image.convert("RGB").resize((2 * MOTIF,) * 2))
    return motif[:MOTIF, :MOTIF]


def draw_texture(generator):
    """Return coloured noise of four sizes, which is the same for all movements."""
    texture = np.zeros((SIDE, SIDE, 3))
    for n_cells, contrast in ((4, 20), (14, 20), (56, 25), (SIDE, 20)):
        noise = generator.normal(0, contrast, (3, n_cells, n_cells))
        texture += np.stack([resize_heat(x, (SIDE, SIDE)) for x in noise], axis=-1)
    return texture


def split_paintings(frame, args):
    """Return training and test paintings, artists apart if they are known."""
    X, y = frame["path"].to_numpy(), frame["movement"].to_numpy(str)
    if frame["artist"].notna().all():
        splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
        train, test = next(splitter.split(X, y, frame["artist"]))
    else:
        train, test = train_test_split(np.arange(len(X)), random_state=0, stratify=y)
    test = np.random.default_rng(0).permutation(test)[: args.pictures]
    return (X[train], y[train], None), (X[test], y[test], None)


def make_pipe(pooling, cache, head=None):
    features = FeatureExtractor(
        "EfficientNetLite0",
        layer="style",
        pooling=pooling.split() if " " in pooling else pooling,
        cache=cache,
        verbose=False,
    )
    head = head or DenseHeadClassifier(epochs=60, random_state=0)
    return Pipeline(
        [("load", ImageLoader(SIDE)), ("features", features), ("head", head)]
    )


def make_logistic():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))


def measure_speed(train, test, args):
    """Print the milliseconds of one picture, after a first one."""
    pipe = make_pipe("avg", None).fit(list(train[0][:40]), train[1][:40])
    picture = [test[0][0]]

    def explain(method):
        found = method(pipe, picture, verbose=False)
        return overlay_heat(found.images[0], found.heat[0])

    functions = {
        "predict_proba": lambda: pipe.predict_proba(picture),
        "grad_cam and overlay": lambda: explain(grad_cam),
        "occlusion and overlay": lambda: explain(occlusion),
    }
    seconds, _ = time_in_turn(functions, 15)
    print_header("one picture", "ms")
    for name in functions:
        print_row(name, spread(1000 * seconds[name], ".0f"))
    print()


def compare(title, train, test, args):
    print(f"{title}: {len(train[0])} trained on, {len(test[0])} explained.\n")
    titles = ["pooling and head", "heat", "deletion", "insertion"]
    if test[2] is not None:
        titles.insert(2, "in the motif")
    print_header(*titles)
    X, y, masks = test
    for pooling in args.poolings:
        pipe = make_pipe(pooling, args.cache).fit(list(train[0]), train[1])
        heats = make_cams(pipe, list(X)) | make_others(pipe, list(X))
        if pooling == args.poolings[0]:
            heats |= make_variants(pipe, list(X))
        rate(f"{pooling}, dense", pipe, X, y, masks, heats)
    pipe = make_pipe(args.poolings[0], args.cache, make_logistic())
    pipe.fit(list(train[0]), train[1])
    rate(f"{args.poolings[0]}, logistic", pipe, X, y, masks, make_others(pipe, list(X)))
    pipe = make_pipe(args.poolings[0], args.cache).fit(list(train[0]), train[1])
    print()
    randomize(pipe, list(X))


def rate(name, pipe, X, y, masks, heats):
    """Print a row for each kind of heat, of the pictures that are predicted right."""
    right = pipe.predict(list(X)) == y
    sources = [x for x, one in zip(X, right, strict=True) if one]
    for kind, heat in heats.items():
        curves = perturbation_curves(pipe, sources, heat[right], verbose=False)
        cells = [f"{area.mean():.3f}" for area in (curves.deletion, curves.insertion)]
        if masks is not None:
            cells.insert(0, locate(heat[right], masks[right]))
        print_row(name, kind, *cells)


def locate(heat, masks):
    """Return the share of all positive heat in the motifs, and those of pictures."""
    inside = (np.maximum(heat, 0) * masks).sum((1, 2))
    total = np.maximum(heat, 0).sum((1, 2))
    shares = inside / np.maximum(total, 1e-12)
    return f"{inside.sum() / total.sum():.0%}; {spread(shares, '.0%')}"


def locate_others(folder, args):
    """Print where heat is in pictures with other motifs and grounds."""
    heads = {
        "avg, dense": ("avg", None),
        "avg std, dense": ("avg std", None),
        "max, dense": ("max", None),
        "avg, logistic": ("avg", make_logistic()),
    }
    print("Other motifs: the share of the heat in them.\n")
    kinds = ["grad_cam", "occlusion", "change", "edges"]
    print_header("ground", "seed", "pooling and head", "right", *kinds)
    for ground in GROUNDS:
        for seed, movements in OTHERS:
            train, (X, y, masks) = make_motifs(
                folder, args.pictures, seed, movements, ground
            )
            for name, (pooling, head) in heads.items():
                pipe = make_pipe(pooling, args.cache, head)
                pipe.fit(list(train[0]), train[1])
                right = pipe.predict(list(X)) == y
                heats = make_others(pipe, list(X))
                if head is None:
                    heats["grad_cam"] = grad_cam(pipe, list(X), verbose=False).heat
                cells = [
                    locate(heats[kind][right], masks[right]) if kind in heats else ""
                    for kind in kinds
                ]
                print_row(ground, seed, name, f"{right.sum()}/{len(X)}", *cells)
    print()


def make_cams(pipe, X):
    """Return heat of weightings of maps by their gradients."""
    images = np.asarray(pipe[0].transform(X))
    network = open_network(pipe, images.shape[1:], None)
    views, _, _ = network.differentiate(images)
    weightings = {
        "grad_cam of skart": weigh_by_place,
        "Grad-CAM": lambda a, g: (a * g.mean(axis=(1, 2), keepdims=True)).sum(-1),
        "HiResCAM": lambda a, g: (a * g).sum(-1),
        "LayerCAM": lambda a, g: (a * np.maximum(g, 0)).sum(-1),
    }
    return {
        name: sum_heat(views, images.shape[:3], weigh)
        for name, weigh in weightings.items()
    }


def make_others(pipe, X):
    """Return heat of occlusion, and of what knows nothing of the model."""
    found = occlusion(pipe, X, verbose=False)
    generator = np.random.default_rng(0)
    shape = found.images.shape[1:3]
    return {
        "occlusion": found.heat,
        "change": np.stack([_measure_change(image, "blur") for image in found.images]),
        "edges": np.stack([find_edges(image) for image in found.images]),
        "random": np.stack(
            [resize_heat(generator.random((8, 8)), shape) for _ in found.images]
        ),
    }


def make_variants(pipe, X):
    """Return heat of occlusion with other patches and fills."""
    options = {
        "patches of 1/8": {"patch_size": 1 / 8},
        "patches of 1/4": {"patch_size": 1 / 4},
        "patches of 1/2": {"patch_size": 1 / 2},
        "patches of 1/8, 1/4, 1/2": {"patch_size": (1 / 8, 1 / 4, 1 / 2)},
        "mean colour": {"fill": "mean"},
        "grey": {"fill": "grey"},
    }
    return {
        f"occlusion, {name}": occlusion(pipe, X, verbose=False, **one).heat
        for name, one in options.items()
    }


def find_edges(image):
    """Return the strength of edges, smoothed as coarsely as heat maps are."""
    grey = Image.fromarray(image).convert("L")
    rows, columns = np.gradient(np.asarray(grey, np.float32))
    edges = np.hypot(rows, columns)
    edges = Image.fromarray((255 * edges / max(edges.max(), 1)).astype(np.uint8))
    return np.asarray(edges.filter(ImageFilter.GaussianBlur(8)), np.float32)


def randomize(pipe, X):
    """Print the rank correlation of heat maps with those of randomised models."""
    print_header("random weights", "grad_cam", "occlusion", "change and edges")
    options = {"movements": pipe.predict(X), "verbose": False}
    methods = {
        "grad_cam": lambda model: grad_cam(model, X, **options),
        "occlusion": lambda model: occlusion(model, X, **options),
    }
    heats = {name: method(pipe).heat for name, method in methods.items()}
    for name, model in (
        ("none", pipe),
        ("head", randomize_head(pipe)),
        ("head and trunk", randomize_head(pipe, trunk=True)),
    ):
        cells = []
        for kind, method in methods.items():
            again = method(model).heat
            pairs = zip(heats[kind], again, strict=True)
            ranks = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in pairs]
            cells.append(spread(np.nan_to_num(ranks)))
        print_row(name, *cells, "1.00")
    print()


def randomize_head(pipe, trunk=False):
    """Return a pipeline whose weights are drawn anew, of the same scale."""
    model = copy.deepcopy(pipe)
    generator = np.random.default_rng(1)
    for layer in model[-1].model_.layers[1:]:  # the first standardizes
        weights = layer.get_weights()
        layer.set_weights(
            [generator.normal(0, x.std() + 1e-3, x.shape) for x in weights]
        )
    if trunk:
        model[1].set_params(weights=None)
    return model


if __name__ == "__main__":
    main()
