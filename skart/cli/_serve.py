"""``skart serve``: a page for one painting."""

import contextlib
import errno
import logging
import os
import socket
import sys
import threading
import warnings

from skart._utils import _interrupts as interrupts
from skart.cli import _options as options
from skart.cli._app import check_share, command, option, say


@command
@options.reads_images
def serve(
    model: options.AnyModel,
    data: option(
        str | None,
        "The folder or table that the model was trained on. The page then shows the "
        "nearest paintings, and --unknown compares features.",
        metavar="DIR",
        parser=options.parse_image,
    ) = None,
    part: options.of_data("part") = None,
    artists: options.of_data("artists") = None,
    path_column: options.of_data("path_column") = None,
    movement_column: options.of_data("movement_column") = None,
    artist_column: options.of_data("artist_column") = None,
    image_column: options.of_data("image_column") = None,
    manifest_column: options.of_data("manifest_column") = None,
    root: options.of_data("root") = None,
    corrections: options.of_data("corrections") = None,
    sets: option(
        float | None,
        "Show sets that hold the true movement of this share of the paintings by new "
        "artists. Default: 0.9 for a calibrated model, else no sets.",
        metavar="COVERAGE",
    ) = None,
    unknown: option(
        float | None,
        "Show 'none of these' for images that are unlike the known paintings. SHARE is "
        "the share of known paintings that may be marked in error. Default: 0.05, with "
        "--data or a calibrated model.",
        metavar="SHARE",
    ) = None,
    host: option(
        str,
        "Address to serve at. With another one than the default, such as 0.0.0.0, "
        "anyone in the network can use the page.",
    ) = "127.0.0.1",
    port: option(int, "Port; 0: any free one.", min=0, max=65535) = 8000,
    allow_host: option(
        list[str] | None,
        "Further name under which the page may be asked for, such as that of a proxy. "
        "May be given several times.",
        metavar="NAME",
    ) = None,
    max_mb: option(
        float, "Largest size of an image file in MB.", "--max-mb", min=0.001, max=1000
    ) = 50,
    open_browser: option(
        bool | None,
        "Open the page in a browser. Default: if the command runs in a terminal.",
        "--open/--no-open",
    ) = None,
    weights: options.ModelWeights = None,
    cache: options.Cache = options.CACHE,
):
    """Serve a local page that shows the probable movements of a painting.

    A painting is dropped, pasted, chosen or photographed. The page shows its movements,
    where the model looked and, with --data, the nearest paintings. If the image is one
    of these, paintings by its artist are left out. Images leave neither the machine nor
    the memory of this process. Programs send an image to /predict; /openapi.json
    describes it. Ctrl-C ends the command.

    FILE is a model by `skart train`, or a file by `skart export`, which shows neither
    where it looked nor neighbours.

    Examples
    --------
        skart serve model.skart

        skart serve model.skart --data paintings/

        skart serve model.skart --port 9000 --no-open

        skart serve model.skart --host 0.0.0.0 --allow-host studio.local
    """
    from skart.serving._app import check_installed

    check_installed("starlette", "uvicorn")
    check_share("--sets", sets, 0.01, 0.999)
    check_share("--unknown", unknown, 0.001, 0.5)
    source = options.Source(
        data,
        part=part,
        artists=artists,
        path_column=path_column,
        movement_column=movement_column,
        artist_column=artist_column,
        image_column=image_column,
        manifest_column=manifest_column,
        root=root,
        corrections=corrections,
    )
    if data is None and len(source.as_arguments()) > 1:
        raise ValueError(f"{source.as_arguments()[1]} is for --data: pass both")

    from skart.serving import make_app
    from skart.serving._guard import ANY_ADDRESS, LOOPBACK
    from skart.serving._server import bind, serve

    try:
        bound = bind(host, port)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise ValueError(
                f"--host {host}: no address of this machine has this name"
            ) from None
        raise ValueError(
            f"--host {host} --port {port}: {error.strerror.lower()}. Pass another "
            "port, or --port 0 for any free one"
        ) from None
    with bound:
        port = bound.getsockname()[1]
        if host not in LOOPBACK:
            say(
                f"skart: warning: --host {host}: anyone in the network can use this "
                "page, and images are sent to it without encryption"
            )
        say(f"Preparing {model.name}")
        app = make_app(
            model,
            data=None if data is None else _read_paintings(source),
            alpha="auto" if sets is None else 1 - sets,
            refusal_rate="auto" if unknown is None else unknown,
            weights=weights,
            cache=cache,
            max_bytes=int(max_mb * 1e6),
            hosts=[host, *(allow_host or ())],
        )
        own = "127.0.0.1" if host in ANY_ADDRESS else host
        address = f"http://{f'[{own}]' if ':' in own else own}:{port}/"

        def announce():
            say(f"Serving {model.name} at {address} until Ctrl-C")
            if host in ANY_ADDRESS and (name := _find_address()):
                say(f"In the network: http://{name}:{port}/")
            if sys.stderr.isatty() if open_browser is None else open_browser:
                _open(address)

        message = "\nskart: ending. Ctrl-C again ends it at once."
        with interrupts.announcing(message), _quiet():
            serve(app, bound, announce)
    interrupts.check_interrupt()


def _read_paintings(source):
    """Return paths, movements and artists of a collection."""
    from sklearn.utils import Bunch

    from skart.cli._collection import Collection

    collection = Collection(source, least=1)
    for remark in collection.remarks():
        say(remark)
    say(f"Paintings: {len(collection.frame)} of {source}")
    return Bunch(
        paths=collection.paths, labels=collection.labels, artists=collection.groups
    )


@contextlib.contextmanager
def _quiet():
    """Leave out what Pillow has to say about images."""
    logger = logging.getLogger("PIL")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _find_address():
    """Return the address of this machine in its network, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return None
        return probe.getsockname()[0]


def _open(address):
    """Open an address in a graphical browser, if there is one."""
    import webbrowser

    is_graphical = sys.platform != "linux" or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))
    )
    if is_graphical:
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
