"""The application that serves a model."""

import os
from importlib.util import find_spec

from skart._utils._validation import Integral, Interval, Real, StrOptions, validate

_CONSTRAINTS = {
    "alpha": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither"), None],
    "refusal_rate": [
        StrOptions({"auto"}),
        Interval(Real, 0, 0.5, closed="right"),
        None,
    ],
    "max_bytes": [Interval(Integral, 1, None, closed="left")],
    "timeout": [Interval(Real, 0, None, closed="neither")],
}


def make_app(
    model,
    *,
    data=None,
    alpha="auto",
    refusal_rate="auto",
    weights=None,
    cache=None,
    max_bytes=50_000_000,
    timeout=30,
    hosts=(),
):
    """Make the web application of ``skart serve``.

    It is an ASGI application, to be run by a server such as Uvicorn, or mounted below a
    path of another application. ``GET /`` is the page, ``POST /predict`` the answer on
    the bytes of one image as JSON, and ``GET /openapi.json`` documents both. The model
    is loaded and has predicted once when this function returns. Images are neither
    stored nor logged. Requires ``pip install 'skart[serve]'``.

    Parameters
    ----------
    model : str or path
        File by :func:`~skart.save_model`, of a pipeline that begins with an
        :class:`~skart.ImageLoader`; or by :func:`~skart.persistence.export_model`,
        which gives probabilities and sets only.
    data : sklearn.utils.Bunch, default=None
        Paintings with ``paths``, ``labels`` and ``artists`` (may be None), as
        :func:`~skart.datasets.load_image_folder` returns them. The nearest ones are
        shown, those by other artists if the image is one of them. If the model was
        trained on some of them, images are compared with these by features to find
        those that are none of the movements.
    alpha : float, "auto" or None, default="auto"
        Share of the paintings by new artists whose prediction set may lack their
        movement, between 0 and 1, as in
        :class:`~skart.evaluation.ConformalClassifier`. If "auto", 0.1 if the model was
        calibrated by ``skart train``, else None. If None, there are no sets.
    refusal_rate : float, "auto" or None, default="auto"
        Share of the known paintings that is taken for none of the movements, at most
        0.5, as in :class:`~skart.exploration.NoveltyDetector`. If "auto", 0.05 with
        `data` or a calibrated model, else None. If None, no image is refused.
    weights : str, path or list, default=None
        As in :func:`~skart.load_model`.
    cache : str, path or FeatureStore, default=None
        Store of the features of `data`. Those of images that are sent are not stored.
    max_bytes : int, default=50_000_000
        Largest size of a body.
    timeout : float, default=30
        Seconds within which a body must arrive.
    hosts : str or iterable of str, default=()
        Names under which the application may be asked for, besides 127.0.0.1, ::1 and
        localhost. Requests for others are refused, so that no site can use it by a
        name of its own. "0.0.0.0" allows all numeric addresses.

    Returns
    -------
    app : starlette.applications.Starlette
        Application.

    Raises
    ------
    ImportError
        If Starlette is not installed.
    ModelFileError, OSError
        If the model can't be loaded.
    ValueError
        If the model can't do what is asked for, or a parameter is invalid.

    See Also
    --------
    skart.exploration.PaintingIndex : Finds the nearest paintings.
    skart.exploration.NoveltyDetector : Finds images that are none of the movements.

    Notes
    -----
    A server in front must limit the time in which headers arrive; ``skart serve`` does.

    Examples
    --------
    >>> from skart.serving import make_app
    >>> app = make_app("model.skart")  # doctest: +SKIP
    >>> import uvicorn
    >>> uvicorn.run(app, port=8000)  # doctest: +SKIP
    """
    params = {"alpha": alpha, "refusal_rate": refusal_rate}
    params |= {"max_bytes": max_bytes, "timeout": timeout}
    validate("make_app", params, _CONSTRAINTS)
    check_installed("starlette")
    if not isinstance(model, (str, os.PathLike)):
        raise TypeError(
            "model must be the path of a model file, as written by save_model; got "
            f"{type(model).__name__}"
        )
    from skart.serving._routes import build_app
    from skart.serving._service import Service

    service = Service(
        model,
        data=data,
        alpha=alpha,
        refusal_rate=refusal_rate,
        weights=weights,
        cache=cache,
    )
    hosts = [hosts] if isinstance(hosts, str) else hosts
    return build_app(service, max_bytes=max_bytes, timeout=timeout, hosts=hosts)


def check_installed(*packages):
    """Raise ImportError if a package of the extra `serve` is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"a page is served by {' and '.join(missing)}, not installed here. Run: "
            "pip install 'skart[serve]'"
        )
