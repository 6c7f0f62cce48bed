"""Sample paintings and sizes of images."""

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullLocator
from sklearn.utils import check_consistent_length, check_random_state

from skart.images import ImageLoader
from skart.images._headers import read_sizes
from skart.plotting._axes import as_label, make_axes

_LABEL_WIDTH = 1.4  # inches for labels of 14 characters


class SamplesDisplay:
    """Sample paintings of each movement, a row for each movement.

    Parameters
    ----------
    images : dict of str to ndarray of shape (n, height, width, 3)
        Images by movement.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the paintings.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_movements, n_columns)
        Axes of the paintings.

    See Also
    --------
    skart.datasets.load_image_folder : Load paths, movements and artists.
    """

    def __init__(self, *, images):
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
        ax=None,
    ):
        """Plot paintings that are drawn at random.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files.
        labels : array-like of shape (n_paintings,)
            Movements.
        n_samples : int, default=8
            Maximum number of paintings of each movement.
        size : int, default=160
            Side of each image in pixels.
        artists : array-like of shape (n_paintings,), default=None
            Artists. If given, each artist of a movement is shown once before one is
            shown twice.
        on_error : {"raise", "blank"}, default="raise"
            How to handle files that can't be decoded; see :class:`skart.ImageLoader`.
        random_state : int, RandomState instance or None, default=0
            Seed of the choice. The default, 0, gives the same figure each time.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : SamplesDisplay
            Object that stores the images.

        Raises
        ------
        ValueError
            If there are no paintings, or not as many labels or artists as paths.
        """
        check_consistent_length(paths, labels, artists)
        if not len(paths):
            raise ValueError("there are no paintings to plot: paths is empty")
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
        return cls(images=images).plot(ax)

    def plot(self, ax=None):
        """Plot the paintings.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to plot in: one whose place is divided, or one for each place of the
            grid. If None, a new figure is created.

        Returns
        -------
        display : SamplesDisplay
            Object that stores the images.
        """
        n_rows, n_columns = len(self.images), max(map(len, self.images.values()))
        self.figure_, axes = make_axes(
            ax,
            n_rows * n_columns,
            n_columns,
            figsize=(_LABEL_WIDTH + n_columns, n_rows),
            layout=None,
            gridspec_kw={"wspace": 0.04, "hspace": 0.04},
        )
        if ax is None:
            left = _LABEL_WIDTH / (_LABEL_WIDTH + n_columns)
            self.figure_.subplots_adjust(left, 0, 1, 1)
        self.axes_ = axes.reshape(n_rows, n_columns)
        for row, (movement, images) in zip(
            self.axes_, self.images.items(), strict=True
        ):
            for ax_ in row:
                ax_.set_axis_off()
            for ax_, image in zip(row, images, strict=False):
                ax_.imshow(image)
            row[0].text(
                -0.08,
                0.5,
                as_label(movement, 14),
                transform=row[0].transAxes,
                ha="right",
                va="center",
            )
        return self


class ImageSizeDisplay:
    """Sizes of the images of a collection, as in figures 2 to 5 of the report [1]_.

    Width against height, and histograms of width, height and aspect ratio.

    Parameters
    ----------
    widths, heights : array-like of int, shape (n_paintings,)
        Sizes in pixels, after the orientation of the file is applied.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the sizes.
    axes_ : ndarray of matplotlib.axes.Axes, shape (4,)
        Axes of the scatter plot, width, height and aspect ratio.

    See Also
    --------
    skart.audit.audit_collection : Find images that are too small, among others.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.
    """

    def __init__(self, *, widths, heights):
        self.widths = widths
        self.heights = heights

    @classmethod
    def from_paths(cls, paths, *, below=None, above=None, ax=None):
        """Plot the sizes of image files. Only their headers are read.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files; unreadable ones are left out, with a warning.
        below : int, default=None
            Plot only images whose longer side has fewer pixels.
        above : int, default=None
            Plot only images whose longer side has at least as many pixels.
        ax : Axes or array-like of four Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : ImageSizeDisplay
            Object that stores the sizes.

        Raises
        ------
        ValueError
            If no image is readable, or none has such a size.
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
        widths, heights = sizes[chosen].T
        return cls(widths=widths, heights=heights).plot(ax)

    def plot(self, ax=None):
        """Plot the sizes.

        Parameters
        ----------
        ax : Axes or array-like of four Axes, default=None
            Axes to plot in: one whose place is divided, or one for each part. If None,
            a new figure is created.

        Returns
        -------
        display : ImageSizeDisplay
            Object that stores the sizes.
        """
        widths, heights = np.asarray(self.widths), np.asarray(self.heights)
        self.figure_, self.axes_ = make_axes(ax, 4, 2, figsize=(10, 7))
        scatter, *histograms = self.axes_
        scatter.scatter(widths, heights, s=8, alpha=0.4, linewidths=0)
        side = max(widths.max(), heights.max())
        scatter.plot([0, side], [0, side], color="grey", linewidth=0.8)
        scatter.set(xlabel="width (pixels)", ylabel="height (pixels)")
        ratios = widths / heights
        for ax_, values, label in zip(
            histograms,
            (widths, heights, ratios),
            ("width (pixels)", "height (pixels)", "aspect ratio (width / height)"),
            strict=True,
        ):
            bins = np.histogram_bin_edges(values, bins=40)
            if values is ratios:  # 2 and 1/2 are equally far from a square
                bins = np.geomspace(values.min() / 1.01, values.max() * 1.01, 41)
                ax_.set_xscale("log")
                # Intermediate ticks would overlap over a wide range.
                subs = (1, 1.5) if bins[-1] < 8 * bins[0] else (1,)
                ax_.xaxis.set_major_locator(LogLocator(base=2, subs=subs))
                ax_.xaxis.set_minor_locator(NullLocator())
                ax_.xaxis.set_major_formatter("{x:g}")
            ax_.hist(values, bins=bins)
            median = np.median(values)
            ax_.axvline(median, color="C1", label=f"median {median:.4g}")
            ax_.set(xlabel=label, ylabel="paintings")
            ax_.yaxis.get_major_locator().set_params(integer=True)
            ax_.legend()
        if ax is None:
            self.figure_.suptitle(f"{len(widths):,} paintings")
        return self
