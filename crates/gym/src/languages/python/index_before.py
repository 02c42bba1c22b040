"""Runs `pip` with what its index had before a date.

    index_before.py <date> <arguments of pip>

`pip` cannot be told a date. It asks a server in this process instead, which asks the configured index and leaves out files that were
uploaded on the date or later. The files themselves come from where they always come from.
"""

import ast
import base64
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCEPT = "application/vnd.pypi.simple.v1+json"
LONGEST_PAGE = 256 << 20


def main():
    date, arguments = sys.argv[1], sys.argv[2:]
    config = pip_config()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(config, date))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # What the user adds to the index has no dates.
    environment = {**os.environ, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_NO_INDEX": ""}
    index = "http://127.0.0.1:%d/simple/" % server.server_address[1]
    command = [sys.executable, "-I", "-m", "pip", *arguments]
    command[5:5] = ["--index-url", index]
    raise SystemExit(subprocess.run(command, env=environment).returncode)


def pip_config():
    """What `pip config` knows, its environment variables included."""
    output = subprocess.run([sys.executable, "-I", "-m", "pip", "config", "list"], capture_output=True, text=True)
    if output.returncode:
        sys.stderr.write(output.stderr)
        raise SystemExit(output.returncode)
    config = {}
    for line in output.stdout.splitlines():
        key, _, value = line.partition("=")
        try:
            config[key.rpartition(".")[2]] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            config[key.rpartition(".")[2]] = value
    return config


def handler(config, date):
    index = config.get("index-url", "https://pypi.org/simple").rstrip("/")
    context = ssl.create_default_context(cafile=config.get("cert"))
    timeout = float(config.get("default-timeout", 60))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = urllib.parse.quote(urllib.parse.unquote(self.path.strip("/").rpartition("/")[2]), safe="")
            try:
                page = filtered(ask(index + "/" + name + "/", context, timeout), index + "/" + name + "/", date)
            except urllib.error.HTTPError as error:
                return self.send_error(error.code)
            except (OSError, ValueError) as error:
                sys.stderr.write("ERROR: %s: %s\n" % (index, error))
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Type", ACCEPT)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *arguments):
            pass

    return Handler


def ask(url, context, timeout):
    """A page of the index; a user name and password in the address are sent as such."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(url.replace(parts.netloc, parts.netloc.rpartition("@")[2]))
    request.add_header("Accept", ACCEPT)
    request.add_header("User-Agent", "basis")
    if parts.username:
        secret = urllib.parse.unquote(parts.username) + ":" + urllib.parse.unquote(parts.password or "")
        request.add_header("Authorization", "Basic " + base64.b64encode(secret.encode()).decode())
    with urllib.request.urlopen(request, timeout=timeout, context=context) as response:
        return json.loads(response.read(LONGEST_PAGE))


def filtered(page, address, date):
    files = page["files"]
    if any("upload-time" not in file for file in files):
        raise ValueError("it does not say when files were uploaded; versions of a date cannot be chosen")
    own = urllib.parse.urlsplit(address)
    kept = [file for file in files if file["upload-time"][:10] < date]
    for file in kept:
        url = urllib.parse.urlsplit(urllib.parse.urljoin(address, file["url"]))
        if url.hostname == own.hostname:
            url = url._replace(netloc=own.netloc)
        file["url"] = url.geturl()
    # `pip` looks no further than the files.
    return json.dumps({"meta": {"api-version": "1.0"}, "name": page["name"], "files": kept}).encode()


if __name__ == "__main__":
    main()
