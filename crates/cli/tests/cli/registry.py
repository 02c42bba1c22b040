"""A registry of packages for tests, on a free port of this machine: the simple index of PyPI, npm and a sparse index of cargo.

    registry.py <directory>

Packages lie in `<directory>/<pypi, npm or cargo>/<name>/<version>/`. The first line of standard output is the port. It ends with its standard
input.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import threading

ROOT = sys.argv[1]
KINDS = {"pypi": "{name}-{version}", "npm": "package", "cargo": "{name}-{version}"}


def versions(kind, name):
    return sorted(os.listdir(os.path.join(ROOT, kind, name)))


def archive(kind, name, version):
    """All files of a version."""
    top, buffer = os.path.join(ROOT, kind, name, version), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for folder, _, files in os.walk(top):
            for file in sorted(files):
                path = os.path.join(folder, file)
                info = tarfile.TarInfo(KINDS[kind].format(name=name, version=version) + "/" + os.path.relpath(path, top))
                info.size = os.path.getsize(path)
                with open(path, "rb") as data:
                    tar.addfile(info, data)
        # Cargo takes no such archive.
        if kind != "cargo":
            evil(tar, KINDS[kind].format(name=name, version=version))
    return buffer.getvalue()


def evil(tar, top):
    """What leads out of the directory that an archive is unpacked into."""
    for name in (top + "/../../evil", "/tmp/basis-evil", top + "/link/evil"):
        info = tarfile.TarInfo(name)
        info.size = 4
        tar.addfile(info, io.BytesIO(b"evil"))
    link = tarfile.TarInfo(top + "/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
    tar.addfile(link)


ARCHIVES = {}


def kept(kind, name, version):
    """The same bytes every time: their hash is in the index."""
    key = (kind, name, version)
    if key not in ARCHIVES:
        ARCHIVES[key] = archive(*key)
    return ARCHIVES[key]


def simple(name, base):
    def file(version):
        data = kept("pypi", name, version)
        link = "%s/files/pypi/%s/%s/%s-%s.tar.gz" % (base, name, version, name, version)
        return {"filename": "%s-%s.tar.gz" % (name, version), "url": link, "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}

    return json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": [file(it) for it in versions("pypi", name)]})


def packument(name, base):
    def entry(version):
        with open(os.path.join(ROOT, "npm", name, version, "package.json")) as file:
            manifest = json.load(file)
        data = kept("npm", name, version)
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        tarball = "%s/files/npm/%s/%s/%s-%s.tgz" % (base, name, version, name, version)
        return {**manifest, "dist": {"tarball": tarball, "integrity": integrity, "shasum": hashlib.sha1(data).hexdigest()}}

    all_versions = versions("npm", name)
    listed = {version: entry(version) for version in all_versions}
    return json.dumps({"name": name, "dist-tags": {"latest": all_versions[-1]}, "versions": listed})


def index(name):
    def line(version):
        checksum = hashlib.sha256(kept("cargo", name, version)).hexdigest()
        return json.dumps({"name": name, "vers": version, "deps": [], "cksum": checksum, "features": {}, "yanked": False})

    return "\n".join(line(version) for version in versions("cargo", name)) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        base = "http://127.0.0.1:%d" % self.server.server_port
        parts = self.path.split("?")[0].strip("/").split("/")
        try:
            if parts[0] == "simple":
                self.answer(simple(parts[1], base), "application/vnd.pypi.simple.v1+json")
            elif parts[0] == "npm":
                self.answer(packument(parts[1], base), "application/json")
            elif parts[0] == "files":
                self.answer(kept(*parts[1:4]), "application/octet-stream")
            elif parts == ["cargo", "config.json"]:
                self.answer(json.dumps({"dl": base + "/files/cargo/{crate}/{version}"}), "application/json")
            elif parts[0] == "cargo":
                self.answer(index(parts[-1]), "text/plain")
            else:
                self.send_error(404)
        except OSError:
            self.send_error(404)

    def answer(self, body, kind):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
