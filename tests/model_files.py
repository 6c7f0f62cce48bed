"""Model files that are made or changed by hand."""

import json
import re
import zipfile

import numpy as np
import skops.io
from helpers import rewritten
from sklearn.linear_model import LogisticRegression

from skart import save_model
from skart.persistence import model_info


def described(target, backbones=()):
    """Return a valid skart.json with other backbones."""
    template = target.with_name("template.skart")
    save_model(LogisticRegression().fit(np.eye(2), [0, 1]), template)
    return json.dumps(model_info(template) | {"backbones": list(backbones)})


def forged(model, target, backbones=()):
    """Write a file of skops with any estimator, as a model file."""
    dumped = target.with_name("dumped.skops")
    skops.io.dump(model, dumped)
    # As save_model does, name our classes by their packages.
    schema = re.sub(r'"(skart\.\w+)[\w.]*"', r'"\1"', read_schema(dumped))
    rewritten(dumped, target, {"schema.json": schema})
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("skart.json", described(target, backbones))
    return target


def forged_schema(schema, target):
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": 2, **schema}))
        archive.writestr("skart.json", described(target))
    return target


def read_schema(file):
    with zipfile.ZipFile(file) as archive:
        return archive.read("schema.json").decode()


def node(module, name, loader, **more):
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def text(value):
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def places(content, at=()):
    """Yield the place of each value in JSON, as the keys that lead to it."""
    yield at
    if isinstance(content, (dict, list)):
        keys = content if isinstance(content, dict) else range(len(content))
        for key in keys:
            yield from places(content[key], (*at, key))


def put(content, at, value):
    """Return JSON with another value in a place."""
    if not at:
        return value
    content = content.copy()
    content[at[0]] = put(content[at[0]], at[1:], value)
    return content


def find(content, at):
    for key in at:
        content = content[key]
    return content
