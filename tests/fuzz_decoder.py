"""Decode image files that are damaged at random.

    python tests/fuzz_decoder.py --seconds 300 --seed 0

Files of all formats are changed (bits, bytes, numbers in the header, parts that are
cut out, doubled or replaced by those of another file) and decoded by a separate
process, with limits on time and memory. Decoding must return an image or raise an error
that names the file. Other files are saved to ``--findings``, with the problem in their
name.
"""

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import sys
import tempfile
import time
import warnings

import image_kinds
import numpy as np

SECONDS = 10
MEGABYTES = 1500  # in addition to the memory in use before the first file
MAX_PIXELS = 4_000_000


def originals():
    """Return valid files of all formats, in two sizes, some with profile and EXIF."""
    exif = image_kinds.Image.Exif()
    exif[0x0112] = 6
    extra = {"icc_profile": image_kinds.icc_profile(), "exif": exif}
    files = []
    for size in ((48, 36), (150, 110)):
        picture = image_kinds.picture(size)
        for kind, encode in image_kinds.ALL_KINDS.items():
            with contextlib.suppress(ImportError):  # no HEIC without pillow-heif
                files.append((kind, encode(picture)))
        for kind in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF"):
            files.append((kind, image_kinds.saved(kind, **extra)(picture)))
        cmyk = picture.convert("CMYK")
        profile = image_kinds.icc_profile("CMYK")
        files.append(("JPEG", image_kinds.saved("JPEG", icc_profile=profile)(cmyk)))
    return files


def damage(data, other, generator):
    """Change a file in one to four ways."""
    data = bytearray(data)
    for _ in range(generator.integers(1, 5)):
        # Half of the changes are made to the header, where they have most effect.
        reach = min(len(data), 400) if generator.random() < 0.5 else len(data)
        if reach < 8:
            break
        at = int(generator.integers(reach))
        length = int(generator.integers(1, 1 + min(64, len(data))))
        part = int(generator.integers(len(other)))
        match generator.integers(7):
            case 0:
                data[at] ^= 1 << generator.integers(8)
            case 1:
                data[at : at + length] = generator.bytes(length)
            case 2:
                extreme = generator.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
                width = int(generator.choice([1, 2, 4, 8]))
                data[at : at + width] = bytes([extreme]) * width
            case 3:
                del data[at:]
            case 4:
                del data[at : at + length]
            case 5:
                data[at:at] = data[at : at + length] * int(generator.integers(1, 9))
            case 6:
                data[at : at + length] = other[part : part + length]
    return bytes(data)


def work(connection):
    """Receive paths and decode their files; send a problem, or None, for each."""
    import resource

    from skart import ImageLoader
    from skart.images import UnreadableImageError

    warnings.simplefilter("ignore")

    def used():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

    with open("/proc/self/statm") as file:
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    limit = in_use + MEGABYTES * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = used()
    connection.send(None)
    while True:
        path, size, resize = connection.recv()
        loader = ImageLoader(size, resize=resize, n_threads=1, max_pixels=MAX_PIXELS)
        problem = None
        try:
            pixels = np.asarray(loader.transform([path]))
            if pixels.shape != (1, *size, 3) or pixels.dtype != np.uint8:
                problem = "shape"
        except UnreadableImageError as error:
            if list(error.failures) != [path] or not error.failures[path]:
                problem = "unnamed"
            if "too little memory" in error.failures[path]:
                problem = "memory"
        except BaseException as error:
            problem = f"raises-{type(error).__name__}"
        if used() - before > MEGABYTES / 3:
            problem = "memory"
        connection.send(problem)


class Worker:
    """A process that decodes files, and its standard error."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.stderr = tempfile.TemporaryFile()
        kept = os.dup(2)
        os.dup2(self.stderr.fileno(), 2)  # text printed by C libraries is a finding
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        os.dup2(kept, 2)
        os.close(kept)
        theirs.close()
        self.connection.recv()

    def decode(self, *task):
        """Decode a file; return a problem or None, and whether to end the process."""
        try:
            self.connection.send(task)
            if not self.connection.poll(SECONDS):
                return "hang", True
            problem = self.connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.process.join()
            return f"crash{self.process.exitcode}", True
        if problem is None and self.stderr.seek(0, os.SEEK_END):
            # libtiff prints its errors; only Pillow could prevent that.
            with open(task[0], "rb") as file:
                problem = None if file.read(2) in (b"II", b"MM") else "prints"
            if problem:
                self._show()
            self.stderr.truncate(0)
        return problem, problem == "memory"

    def stop(self):
        self.process.kill()
        self.process.join()
        self._show()
        self.stderr.close()

    def _show(self):
        self.stderr.seek(0)
        print(self.stderr.read().decode(errors="replace")[-2000:], end="")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=pathlib.Path, default="fuzz-findings")
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    files = originals()
    n_tries, n_findings, slowest = 0, 0, 0
    worker = Worker()
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "image")
        while time.monotonic() < end:
            kind, data = files[generator.integers(len(files))]
            data = damage(data, files[generator.integers(len(files))][1], generator)
            with open(path, "wb") as file:
                file.write(data)
            size = tuple(int(side) for side in generator.integers(1, 80, 2))
            resize = str(generator.choice(["crop", "pad", "stretch"]))
            start = time.monotonic()
            problem, replace = worker.decode(path, size, resize)
            slowest = max(slowest, time.monotonic() - start)
            n_tries += 1
            if problem:
                n_findings += 1
                options.findings.mkdir(exist_ok=True)
                name = f"{problem}-{options.seed}-{n_tries}-{kind}"
                (options.findings / name).write_bytes(data)
                print(f"{options.findings / name}: size={size}, resize={resize!r}")
            if replace:
                worker.stop()
                worker = Worker()
    worker.stop()
    print(f"{n_tries} files, {n_findings} findings, slowest {slowest:.2f} s")
    return n_findings > 0


if __name__ == "__main__":
    sys.exit(main())
