"""``skart info``: the description of a model file."""

from skart.cli._app import Format, Model, as_json, command


@command
def info(model: Model, format: Format = "table"):
    """Show the classes, training, weights, parameters and versions of a model.

    The model itself is not loaded.

    Examples
    --------
        skart info model.skart

        skart info model.skart --format json | jq .classes
    """
    from skart.persistence import model_info

    description = model_info(model)
    if description["notes"]:  # too long to show
        description["notes"].pop("digests", None)
        description["notes"].pop("search", None)
    if format == "json":
        return as_json(description)
    return "\n".join(_lines(description))


def _lines(description, indent=""):
    """Yield a line an entry; nested entries are indented."""
    for name, value in description.items():
        if isinstance(value, dict):
            yield f"{indent}{name}"
            yield from _lines(value, indent + "  ")
        elif value and isinstance(value, list) and isinstance(value[0], dict):
            yield f"{indent}{name}"
            for part in value:
                yield from _lines(part, indent + "  ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{indent}{name}: {shown}"
