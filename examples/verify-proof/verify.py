"""Verify what `stemma audit prove`, `consistency` and `export` wrote, without Stemma.

It needs the file and the home's public key, as `stemma audit checkpoint` prints it and as you noted it when you could
trust it: `stemma/<home>+<key id>+<base64>`. The formats are RFC 6962 (leaves, nodes, paths), RFC 9162 (consistency),
C2SP signed notes over checkpoints, and Ed25519.

Exit codes: 0 all of it is proved, 1 it is not, 2 it can't be read.
"""

import argparse
import base64
import binascii
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
HEAD_KEY = 1  # the type byte of keys that sign heads
HASH_BYTES = 32


class NotProved(Exception):
    """What the file says does not follow from what was signed."""


class Unreadable(Exception):
    """The file or the key is not what it should be."""


# --- hashes (RFC 6962 section 2.1) ---


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = hashlib.sha256(b"").digest()


class Tree:
    """The root of leaves that are added one by one."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        index, node = self.size, leaf
        while index & 1:
            node = node_hash(self.peaks.pop(), node)
            index >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node_hash(left, root)
        return root


def is_included(leaf: bytes, index: int, size: int, root: bytes, path: list[bytes]) -> bool:
    """RFC 9162 section 2.1.3.2; leaves count from 0."""
    if not 0 <= index < size:
        return False
    node, last, top = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            top = node_hash(sibling, top)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            top = node_hash(top, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and top == root


def is_beginning(first: int, first_root: bytes, second: int, second_root: bytes, path: list[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2."""
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if first >= second:
        return first == second and not path and first_root == second_root
    path = list(path)
    # a beginning that is one complete subtree is known, and not sent
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first_hash = second_hash = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first_hash = node_hash(sibling, first_hash)
            second_hash = node_hash(sibling, second_hash)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second_hash = node_hash(second_hash, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first_hash == first_root and second_hash == second_root


# --- keys and signed heads ---


class Key:
    """A verifier key: `name+key id+base64 of the type byte and 32 bytes`."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        parts = self.text.split("+", 2)
        if len(parts) != 3:
            raise Unreadable("the key is not of the form `stemma/<home>+<key id>+<base64>`")
        self.name, key_id, encoded = parts
        known = from_base64(encoded, "the key")
        if len(known) != 1 + HASH_BYTES or known[0] != HEAD_KEY:
            raise Unreadable("the key is not one that signs heads")
        self.id = hashlib.sha256(self.name.encode() + b"\n" + known).digest()[:4]
        if self.id.hex() != key_id:
            raise Unreadable("the key's id is not that of its bytes: it was not copied whole")
        self.public = Ed25519PublicKey.from_public_bytes(known[1:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.text == other.text

    def has_signed(self, signature: bytes, message: bytes) -> bool:
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def trusted_signer(trusted: Key, head: dict) -> Key:
    """The key that signed the head, if it is the trusted one or one that this has named, step by step."""
    key = trusted
    signer = Key(member(head, "key", str))
    for step in member(head, "successions", list, optional=True) or []:
        if key == signer:
            break
        before, after = Key(member(step, "from", str)), Key(member(step, "to", str))
        if before == key:
            message = f"stemma key succession v1\n{before.text}\n{after.text}\n".encode()
            signature = from_base64(member(step, "signature", str), "a key succession")
            if before.name != after.name or not before.has_signed(signature, message):
                raise NotProved("a key names the next one with a wrong signature")
            key = after
    if key != signer:
        raise NotProved(f"the head is signed by {signer.text}, which the key that you trust has not named")
    return key


def open_head(trusted: Key, head: dict) -> tuple[int, bytes]:
    """Size and root of a signed head (C2SP tlog-checkpoint in a signed note)."""
    key = trusted_signer(trusted, head)
    note = member(head, "note", str)
    text, found, signatures = note.rpartition("\n\n")
    if not found:
        raise Unreadable("the head is not a signed note")
    text += "\n"
    lines = text.split("\n")
    if len(lines) != 4 or lines[0] != key.name or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:
        raise NotProved("the signed text is not a head of this home")
    signed = False
    for line in signatures.splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[0] == "\u2014" and words[1] == key.name:
            data = from_base64(words[2], "a signature")
            signed = signed or (data[:4] == key.id and key.has_signed(data[4:], text.encode()))
    if not signed:
        raise NotProved("the head is not signed by this key")
    return int(lines[1]), as_hash(lines[2])


# --- events ---


def checked_leaf(event: dict) -> tuple[int, bytes, dict]:
    """Number and leaf hash of an event, if all that stands beside its leaf is what the leaf says."""
    seq, leaf = member(event, "seq", int), member(event, "leaf", str)
    said = parse(leaf)
    if said.get("seq") != seq:
        raise NotProved(f"the leaf of event {seq} is that of event {said.get('seq')}")
    salt, body = member(event, "salt", str, optional=True), member(event, "body", str, optional=True)
    if (salt is None) != (body is None):
        raise NotProved(f"event {seq} has a body without its salt, or a salt without its body")
    if body is not None:
        digest = hashlib.sha256(from_base64(salt, "a salt") + body.encode()).digest()
        if base64.b64encode(digest).decode() != said.get("commitment"):
            raise NotProved(f"the body of event {seq} is not the one that its leaf commits to")
        if parse(body).get("type") != said.get("kind"):
            raise NotProved(f"the body of event {seq} is of another kind than its leaf says")
    return seq, leaf_hash(leaf.encode()), said


def check_path(event: dict, size: int, root: bytes) -> dict:
    seq, leaf, said = checked_leaf(event)
    path = [as_hash(text) for text in member(event, "path", list)]
    if not is_included(leaf, seq - 1, size, root, path):
        raise NotProved(f"event {seq} is not in the history that was signed")
    return said


def described(said: dict) -> str:
    who = said.get("actor", {}).get("principal")
    return f"event {said.get('seq')}: {said.get('kind')} {said.get('subject')} by {who}"


# --- documents ---


def verify_inclusion(document: dict, trusted: Key) -> str:
    size, root = open_head(trusted, member(document, "head", dict))
    said = check_path(member(document, "event", dict), size, root)
    return f"{described(said)}; it is one of the {size} events that were signed"


def verify_consistency(document: dict, trusted: Key) -> str:
    size, root = open_head(trusted, member(document, "head", dict))
    trees = []
    for name in ("first", "second"):
        tree = member(document, name, dict)
        trees.append((member(tree, "size", int), as_hash(member(tree, "root", str))))
    (first, first_root), (second, second_root) = trees
    path = [as_hash(text) for text in member(document, "path", list)]
    if not is_beginning(first, first_root, second, second_root, path):
        raise NotProved(f"the history of {first} events is not a beginning of that of {second}")
    path = [as_hash(text) for text in member(document, "path_to_head", list)]
    if not is_beginning(second, second_root, size, root, path):
        raise NotProved(f"the history of {second} events is not a beginning of the {size} that were signed")
    noted = base64.b64encode(first_root).decode()
    return f"the first {first} events (root {noted}) are a beginning of {second}, and these of the {size} that were signed"


def verify_export(header: dict, lines, trusted: Key) -> str:
    size, root = open_head(trusted, member(header, "head", dict))
    whole = member(header, "whole", bool)
    tree, count, last, end = Tree(), 0, 0, None
    for line in lines:
        if end is not None:
            raise NotProved("something stands behind the last line")
        entry = parse(line)
        if "end" in entry:
            end = member(entry, "end", int)
            continue
        seq = member(entry, "seq", int)
        if seq <= last:
            raise NotProved(f"event {seq} comes after event {last}")
        last, count = seq, count + 1
        if whole:
            if seq != count:
                raise NotProved(f"event {count} is missing")
            tree.add(checked_leaf(entry)[1])
        else:
            check_path(entry, size, root)
    if end is None or end != count:
        raise NotProved(f"the file has {count} events and says {end}: it was cut")
    if not whole:
        return f"{count} of the {size} events that were signed; that no other should be here is not proved"
    if tree.size != size or tree.root() != root:
        raise NotProved(f"the {count} events have another root than the {size} that were signed")
    return f"all {count} events that were signed"


# --- reading ---


def parse(text: str) -> dict:
    def once(pairs: list) -> dict:
        names = [name for name, _ in pairs]
        if len(names) != len(set(names)):
            raise Unreadable("a member stands twice in one object")
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return value


def member(of: dict, name: str, kind: type, optional: bool = False):
    value = of.get(name) if isinstance(of, dict) else None
    if value is None and optional:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Unreadable(f"`{name}` is not there, or is no {kind.__name__}")
    return value


def from_base64(text: str, what: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(f"{what} is no base64") from error
    # one text for each value: nothing may be written in two ways
    if base64.b64encode(decoded).decode() != text:
        raise Unreadable(f"{what} is no canonical base64")
    return decoded


def as_hash(text) -> bytes:
    decoded = from_base64(text, "a hash") if isinstance(text, str) else b""
    if len(decoded) != HASH_BYTES:
        raise Unreadable("a hash has not 32 bytes")
    return decoded


def verify(path: str, trusted: Key) -> str:
    with open(path, encoding="utf-8", newline="\n") as file:
        first = file.readline()
        try:
            document, lines = parse(first), file
        except Unreadable:
            # a proof alone is written over many lines
            document, lines = parse(first + file.read()), None
        if document.get("v") != VERSION:
            raise Unreadable(f"its version is {document.get('v')}, this program knows version {VERSION}")
        kind = document.get("document")
        if kind == "stemma-export" and lines is not None:
            return verify_export(document, lines, trusted)
        if kind == "stemma-inclusion-proof":
            return verify_inclusion(document, trusted)
        if kind == "stemma-consistency-proof":
            return verify_consistency(document, trusted)
        raise Unreadable("it is no proof or export of Stemma")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", help="what `stemma audit prove`, `consistency` or `export` wrote")
    parser.add_argument("--key", required=True, help="the home's public key, or a file that holds it")
    arguments = parser.parse_args()
    try:
        text = arguments.key
        if "+" not in text:
            with open(text, encoding="utf-8") as file:
                text = file.read()
        proved = verify(arguments.file, Key(text))
    except NotProved as error:
        print(f"NOT PROVED: {error}")
        return 1
    except (Unreadable, OSError, UnicodeDecodeError) as error:
        print(f"can't be verified: {error}", file=sys.stderr)
        return 2
    print(f"proved: {proved}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
