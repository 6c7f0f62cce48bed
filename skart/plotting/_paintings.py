"""Figures of paintings: samples, sizes and mistakes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullLocator
from sklearn.utils import check_consistent_length, check_random_state

from skart.images import ImageLoader
from skart.images._headers import read_sizes
from skart.plotting._names import as_label

# Room for names of 14 characters a line, in inches.
_NAMES_WIDTH = 1.4


class SamplesDisplay:
    """Sample paintings of each movement, a row a movement.

    Parameters
    ----------
    images : dict of str to ndarray of shape (n, height, width, 3)
        Images by movement.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure.

    See Also
    --------
    skart.datasets.load_image_folder : Paths, movements and artists.
    """

    def __init__(self, images):
        self.images = images

    @classmethod
    def from_paths(
        cls,
        paths,
        labels,
        *,
        n_samples=8,
        size=160,
        artists=None,
        on_error="raise",
        random_state=0,
    ):
        """Draw paintings picked at random, from as many artists as there are.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files.
        labels : array-like of shape (n_paintings,)
            Their movements.
        n_samples : int, default=8
            Paintings a movement.
        size : int, default=160
            Side of each picture in pixels.
        artists : array-like of shape (n_paintings,), default=None
            Their artists: each is shown once before one is shown twice.
        on_error : {"raise", "blank"}, default="raise"
            What to do about files that can't be decoded; see
            :class:`skart.ImageLoader`.
        random_state : int, RandomState or None, default=0
            Seed of the choice.

        Returns
        -------
        display : SamplesDisplay
            Drawn.
        """
        generator = check_random_state(random_state)
        paths, labels = np.asarray(paths, dtype=object), np.asarray(labels)
        loader = ImageLoader(size, on_error=on_error)
        images = {}
        for movement in np.unique(labels):
            rows = generator.permutation(np.flatnonzero(labels == movement))
            if artists is not None:
                names = np.asarray(artists)[rows]
                turns = pd.Series(names).groupby(names).cumcount()
                rows = rows[np.argsort(turns, kind="stable")]
            images[movement] = np.asarray(loader.transform(paths[rows[:n_samples]]))
        return cls(images).plot()

    def plot(self):
        """Draw.

        Returns
        -------
        display : SamplesDisplay
            Itself.
        """
        n_columns = max(len(images) for images in self.images.values())
        figure, axes = plt.subplots(
            len(self.images),
            n_columns,
            figsize=(_NAMES_WIDTH + n_columns, len(self.images)),
            squeeze=False,
            gridspec_kw={"wspace": 0.04, "hspace": 0.04},
        )
        figure.subplots_adjust(_NAMES_WIDTH / (_NAMES_WIDTH + n_columns), 0, 1, 1)
        for row, (movement, images) in zip(axes, self.images.items(), strict=True):
            for ax in row:
                ax.set_axis_off()
            for ax, image in zip(row, images, strict=False):
                ax.imshow(image)
            row[0].text(
                -0.08,
                0.5,
                as_label(movement, 14),
                transform=row[0].transAxes,
                ha="right",
                va="center",
            )
        self.figure_ = figure
        return self


class ImageSizeDisplay:
    """Sizes of the images of a collection: the report's figures 2 to 5 [1]_.

    Width against height, and histograms of width, height and aspect ratio.

    Parameters
    ----------
    widths, heights : array-like of int, shape (n_paintings,)
        Sizes in pixels, as the images are seen.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure.
    axes_ : ndarray of matplotlib.axes.Axes, shape (4,)
        Scatter, width, height and aspect ratio.

    See Also
    --------
    skart.datasets.audit : Finds images that are too small, among others.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.
    """

    def __init__(self, widths, heights):
        self.widths = np.asarray(widths)
        self.heights = np.asarray(heights)

    @classmethod
    def from_paths(cls, paths, *, below=None, above=None):
        """Draw the sizes of image files, of which only the headers are read.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files; those that can't be read are left out, with a warning.
        below, above : int, default=None
            Draw only those whose longer side has fewer, or at least as many, pixels.

        Returns
        -------
        display : ImageSizeDisplay
            Drawn.

        Raises
        ------
        ValueError
            If no image is left.
        """
        sizes = read_sizes(paths)
        longer = sizes.max(axis=1)
        chosen = np.ones(len(sizes), bool)
        if below is not None:
            chosen &= longer < below
        if above is not None:
            chosen &= longer >= above
        if not chosen.any():
            raise ValueError(
                f"no image has a longer side below={below} and above={above}; they "
                f"have {longer.min()} to {longer.max()} pixels"
            )
        return cls(*sizes[chosen].T).plot()

    def plot(self):
        """Draw.

        Returns
        -------
        display : ImageSizeDisplay
            Itself.
        """
        figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
        scatter, *histograms = axes.flat
        scatter.scatter(self.widths, self.heights, s=8, alpha=0.4, linewidths=0)
        side = max(self.widths.max(), self.heights.max())
        scatter.plot([0, side], [0, side], color="grey", linewidth=0.8)
        scatter.set(xlabel="width (pixels)", ylabel="height (pixels)")
        # Twice as wide is as far from a square as half as wide.
        ratios = self.widths / self.heights
        for ax, values, label in zip(
            histograms,
            (self.widths, self.heights, ratios),
            ("width (pixels)", "height (pixels)", "aspect ratio (width / height)"),
            strict=True,
        ):
            bins = np.histogram_bin_edges(values, bins=40)
            if values is ratios:
                bins = np.geomspace(values.min() / 1.01, values.max() * 1.01, 41)
                ax.set_xscale("log")
                ax.xaxis.set_major_locator(LogLocator(base=2, subs=(1, 1.5)))
                ax.xaxis.set_minor_locator(NullLocator())
                ax.xaxis.set_major_formatter("{x:g}")
            ax.hist(values, bins=bins)
            median = np.median(values)
            ax.axvline(median, color="C1", label=f"median {median:.4g}")
            ax.set(xlabel=label, ylabel="paintings")
            ax.yaxis.get_major_locator().set_params(integer=True)
            ax.legend()
        figure.suptitle(f"{len(self.widths):,} paintings")
        self.figure_, self.axes_ = figure, axes.ravel()
        return self


class MistakesDisplay:
    """The most confident mistakes of a classifier, as pictures.

    Parameters
    ----------
    images : array-like of shape (n, height, width, 3)
        The paintings, the most confident mistake first.
    y_true, y_pred : array-like of shape (n,)
        Their movements, and those that were predicted.
    confidence : array-like of shape (n,)
        Probabilities of the predicted ones.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure.

    See Also
    --------
    plot_confusion_matrix : Which movements are confused.
    skart.evaluation.evaluate : Predictions out of fold.
    """

    def __init__(self, images, y_true, y_pred, confidence):
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence

    @classmethod
    def from_estimator(cls, estimator, paths, y, *, n_mistakes=12, size=200):
        """Draw the mistakes of a fitted pipeline.

        Parameters
        ----------
        estimator : Pipeline
            Fitted; takes paths.
        paths : array-like of str or path, shape (n_paintings,)
            Image files that it was not trained on.
        y : array-like of shape (n_paintings,)
            Their movements.
        n_mistakes : int, default=12
            Pictures, at most.
        size : int, default=200
            Side of each picture in pixels.

        Returns
        -------
        display : MistakesDisplay
            Drawn.
        """
        probabilities = estimator.predict_proba(paths)
        return cls.from_predictions(
            paths,
            y,
            estimator.classes_[probabilities.argmax(axis=1)],
            probabilities.max(axis=1),
            n_mistakes=n_mistakes,
            size=size,
        )

    @classmethod
    def from_predictions(
        cls, paths, y_true, y_pred, confidence, *, n_mistakes=12, size=200
    ):
        """Draw the mistakes among predictions.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files.
        y_true, y_pred : array-like of shape (n_paintings,)
            Their movements, and those that were predicted.
        confidence : array-like of shape (n_paintings,)
            Probabilities of the predicted ones.
        n_mistakes : int, default=12
            Pictures, at most.
        size : int, default=200
            Side of each picture in pixels.

        Returns
        -------
        display : MistakesDisplay
            Drawn; empty if there is no mistake.
        """
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        confidence = np.asarray(confidence)
        check_consistent_length(paths, y_true, y_pred, confidence)
        wrong = np.flatnonzero(y_true != y_pred)
        rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:n_mistakes]
        images = np.empty((0, size, size, 3), np.uint8)
        if len(rows):
            loader = ImageLoader(size, resize="pad", on_error="blank")
            images = np.asarray(loader.transform(np.asarray(paths, dtype=object)[rows]))
        return cls(images, y_true[rows], y_pred[rows], confidence[rows]).plot()

    def plot(self, *, n_columns=4):
        """Draw.

        Parameters
        ----------
        n_columns : int, default=4
            Pictures side by side.

        Returns
        -------
        display : MistakesDisplay
            Itself.
        """
        n_rows = max(1, -(-len(self.images) // n_columns))
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(2.4 * n_columns, 3.1 * n_rows),
            squeeze=False,
            layout="constrained",
        )
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, image, true, predicted, confidence in zip(
            axes.flat,
            self.images,
            self.y_true,
            self.y_pred,
            self.confidence,
            strict=False,
        ):
            ax.imshow(_trim(image))
            ax.set_anchor("NW")
            title = f"{predicted}? {confidence:.0%}", f"is {true}"
            title = "\n".join(as_label(line, 30) for line in title)
            ax.set_title(title, fontsize=9, loc="left")
        if not len(self.images):
            axes[0, 0].text(0, 0.5, "no mistakes")
        self.figure_ = figure
        return self


def _trim(image):
    """Cut off the black that fills a picture up; leave one that is all black."""
    seen = image.any(axis=2)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return image
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
