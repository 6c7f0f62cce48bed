"""Manifests and collections of IIIF, served on this machine."""

import json

import pytest
from museum import image, load_two, manifest_2, manifest_3

from skart.datasets import load_iiif

IMAGE_1 = "http://library.stanford.edu/iiif/image-api/1.1"
IMAGE_2 = "http://iiif.io/api/image/2"


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


@pytest.mark.parametrize("side", [200, 1000])
def test_longer_side_is_a_parameter(museum, side):
    body = image("/1.jpg", service_3(2), width=5000, height=4000)
    paintings = load_two(museum, body, longer_side=side)
    assert paintings.paths[0] == f"{museum.url}/s/full/!{side},{side}/0/default.jpg"


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
            return json.dumps({"type": "Collection", "items": items}).encode()

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
    with pytest.raises(OSError, match="save the document to a file, whose links may"):
        load_iiif(source, verbose=False)
    source = museum.add("/image.json", manifest_3(image(other.url + "/a.jpg")))
    with pytest.raises(OSError, match="must lead to public addresses"):
        load_iiif(source, verbose=False)
    museum.add("/away.json", b"", location=target)
    items = [{"type": "Manifest", "id": "/away.json"}]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(OSError, match="must lead to public addresses"):
        load_iiif(source, verbose=False)
    assert other.asked == []


def test_links_refer_to_the_address_after_redirects(museum):
    load_two(museum, image("/1.jpg"))
    items = [{"type": "Manifest", "id": f"../{n}.json"} for n in (1, 2)]
    museum.add("/deep/all.json", {"type": "Collection", "items": items})
    source = museum.add("/short", b"", location="/deep/all.json")
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


def test_hosts_of_many_links_are_checked_at_once(museum, other):
    bodies = [image(f"{other.url}/{place}.jpg") for place in range(4)]
    for place, body in enumerate(bodies):
        museum.add(f"/{place}.json", manifest_3(body, style="Dada"))
    items = [{"type": "Manifest", "id": f"/{place}.json"} for place in range(4)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    with pytest.raises(OSError, match="4 of 4 manifests"):
        load_iiif(source, verbose=False)


def test_links_of_a_saved_manifest_lead_anywhere(other, tmp_path):
    canvases = [
        canvas | {"metadata": [{"label": "Style", "value": [style, None, 3]}]}
        for style in ("Dada", "Cubism")
        for canvas in manifest_3(image(f"{other.url}/{style}.jpg"))["items"]
    ]
    file = tmp_path / "saved.json"
    file.write_text(json.dumps({"type": "Manifest", "items": canvases}))
    paintings = load_iiif(file, verbose=False)
    assert paintings.paths[0] == f"{other.url}/Dada.jpg"
    assert paintings.labels.tolist() == ["Dada; 3", "Cubism; 3"]
