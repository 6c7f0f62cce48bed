"""Images that a command is given: files, URLs, folders and tables."""

from skart._utils._files import expand, is_url
from skart.cli import _options as options
from skart.cli._app import list_skipped, say


def list_paths(images, read_table=None):
    """Return the image files in a list of files, folders and tables."""
    paths = []
    for image in images:
        if is_url(image):
            paths.append(image)
            continue
        image = expand(image)
        if read_table is not None and image.suffix.lower() in options.TABLES:
            paths += read_table(image)
        elif image.is_dir():
            paths += list_folder(image)
        else:
            paths.append(str(image))
    return list(dict.fromkeys(paths))


def list_folder(folder):
    """Return the images in a folder, and show what is skipped."""
    from skart.datasets._folder import find_images  # not needed for single files

    paths, skipped = find_images(folder)
    for line in list_skipped(skipped, folder):
        say(line)
    return paths


def read_table(
    file, *, path_column=None, image_column=None, manifest_column=None, root=None
):
    """Return the other columns of a table by path, and manifests that can't be read."""
    from skart.datasets import _tables as tables
    from skart.datasets._catalogue import find_file, follow_manifests, is_found
    from skart.datasets._image_table import read_rows

    if sum(x is not None for x in (path_column, image_column, manifest_column)) > 1:
        raise ValueError(
            "pass one of --path-column, --image-column and --manifest-column"
        )
    name = repr(str(file))
    folder = file.parent if root is None else expand(root)
    image = image_column
    if path_column is manifest_column is image is None:
        image = tables.find_image_column(file)
    if image is not None:
        table, _ = read_rows(str(file.absolute()), image)
        path_column = "path"
    else:
        table = tables.clean_names(tables.read_table(file), name)
    unreadable = []
    if manifest_column is not None:
        column = tables.find_columns(table, name, manifest=manifest_column)["manifest"]
        table, _, skipped = follow_manifests(
            table, column, {}, name=name, folder=folder, on_error="skip"
        )
        unreadable = skipped.get("unreadable", [])
        path_column = "path"
    column = tables.find_columns(table, name, path=path_column)["path"]
    table = table[table[column].notna()]
    paths = [find_file(folder, str(path)) for path in table[column]]
    if paths and not any(map(is_found, paths)):
        raise FileNotFoundError(
            f"none of the files in {name} exists, the first is {paths[0]!r}. If "
            "paths refer to another folder, pass --root; if another column has them, "
            "--path-column."
        )
    rows = table.drop(columns=column).astype(object).fillna("").to_dict("records")
    return dict(zip(paths, rows, strict=True)), unreadable
