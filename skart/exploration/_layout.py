"""Places of paintings in a plane: layouts of features, and grids without overlap."""

import contextlib
import threading
import warnings
from importlib.util import find_spec

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler, normalize
from tqdm.auto import tqdm

_LARGE = 10_000  # paintings; above, openTSNE is faster
_N_COMPONENTS = 50  # principal components that t-SNE and UMAP work on
_PERPLEXITY = 30
_SMALL = 500  # paintings up to which exact gradients are faster
_FEW = 5  # paintings up to which there are too few neighbours
_WIDTH_TO_HEIGHT = 4 / 3  # of a grid


def check_layout(layout, n_paintings):
    """Return the layout to be used, a key of `_LAYOUTS`; warn if another is faster."""
    if n_paintings <= _FEW:
        return "pca"
    if layout == "umap" and not find_spec("umap"):
        raise ImportError(
            "layout='umap' needs umap-learn: pip install umap-learn, or pass "
            "layout='tsne'"
        )
    if layout == "tsne" and n_paintings > _LARGE:
        if find_spec("openTSNE"):
            return "opentsne"
        warnings.warn(
            f"t-SNE of {n_paintings:,} paintings takes about half the time by "
            "openTSNE: pip install 'skart[large]'. layout='pca' takes seconds and "
            "separates less.",
            stacklevel=3,
        )
    return layout


def compute_layout(features, layout, random_state, verbose):
    """Return places of paintings, (n, 2), by a key of `_LAYOUTS`."""
    # Of unit length, so that only directions count, as in cosine distances.
    features = normalize(StandardScaler().fit_transform(features))
    if np.ptp(features, axis=0).max() < 1e-6:  # they are all alike
        return np.zeros((len(features), 2), np.float32)
    n_components = min(_N_COMPONENTS, *features.shape)
    reduced = PCA(n_components, random_state=random_state).fit_transform(features)
    embedding = _LAYOUTS[layout](reduced, random_state, verbose)
    return np.ascontiguousarray(embedding, np.float32)


def _place_by_pca(reduced, random_state, verbose):
    """Return the first two principal components."""
    return np.pad(reduced[:, :2], ((0, 0), (0, max(0, 2 - reduced.shape[1]))))


def _place_by_tsne(reduced, random_state, verbose):
    """Return a t-SNE by scikit-learn."""
    initial = _scale_start(_place_by_pca(reduced, random_state, verbose))
    tsne = TSNE(
        perplexity=_choose_perplexity(len(reduced)),
        init=initial,
        method="exact" if len(reduced) <= _SMALL else "barnes_hut",
        random_state=random_state,
    )
    with _clock(f"laying out {len(reduced):,} paintings", verbose):
        return tsne.fit_transform(reduced)


def _place_by_opentsne(reduced, random_state, verbose):
    """Return a t-SNE by openTSNE."""
    from openTSNE import TSNE

    n_iterations = 250, 500  # the defaults
    with tqdm(
        desc=f"laying out {len(reduced):,} paintings",
        total=sum(n_iterations),
        delay=1,
        disable=not verbose,
    ) as bar:
        tsne = TSNE(
            perplexity=_choose_perplexity(len(reduced)),
            early_exaggeration_iter=n_iterations[0],
            n_iter=n_iterations[1],
            initialization=_scale_start(_place_by_pca(reduced, None, None)),
            callbacks=lambda *_: bar.update(10),
            callbacks_every_iters=10,
            n_jobs=-1,
            random_state=random_state,
        )
        return np.asarray(tsne.fit(reduced))


def _place_by_umap(reduced, random_state, verbose):
    """Return a UMAP."""
    from umap import UMAP

    n_neighbors = min(15, len(reduced) - 1)
    with warnings.catch_warnings(), _clock("laying out paintings", verbose):
        warnings.filterwarnings("ignore", "n_jobs value")
        return UMAP(n_neighbors, random_state=random_state).fit_transform(reduced)


def _choose_perplexity(n):
    """Return the number of neighbours: small groups would merge with more."""
    return min(_PERPLEXITY, max(2, n / 6))


def _scale_start(places):
    """Scale places for a start of t-SNE: so small that they can still move freely."""
    return (places / places[:, 0].std() * 1e-4).astype(np.float32)


_LAYOUTS = {
    "pca": _place_by_pca,
    "tsne": _place_by_tsne,
    "opentsne": _place_by_opentsne,
    "umap": _place_by_umap,
}


@contextlib.contextmanager
def _clock(text, verbose):
    """Show that work without a callback is going on, and for how long."""
    done = threading.Event()
    form = "{desc} [{elapsed}]"
    with tqdm(desc=text, bar_format=form, delay=1, disable=not verbose) as bar:

        def tick():
            while not done.wait(1):
                bar.refresh()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def make_grid(embedding):
    """Return a column and a row for each place, (n, 2): near places are near cells.

    Cells and places are halved again and again, along the longer side of the cells.
    """
    n = len(embedding)
    n_columns = max(1, round((n * _WIDTH_TO_HEIGHT) ** 0.5))
    cells = np.stack([np.arange(n) % n_columns, np.arange(n) // n_columns], axis=1)
    grid = np.empty((n, 2), int)
    parts = [(np.arange(n), cells)]
    while parts:
        rows, cells = parts.pop()
        if len(rows) == 1:
            grid[rows] = cells
            continue
        axis = int(np.ptp(cells[:, 1]) > np.ptp(cells[:, 0]))
        # Places that are equal along the axis are told apart by the other one.
        rows = rows[np.lexsort((embedding[rows, 1 - axis], embedding[rows, axis]))]
        cells = cells[np.lexsort((cells[:, 1 - axis], cells[:, axis]))]
        half = len(rows) // 2
        parts += [(rows[:half], cells[:half]), (rows[half:], cells[half:])]
    return grid
