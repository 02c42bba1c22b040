"""Fetches one source distribution as `pip` is configured to reach its index, and unpacks it without running anything of it.

    fetch_sdist.py <name> <version, `<version` for the release before it, or empty> <directory, or empty to only look>

Only regular files with plain relative names are written; links and devices are left out. The last line of standard output is
`name<TAB>version<TAB>file name<TAB>time of upload, or nothing`; an error is one line on standard error.
"""

import ast
import base64
import hashlib
import io
import json
import os
import platform
import re
import ssl
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from html.parser import HTMLParser

LONGEST_FILE = 8 << 20
LONGEST_TREE = 256 << 20
MOST_FILES = 20000
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


def main():
    name, version, directory = sys.argv[1:]
    config = pip_config()
    index = config.get("index-url", "https://pypi.org/simple").rstrip("/")
    page = index + "/" + normal(name) + "/"
    files = list_files(page, config, name)
    wanted = choose(files, normal(name), version, index)
    if directory:
        data = get(wanted["url"], config)
        check(data, wanted)
        unpack(data, wanted["filename"], directory)
    print(normal(name), wanted["version"], wanted["filename"], wanted.get("upload-time") or "", sep="\t")


def pip_config():
    """What `pip config` knows, its environment variables included."""
    output = subprocess.run([sys.executable, "-I", "-m", "pip", "config", "list"], capture_output=True, text=True)
    if output.returncode:
        raise SystemExit("pip is needed to fetch packages: " + last_line(output.stderr))
    config = {}
    for line in output.stdout.splitlines():
        key, _, value = line.partition("=")
        try:
            config[key.rpartition(".")[2]] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            config[key.rpartition(".")[2]] = value
    return config


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def get(url, config, accept="*/*"):
    """The bytes behind an address; a user name and password in it are sent as such."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "basis"})
    if parts.username:
        secret = urllib.parse.unquote(parts.username) + ":" + urllib.parse.unquote(parts.password or "")
        request = urllib.request.Request(url.replace(parts.netloc, parts.netloc.rpartition("@")[2]), headers=request.headers)
        request.add_header("Authorization", "Basic " + base64.b64encode(secret.encode()).decode())
    context = ssl.create_default_context(cafile=config.get("cert"))
    with urllib.request.urlopen(request, timeout=float(config.get("default-timeout", 60)), context=context) as response:
        return response.read(LONGEST_TREE + 1)


def list_files(page, config, name):
    try:
        data = get(page, config, ACCEPT)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise SystemExit("no package `%s` at %s; check its name, or name a directory" % (name, page))
        raise SystemExit("%s answers %s" % (page, error))
    except OSError as error:
        raise SystemExit("%s cannot be reached: %s" % (page, getattr(error, "reason", error)))
    if data.lstrip().startswith(b"{"):
        files = json.loads(data)["files"]
    else:
        parser = Links()
        parser.feed(data.decode("utf-8", "replace"))
        files = parser.files
    return [{**file, "url": urllib.parse.urljoin(page, file["url"])} for file in files]


class Links(HTMLParser):
    """Files of an index that only answers with a page of links."""

    def __init__(self):
        super().__init__()
        self.files = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a" and attributes.get("href"):
            url, _, fragment = attributes["href"].partition("#")
            kind, _, value = fragment.partition("=")
            file = {"filename": urllib.parse.unquote(url.rpartition("/")[2]), "url": url, "hashes": {kind: value}}
            file.update({"requires-python": attributes.get("data-requires-python"), "yanked": "data-yanked" in attributes})
            self.files.append(file)


def choose(files, name, version, index):
    """The source distribution of this version, or of the newest release, or the newest before one, that fits this interpreter."""
    from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
    from pip._vendor.packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version.lstrip("<")) if version else None
    except InvalidVersion:
        raise SystemExit("`%s` is not a version; name one such as `1.2.3`" % version)
    found = []
    for file in files:
        match = re.fullmatch(r"(.+)-([^-]+?)\.(tar\.gz|zip)", file["filename"])
        if not match or normal(match[1]) != name:
            continue
        try:
            known = Version(match[2])
            fits = SpecifierSet(file.get("requires-python") or "").contains(platform.python_version(), prereleases=True)
        except (InvalidVersion, InvalidSpecifier):
            continue
        usual = fits and not known.is_prerelease and not file.get("yanked")
        is_before = not version or version.startswith("<") and known < wanted
        if known == wanted if version and not version.startswith("<") else usual and is_before:
            found.append((known, {**file, "version": str(known)}))
    if not found:
        what = "version %s of `%s`" % (version, name) if version else "`%s`" % name
        raise SystemExit("%s has no source distribution at %s; name another version or a directory" % (what, index))
    return max(found, key=lambda pair: pair[0])[1]


def check(data, wanted):
    expected = (wanted.get("hashes") or {}).get("sha256")
    if expected and hashlib.sha256(data).hexdigest() != expected:
        raise SystemExit("%s does not have the hash that the index states" % wanted["filename"])
    if len(data) > LONGEST_TREE:
        raise SystemExit("%s is longer than %d MiB" % (wanted["filename"], LONGEST_TREE >> 20))


def unpack(data, filename, directory):
    left, files = LONGEST_TREE, 0
    for name, size, read in members(data, filename):
        parts = name.split("/")[1:]
        if not parts or size > LONGEST_FILE or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
            continue
        left, files = left - size, files + 1
        if left < 0 or files > MOST_FILES:
            raise SystemExit("%s unpacks to more than %d MiB or %d files" % (filename, LONGEST_TREE >> 20, MOST_FILES))
        path = os.path.join(directory, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(read())


def members(data, filename):
    """Name, size and a reader of every regular file in the archive."""
    if filename.endswith(".zip"):
        archive = zipfile.ZipFile(io.BytesIO(data))
        for entry in archive.infolist():
            if not entry.is_dir():
                yield entry.filename, entry.file_size, lambda entry=entry: archive.read(entry)
    else:
        archive = tarfile.open(fileobj=io.BytesIO(data), mode="r:gz")
        for member in archive:
            if member.isfile():
                yield member.name, member.size, lambda member=member: archive.extractfile(member).read()


def last_line(text):
    return (text.strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise SystemExit("%s: %s" % (type(error).__name__, error))
