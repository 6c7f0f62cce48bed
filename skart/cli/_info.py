"""``skart info``: what a model file says of itself."""

from skart.cli._app import Format, Model, as_json, command


@command
def info(model: Model, format: Format = "table"):
    """Tell what a model is: classes, training, weights, parameters, versions.

    Nothing else in the file is read.

    Examples
    --------
        skart info model.skart

        skart info model.skart --format json | jq .classes
    """
    from skart.persistence import model_info

    told = model_info(model)
    if told["notes"]:  # thousands of digests are for programs
        told["notes"].pop("digests", None)
        told["notes"].pop("search", None)
    if format == "json":
        return as_json(told)
    return "\n".join(_lines(told))


def _lines(told, indent=""):
    for name, value in told.items():
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
