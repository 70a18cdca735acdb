#!/usr/bin/env python3
"""Writes vectors.json: the formats of package keys, written a second time from
their description and not from the Go code, with the library "cryptography"
(45 or later). Run it as: python3 vectors.py > vectors.json"""
import base64, hashlib, hmac, json, struct
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def fixed(name, n=32):
    return hashlib.sha256(("sayso test vector: " + name).encode()).digest()[:n]


def parts(key, domain, *ps):
    h = hmac.new(key, digestmod=hashlib.sha256)
    for p in (domain, *ps):
        h.update(struct.pack(">Q", len(p)) + p)
    return h.hexdigest()


def hkdf(secret, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def public(seed):
    raw = serialization
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(raw.Encoding.Raw, raw.PublicFormat.Raw)


def thumbprint(pub):
    b64 = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode()
    jwk = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % b64(pub)
    return b64(hashlib.sha256(jwk.encode()).digest())


vault, subject = fixed("vault", 16), fixed("subject", 16)
BEGUN, TURNED = 1_700_000_000, 1_750_000_000
# role, epoch, since, until, secret or public key
ring = [
    (1, 2, TURNED, 0, fixed("kek 2")),  # the first KEK is gone
    (1, 3, TURNED, 0, fixed("kek 3")),
    (2, 1, BEGUN, 0, fixed("index 1")),
    (2, 2, TURNED, 0, fixed("index 2")),
    (3, 1, BEGUN, 0, fixed("log 1")),
    (4, 1, BEGUN, 0, fixed("token 1")),
    (5, 1, BEGUN, TURNED, public(fixed("evidence 1"))),
    (5, 2, TURNED, 0, fixed("evidence 2")),
    (6, 1, BEGUN, 0, fixed("ledger 1")),
    (7, 1, BEGUN, 0, fixed("client 1")),
    (8, 1, BEGUN, 0, fixed("places 1")),
]


def keyring(kind, t, m, p, root, salt, nonce):
    pre = b"sayso-keyring\n" + bytes([2, kind]) + struct.pack(">IIB", t, m, p) + salt
    head = pre + hkdf(root, salt, b"sayso/keyring/check" + pre)
    body = vault + b"".join(struct.pack(">BIqq", *k[:4]) + k[4] for k in ring)
    return head + nonce + AESGCM(hkdf(root, salt, b"sayso/keyring/body")).encrypt(nonce, body, head)


def after(nonce, n):
    return ((int.from_bytes(nonce, "big") + n) % (1 << 96)).to_bytes(12, "big")


def wrapped(kek, epoch, dek, nonce):
    head = bytes([2, 1]) + struct.pack(">I", epoch)
    data = b"sayso/wrapped-dek" + head + vault + subject
    one = lambda n, kind: AESGCM(kek).encrypt(after(nonce, n), dek, data + bytes([kind]))
    return (head + nonce + one(0, 1) + one(1, 2)).hex()


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def packed(dek, who, values):
    """Envelopes as a list: of each its field, version, plaintext and nonce."""
    out, before = bytes([2, 1]) + varint(len(values)), None
    for field, version, plain, nonce in values:
        data = b"sayso/envelope" + bytes([1, 1]) + vault + who + struct.pack(">Q", version) + field.encode()
        sealed = AESGCM(dek).encrypt(nonce, plain, data)
        follows = before is not None and after(before, 1) == nonce
        out += varint(2 * len(sealed)) if follows else varint(2 * len(sealed) + 1) + nonce
        out, before = out + sealed, nonce
    return {"subject": who.hex(), "list": out.hex(),
            "values": [{"field": f, "version": v, "plaintext": p.hex(), "nonce": n.hex()} for f, v, p, n in values]}


def run(nonce, values):
    return [(*v, after(nonce, n)) for n, v in enumerate(values)]


def place(block):
    """An ID and its place: of a block that one made here has, or of any other."""
    cipher = Cipher(algorithms.AES256(fixed("places 1")), modes.ECB()).encryptor()
    short = block[14:] == b"\0\0" and block[0] != 0
    return cipher.update(block).hex(), (block[:14] if short else b"\0" + block).hex()


def envelope(dek, who, field, version, plain, nonce):
    data = b"sayso/envelope" + bytes([1, 1]) + vault + who + struct.pack(">Q", version) + field.encode()
    return {"subject": who.hex(), "field": field, "version": version, "plaintext": plain.hex(),
            "envelope": (bytes([1, 1]) + nonce + AESGCM(dek).encrypt(nonce, plain, data)).hex()}


def kept(dek, before, field, version, plain):
    e = envelope(before, subject, field, version, plain, fixed("nonce i", 12))
    sealed = bytes.fromhex(e["envelope"])
    pad = bytes(a ^ b for a, b in zip(plain, sealed[14:-16], strict=True))
    line = struct.pack(">QH", version, len(field)) + field.encode() + hashlib.sha256(sealed).digest()[:16] + struct.pack(">I", len(pad)) + pad
    return e | {"list": envelope(dek, subject, "kept", 0, b"\x01" + line, fixed("nonce j", 12))["envelope"]}


password = b"correct horse battery staple"
salts = fixed("salt of key file"), fixed("salt of passphrase")
stretched = Argon2id(salt=salts[1], length=32, iterations=3, lanes=4, memory_cost=64 << 10).derive(password)
dek = fixed("dek")
message = b"sayso"
print(json.dumps({
    "vault": vault.hex(),
    "keyring": {
        "key_file": fixed("key file").hex(),
        "under_key_file": keyring(2, 0, 0, 0, fixed("key file"), salts[0], fixed("nonce a", 12)).hex(),
        "passphrase": password.decode(),
        "under_passphrase": keyring(1, 3, 64 << 10, 4, stretched, salts[1], fixed("nonce b", 12)).hex(),
    },
    "subject": subject.hex(),
    "dek": dek.hex(),
    "wrapped": {
        "epoch_3": wrapped(fixed("kek 3"), 3, dek, fixed("nonce c", 12)),
        "epoch_2": wrapped(fixed("kek 2"), 2, dek, b"\xff" * 12),
        "epoch_1": wrapped(fixed("kek 1"), 1, dek, fixed("nonce e", 12)),
    },
    "envelopes": [
        envelope(dek, subject, "value/email", 1, b'"someone@example.org"', fixed("nonce f", 12)),
        envelope(dek, subject, "standing", (1 << 64) - 1, b"", fixed("nonce g", 12)),
        envelope(dek, bytes(16), "governance", 7, bytes(range(256)), fixed("nonce h", 12)),
    ],
    "kept": kept(dek, fixed("dek before"), "value/address", 7, b'{"street_address":"Lindenweg 7"}'),
    "lists": [
        packed(dek, subject, []),
        packed(dek, subject, run(fixed("nonce k", 12), [("value/email", 1, b'"someone@example.org"'), ("value/note", 3, bytes(300)), ("value/empty", 2, b"")])),
        packed(dek, subject, run(b"\0\0\0\7" + b"\xff" * 7 + b"\xfe", [("value/a", 1, b"1"), ("value/b", 1, b"2"), ("value/c", 1, b"3")])),
        packed(dek, subject, run(b"\xff" * 12, [("value/a", 1, b"1"), ("value/b", 1, b"2")])),
        packed(dek, subject, run(fixed("nonce l", 12), [("value/a", 1, b"1"), ("value/b", 1, b"2")])[:1]
               + run(fixed("nonce m", 12), [("value/b", 2, b"3"), ("value/c", 1, b"4")])
               + run(fixed("nonce l", 12), [("value/a", 1, b"1"), ("value/b", 1, b"2"), ("value/d", 1, b"5")])[2:]),
    ],
    "places": dict(map(place, [
        bytes.fromhex("01a0b1c2d3e4") + fixed("place a", 8) + bytes(2),
        bytes.fromhex("00a0b1c2d3e4") + fixed("place b", 8) + bytes(2),
        fixed("place c", 16),
        bytes(16),
    ])),
    "hashes": {
        "blind_index_email_epoch_1": parts(fixed("index 1"), b"sayso/blind-index/1", b"email", b"someone@example.org"),
        "blind_index_email_epoch_2": parts(fixed("index 2"), b"sayso/blind-index/1", b"email", b"someone@example.org"),
        "mac_ledger_subject": parts(fixed("ledger 1"), b"sayso/mac/1", b"ledger", subject),
        "mac_ledger_nothing": parts(fixed("ledger 1"), b"sayso/mac/1", b"ledger"),
        "secret_web_hunter2": parts(fixed("client 1"), b"sayso/client-secret/1", b"web", b"hunter2"),
    },
    "signatures": {
        name: {"id": thumbprint(public(seed)), "public": public(seed).hex(),
               "sayso": Ed25519PrivateKey.from_private_bytes(seed).sign(message).hex()}
        for name, seed in [("log", fixed("log 1")), ("token", fixed("token 1")),
                           ("evidence", fixed("evidence 2")), ("evidence_retired", fixed("evidence 1"))]
    },
}, indent=1))
