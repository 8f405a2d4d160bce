"""What it costs to know a caller: medians of `Access.admit` for a key, a wrong key and tokens.

    python benchmarks/access.py [--keys 1000]

One thread, a store of so many keys in a temporary folder, a new token for each call (a used one is refused early).
The clock runs, so that every half second one of the calls looks at the store.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.access.access import Access
from service.access.grant import Grant
from service.access.key_store import add
from service.access.scope import Scope
from service.access.settings import AccessSettings
from service.problem import Unanswered

PREDICT: frozenset[Scope] = frozenset({"predict"})
RSA, EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())


def main(keys: int) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), keys) as (access, free, bounded):
        wrong_secret, wrong_id = free[:-4] + "AAAA", f"{free[:9]}{int(free[9:17], 16) ^ 1:08x}{free[17:]}"
        tell("key", access, cycle([free]), 20_000)
        tell("key with a rate", access, cycle([bounded]), 20_000)
        tell("key, wrong secret", access, cycle([wrong_secret]), 20_000)
        tell("key, unknown id", access, cycle([wrong_id]), 20_000)
        tell("nothing that is a credential", access, cycle(["%"]), 20_000)
        for name, private, kid in (("RS384, 2048 bits", RSA, "r"), ("ES384", EC, "e")):
            tokens = [token(private, kid, number) for number in range(500)]
            tell(f"token, {name}", access, iter(tokens), len(tokens))
            tell(f"token, {name}, used before", access, iter(tokens), len(tokens))
            forged = [text[:-8] + "AAAAAAAA" for text in tokens]
            tell(f"token, {name}, forged", access, iter(forged), len(forged))


@contextmanager
def opened(folder: Path, keys: int) -> Iterator[tuple[Access, str, str]]:
    for _ in range(keys - 2):
        add(folder / "keys", Grant("caller", PREDICT), time.time())
    free = add(folder / "keys", Grant("caller", PREDICT), time.time())[0]
    bounded = add(folder / "keys", Grant("caller", PREDICT, per_minute=1_000_000), time.time())[0]
    public = [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "r"}]
    public += [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key())) | {"kid": "e"}]
    for key in public:
        key.pop("key_ops", None)
    (folder / "jwks").write_text(json.dumps({"keys": public}), "utf-8")
    settings = AccessSettings("keys+bearer", folder / "keys", str(folder / "jwks"), ("issuer",), ("tregcast",))
    access = Access(settings)
    time.sleep(0.5)  # for the thread that reads the issuer's keys
    try:
        yield access, free, bounded
    finally:
        access.close()


def token(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str, number: int) -> str:
    now = int(time.time())
    claims = {"iss": "issuer", "aud": "tregcast", "sub": "ward", "iat": now, "exp": now + 300}
    claims |= {"jti": f"{kid}{number}", "scope": "tregcast.predict"}
    return jwt.encode(claims, private, "RS384" if kid == "r" else "ES384", {"kid": kid})


def tell(name: str, access: Access, credentials: Iterator[str], calls: int) -> None:
    times, outcomes = [], set[str]()
    call: Callable[[bytes], object] = lambda header: access.admit(header, "predict", time.time())  # noqa: E731
    for _ in range(calls):
        header = b"Bearer " + next(credentials).encode()
        started = perf_counter()
        try:
            call(header)
            outcomes.add("admitted")
        except Unanswered as error:
            outcomes.add(str(error.document.status))
        times.append(perf_counter() - started)
    times.sort()
    shown = f"median {median(times) * 1e6:8.1f} us   99 % {times[len(times) * 99 // 100] * 1e6:8.1f} us"
    print(f"{name:34s} {shown}   worst {times[-1] * 1e6:9.1f} us   {', '.join(sorted(outcomes))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000)
    main(max(2, parser.parse_args().keys))
