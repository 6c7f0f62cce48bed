"""Compare images at URLs by `ImageLoader` with fetching them one after the other.

A server of this machine, a process of its own, answers each request after a delay. The
baseline fetches with urllib, and decodes with Pillow as `ImageLoader` does: the
smallest scale of a JPEG, a bicubic resize. Prints a Markdown table.

    python benchmarks/remote.py
"""

import argparse
import asyncio
import io
import multiprocessing
import os
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import describe_machine, spread, time_in_turn
from decoding import make_files
from PIL import Image, ImageOps

from skart import ImageLoader

SIZE = 299


def serve(folder, delay, port):
    """Answer requests for the files of a folder after a delay, in seconds."""
    contents = {file.name: file.read_bytes() for file in Path(folder).iterdir()}

    async def answer(reader, writer):
        try:
            while line := await reader.readline():
                while await reader.readline() != b"\r\n":
                    pass
                await asyncio.sleep(delay)
                content = contents[line.split()[1].decode().rpartition("/")[2]]
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
                writer.write(head.encode() + content)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def run():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def one_after_the_other(urls):
    contents = []
    for url in urls:
        with urllib.request.urlopen(url, timeout=30) as answer:
            contents.append(answer.read())
    images = []
    for content in contents:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * SIZE, 2 * SIZE))
            image = ImageOps.fit(image, (SIZE, SIZE), Image.Resampling.BICUBIC)
        images.append(np.asarray(image.convert("RGB")))
    return np.stack(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--side", type=int, default=600, help="longer side in pixels")
    parser.add_argument("--delays", type=int, nargs="+", default=[50], help="in ms")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{options.images} JPEGs of {options.side} px to {SIZE} x {SIZE}:\n")
    print("| delay | one after the other | `ImageLoader` | ratio |")
    print("|---|---|---|---|")
    with TemporaryDirectory() as root:
        folder, paths = make_files(root, options.side, options.images)
        for delay in options.delays:
            here, there = multiprocessing.Pipe()
            server = multiprocessing.Process(
                target=serve, args=(folder, delay / 1000, there), daemon=True
            )
            server.start()
            try:
                base = f"http://127.0.0.1:{here.recv()}"
                urls = [f"{base}/{Path(path).name}" for path in paths]
                seconds, _ = time_in_turn(
                    {
                        "one": lambda urls=urls: one_after_the_other(urls),
                        "skart": lambda urls=urls: np.asarray(
                            ImageLoader(SIZE).transform(urls)
                        ),
                    },
                    options.rounds,
                )
            finally:
                server.terminate()
                server.join()
            speeds = {
                name: f"{options.images / np.median(value):.1f} images/s"
                for name, value in seconds.items()
            }
            print(
                f"| {delay} ms | {speeds['one']} | {speeds['skart']} | "
                f"{spread(seconds['one'] / seconds['skart'])} |",
                flush=True,
            )
    machine = describe_machine("numpy", "pillow", "httpcore")
    print(f"\n{machine}")


if __name__ == "__main__":
    main()
