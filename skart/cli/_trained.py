"""Images that a model was trained on, for `skart predict`."""

from skart.cli._app import say

TRAINED = "trained_on"
REMARK = "The model was trained on this image."
_N_NAMED = 3


def mark_trained(digests, paths, cache, known):
    """Return a dict of marks by image: whether the model was trained on it.

    `digests` are those in its file; `known` are those of images that are no local
    files, by path. If cache is None, files are read without a store.
    """
    unknown = [path for path in paths if path not in known]
    if cache is None:
        from skart._utils._files import file_digest

        # Without scikit-learn, which exported models don't need.
        found = [file_digest(path).hex()[:16] for path in unknown]
    else:
        from skart.persistence._parts import digest_paintings

        found = digest_paintings(unknown, cache)
    short = {path: digest.hex()[:16] for path, digest in known.items()}
    short |= zip(unknown, found, strict=True)
    digests = frozenset(digests)
    marks = {path: {TRAINED: short[path] in digests} for path in paths}
    trained = [path for path in paths if marks[path][TRAINED]]
    if trained:
        others = len(trained) - _N_NAMED
        more = f" and {others} more" if others > 0 else ""
        which = "this image, and its prediction says"
        if len(paths) > 1:
            which = f"{len(trained)} of {len(paths)} images, and their predictions say"
        say(
            f"The model was trained on {which} nothing about new paintings: "
            f"{', '.join(trained[:_N_NAMED])}{more}"
        )
    return marks
