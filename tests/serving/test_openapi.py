"""The OpenAPI document is that of the real routes and answers."""

import pytest
from served_models import HUES, draw

KINDS = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
IMAGE = draw(HUES["Cubism"])


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def resolve(document, part):
    """Return a part of the document, or what it refers to."""
    while "$ref" in part:
        *path, name = part["$ref"].removeprefix("#/").split("/")
        found = document
        for key in path:
            found = found[key]
        part = found[name]
    return part


def check(document, schema, value, where="answer"):
    """Assert that a value is as its schema says."""
    schema = resolve(document, schema)
    if "oneOf" in schema:
        null = value is None
        schema = next(x for x in schema["oneOf"] if (x.get("type") == "null") == null)
        schema = resolve(document, schema)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert isinstance(value, tuple(KINDS[x] for x in kinds if x != "number")) or (
        "number" in kinds and type(value) in KINDS["number"]
    ), where
    assert not isinstance(value, bool) or "boolean" in kinds, where
    if "enum" in schema:
        assert value in schema["enum"], where
    if isinstance(value, (int, float)):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        for one in value:
            check(document, schema["items"], one, f"{where}[]")
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), where
        for name, one in value.items():
            check(document, schema["properties"][name], one, f"{where}.{name}")


def check_answer(document, path, method, answer):
    """Assert that an answer is documented, with its type and its keys."""
    found = document["paths"][path][method]["responses"][str(answer.status_code)]
    (kind,) = resolve(document, found)["content"]
    assert answer.headers["content-type"] == kind
    schema = resolve(document, found)["content"][kind]["schema"]
    check(document, schema, answer.json())


@pytest.mark.parametrize("query", ["", "?heat=true&neighbors=true"])
@pytest.mark.parametrize("options", ["all", "none"])
def test_predictions(document, client, make_client, query, options):
    client = client if options == "all" else make_client("plain.skart")
    answer = client.post(f"/predict{query}", content=IMAGE)
    assert answer.status_code == 200
    check_answer(document, "/predict", "post", answer)
    check_answer(document, "/model", "get", client.get("/model"))


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, {"content": b"no image"}),
        (400, {"params": {"heat": "perhaps"}}),
        (403, {"headers": {"Origin": "http://other.example"}}),
        (413, {"headers": {"Content-Length": "3000000000"}}),
        (415, {"headers": {"Content-Type": "application/json"}}),
    ],
)
def test_errors(document, client, status, request_):
    answer = client.post("/predict", **{"content": IMAGE} | request_)
    assert answer.status_code == status
    check_answer(document, "/predict", "post", answer)


def test_other_addresses(document, client):
    for path in ("/model", "/health", "/openapi.json"):
        for headers in ({}, {"Host": "other.example"}):
            answer = client.get(path, headers=headers)
            assert answer.status_code == (403 if headers else 200)
            check_answer(document, path, "get", answer)


def test_all_routes_are_documented(document, client):
    paths = {route.path for route in client.app.routes}
    pages = {"/", "/serve.css", "/serve.js"}
    assert paths == {*document["paths"], *pages}
    for path, methods in document["paths"].items():
        allowed = client.request("PUT", path).headers["allow"].lower().split(", ")
        assert {*allowed} - {"head"} == set(methods)
    parameters = document["paths"]["/predict"]["post"]["parameters"]
    for one in parameters:
        value = "Cubism" if one["schema"]["type"] == "string" else "true"
        answer = client.post("/predict", params={one["name"]: value}, content=IMAGE)
        assert answer.status_code == 200
