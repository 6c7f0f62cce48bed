"""``skart explain``: where a model looked."""

import itertools
from pathlib import Path
from typing import Literal

from skart.cli import _options as options
from skart.cli._app import argument, check_out, command, option, say, say_unreadable

_MAX_ON_PAGE = 200
_CHUNK = 64  # images that are explained at once
_METHODS = {"grad_cam": "Grad-CAM", "occlusion": "occlusion"}


@command
@options.reads_images
def explain(
    model: options.Model,
    images: argument(
        list[str],
        "Image files, URLs of images, or folders.",
        metavar="IMAGE...",
        parser=options.parse_image,
    ),
    out: option(
        Path, "HTML file for a page, or a folder for PNG files.", metavar="FILE|DIR"
    ),
    method: option(
        Literal["auto", "grad-cam", "occlusion"],
        "How it is computed. grad-cam: from the gradients of the network. occlusion: "
        "covers parts of the image; slower, for all models. auto: grad-cam if the "
        "model allows it.",
    ) = "auto",
    movement: option(
        str | None,
        "Movement to explain. Default: the predicted one of each image.",
        metavar="NAME",
    ) = None,
    top_k: option(int, "Number of movements shown for each image.", min=1) = 3,
    weights: options.ModelWeights = None,
    cache: options.Cache = options.CACHE,
    force: options.Force = False,
):
    """Show where a model looked, as heat maps over images.

    With a folder as --out, each image gets a PNG file, with the heat map over it and
    the movement in its metadata; with a file .html, there is one page. The predicted
    movements are printed. Images that can't be read are listed, the others are
    explained, and the exit status is 1.

    Examples
    --------
        skart explain model.skart painting.jpg --out heat.html

        skart explain model.skart scans/ --out heat/

        skart explain model.skart painting.jpg --movement Cubism --out heat.html
    """
    is_page = out.suffix.lower() in (".html", ".htm")
    if is_page:
        check_out(out, force=force, suffix=".html")
    elif out.is_file() or (out.suffix and not out.is_dir()):
        raise ValueError(f"--out {out}: name a folder, or a file that ends in .html")

    from skart.cli._images import list_paths
    from skart.cli._predict import as_table
    from skart.persistence._exported import load_exported
    from skart.persistence._load import load_pipeline
    from skart.report._text import count

    if load_exported(model) is not None:
        raise ValueError(
            f"{str(model)!r} is an exported model, which can't be explained. Pass the "
            "model of skart train"
        )
    files = [image for image in images if isinstance(image, Path)]
    tables = [str(file) for file in files if file.suffix.lower() in options.TABLES]
    if tables:
        raise ValueError(
            f"{tables[0]!r} is a table: pass image files or folders. skart predict "
            "takes tables"
        )
    paths = list_paths(images)
    if is_page and len(paths) > _MAX_ON_PAGE:
        raise ValueError(
            f"--out {out}: a page shows at most {_MAX_ON_PAGE} images; got "
            f"{len(paths)}. Name a folder, which gets a PNG file for each"
        )
    targets = {} if is_page else _name_targets(out, paths, force)
    pipe = load_pipeline(model, weights=weights, cache=cache)
    if movement is not None:
        movement = _find_movement(movement, pipe.classes_.tolist())
    method = _choose_method(method, pipe)
    failures, shown = {}, []
    for path, one in _iter_explained(pipe, paths, method, movement, failures):
        shown.append(one)
        if not is_page:
            out.mkdir(parents=True, exist_ok=True)
            about = f"Where {model.name} looked, by {_METHODS[method]}"
            _write_png(targets[path], one, about)
            del one["image"], one["heat"]  # so that memory stays flat
    say_unreadable(failures)
    if not shown:
        return None, 1
    predictions = {one["path"]: one["ranked"][:top_k] for one in shown}
    if is_page:
        from skart.report._explanation import write_explanation

        write_explanation(
            out,
            shown,
            method=method,
            subtitle=f"by {model.name}",
            top_k=top_k,
            failures=failures,
        )
        say(f"saved {out}")
    else:
        files = count(len(shown), "PNG file")
        shown_for = "the predicted movement" if movement is None else movement
        say(f"saved {out}: {files}, heat for {shown_for}, by {_METHODS[method]}")
    return as_table(predictions), int(bool(failures))


def _iter_explained(pipe, paths, method, movement, failures):
    """Yield paths and their explanations, dicts; unreadable ones go to `failures`."""
    import warnings

    import numpy as np
    from tqdm.auto import tqdm

    from skart.explanation._methods import explain

    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with tqdm(
        total=len(paths),
        desc=method,
        unit="image",
        disable=len(chunks) == 1,  # which has a bar of its own
    ) as progress:
        for chunk in chunks:
            images = pipe[0].transform(chunk)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*can't be read")
                found = explain(
                    pipe,
                    images,
                    method=method,
                    movements=movement,
                    verbose=len(chunks) == 1,
                )
            failures |= images.failures
            for row, path in enumerate(chunk):
                if path in images.failures:
                    continue
                chances = found.probabilities[row]
                yield (
                    path,
                    {
                        "path": path,
                        "image": found.images[row],
                        "heat": found.heat[row],
                        "movement": str(found.movements[row]),
                        "ranked": [
                            (found.classes[code], float(chances[code]))
                            for code in np.argsort(-chances, kind="stable")
                        ],
                    },
                )
            progress.update(len(chunk))


def _choose_method(method, pipe):
    """Return the method by its name in Python; raise ValueError if it can't be."""
    from skart.explanation._grad_cam import find_fault

    fault = find_fault(pipe)
    if method == "grad-cam" and fault is not None:
        raise ValueError(
            f"--method grad-cam can't explain this model, because {fault}. Pass "
            "--method occlusion"
        )
    return "occlusion" if method == "occlusion" or fault is not None else "grad_cam"


def _find_movement(name, known):
    """Return the movement of a name, which may be a number."""
    from skart._utils._validation import suggest

    movements = {str(movement): movement for movement in known}
    if name not in movements:
        raise ValueError(
            f"--movement {name}: the model does not know it.{suggest(name, movements)}"
        )
    return movements[name]


def _name_targets(folder, paths, force):
    """Return the PNG file in a folder for each image."""
    targets, taken = {}, set()
    for path in paths:
        stem = Path(path).stem
        names = itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))
        name = next(name for name in names if name.casefold() not in taken)
        taken.add(name.casefold())
        targets[path] = folder / f"{name}.png"
    if folder.is_dir():
        for target in targets.values():
            check_out(target, force=force)
    return targets


def _write_png(target, one, about):
    """Write the heat map over an image, with texts that say what it shows."""
    from PIL import Image, PngImagePlugin

    from skart._utils._files import atomic_write
    from skart.explanation import overlay_heat

    texts = PngImagePlugin.PngInfo()
    title = f"What speaks for {one['movement']}"
    for name, text in (("Title", title), ("Description", about)):
        texts.add_itxt(name, text.encode("utf-8", "backslashreplace"))
    overlay = Image.fromarray(overlay_heat(one["image"], one["heat"]))
    with atomic_write(target) as part:
        overlay.save(part, "PNG", pnginfo=texts)
