"""``skart info``: the description of a model file."""

from skart.cli import _options as options
from skart.cli._app import as_json, command, say
from skart.cli._sets import summarize


@command
def info(model: options.Model, format: options.Format = "table"):
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
        if description["notes"].get("calibration"):
            description["notes"]["calibration"] = summarize(
                description["notes"]["calibration"]
            )
    if description["untrusted"]:
        say(
            f"Commands can't load this model. In Python, if you trust their code and "
            f"the author of the file, call load_model({str(model)!r}, "
            f"trusted={description['untrusted']})"
        )
    if format == "json":
        return as_json(description)
    return "\n".join(_lines(description))


def _lines(description, indent=""):
    """Yield a line an entry; nested entries are indented."""
    for name, value in description.items():
        parts = value if isinstance(value, list) else [value]
        if parts and isinstance(parts[0], dict):
            yield f"{indent}{name}"
            for part in parts:
                yield from _lines(part, indent + "  ")
        else:
            yield f"{indent}{name}: {', '.join(map(str, parts))}"
