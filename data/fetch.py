"""Fetch a file and keep it only if its SHA-256 is the expected one: fetch.py URL SHA256 PATH."""

import hashlib
import sys
import urllib.request
from pathlib import Path

URL, SHA256, PATH = sys.argv[1:]

try:
    with urllib.request.urlopen(URL, timeout=30) as response:
        data = response.read()
except OSError as error:
    sys.exit(f"{PATH}: could not be fetched from {URL} ({error}); is there a network connection?")

found = hashlib.sha256(data).hexdigest()
if found != SHA256:
    sys.exit(f"{PATH}: what {URL} sent has the SHA-256 {found}, not {SHA256}; nothing was kept")

Path(PATH).write_bytes(data)
print(f"{PATH}: {len(data):,} bytes, SHA-256 as expected")
