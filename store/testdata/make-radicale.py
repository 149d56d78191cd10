#!/usr/bin/python3
"""Makes a storage folder as Radicale leaves it, and tells what it says of it.

usage: make-radicale.py FOLDER CACHE_VERSION [SECTION.OPTION=VALUE...]

Needs Debian's radicale, whose classes do the work; CACHE_VERSION is what another
version of it would put into its cache. "" is its own. Standard output has lines
"etag NAME TAG" and "token URI CHANGED-NAME...".
"""
import os
import shutil
import sys

import vobject
from radicale import config, storage
from radicale import item as radicale_item

folder, version, *options = sys.argv[1:]
if version:
    storage.CACHE_VERSION = version.encode()
configuration = config.load()
values = {"storage": {"filesystem_folder": folder}, "auth": {"type": "none"}}
for option in options:
    key, value = option.split("=")
    section, key = key.split(".")
    values.setdefault(section, {})[key] = value
configuration.update(values, "test", privileged=True)

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//hand//EN
BEGIN:VEVENT
SUMMARY:%s
UID:%s
DTSTAMP:20260101T000000Z
DTEND:20260301T110000Z
DTSTART:20260301T100000Z
END:VEVENT
END:VCALENDAR
"""
CARD = """BEGIN:VCARD
VERSION:3.0
FN:%s
UID:%s
N:;%s;;;
END:VCARD
"""


def item(text):
    return radicale_item.Item(collection_path="u", vobject_item=next(vobject.readComponents(text)))


def hand(path, text):
    with open(os.path.join(folder, "collection-root", path), "w", newline="") as f:
        f.write(text)


store = storage.load(configuration)
with store.acquire_lock("w", "u"):
    cal = store.create_collection("/u/cal/", props={"tag": "VCALENDAR", "D:displayname": "Büro", "ICAL:calendar-color": "#ff0000ff"})
    book = store.create_collection("/u/book/", props={"tag": "VADDRESSBOOK"})
    for name in ("kept", "changed", "gone"):
        cal.upload(name + ".ics", item(EVENT % (name, name)))
    book.upload("ada.vcf", item(CARD % ("Ada", "ada", "Ada")))
hand("u/cal/hand.ics", EVENT % ("by hand", "hand"))
hand("u/cal/edited.ics", EVENT % ("by hand", "edited"))
hand("u/cal/removed.ics", EVENT % ("by hand", "removed"))
hand("u/book/hand.vcf", CARD % ("Hand", "hand", "Hand"))
with store.acquire_lock("r", "u"):
    tokens = {c.path: c.sync()[0] for c in store.discover("/u/", "1") if c.path != "u"}
# What happened since: by Radicale, and behind its back.
with store.acquire_lock("w", "u"):
    cal = next(iter(store.discover("/u/cal/")))
    cal.upload("changed.ics", item(EVENT % ("changed", "changed")))
    cal.upload("changed.ics", item(EVENT % ("changed twice", "changed")))
    cal.upload("new.ics", item(EVENT % ("new", "new")))
    cal.delete("gone.ics")
hand("u/cal/edited.ics", EVENT % ("by hand once more", "edited"))
os.remove(os.path.join(folder, "collection-root/u/cal/removed.ics"))
# What it says is asked of a copy: answering writes.
copy = folder + ".asked"
shutil.copytree(folder, copy)
configuration.update({"storage": {"filesystem_folder": copy}}, "test")
asked = storage.load(configuration)
with asked.acquire_lock("r", "u"):
    for c in asked.discover("/u/", "1"):
        if c.path not in tokens:
            continue
        etags = {i.href: i.etag for i in c.get_all()}
        for name in sorted(etags):
            print("etag", c.path + "/" + name, etags[name])
        print("token", c.path, tokens[c.path], *sorted(c.sync(tokens[c.path])[1]))
shutil.rmtree(copy)
