"""Keys that say themselves what they are, and code that says it of what it assigns."""

from __future__ import annotations

import re

import pytest

from toolkit.masking import HIDDEN, MaskingPolicy

POLICY = MaskingPolicy()
TEXT_TRIGGER = re.compile(POLICY.text_trigger or "", re.IGNORECASE)

# How the keys of services begin, and what follows: so many letters and digits, digits of base 16, capitals, or
# small letters.
LISTED = """
ABSK:a100 ATATT3xFfG:a180 ATCTT3xFfG:a170 ATBB:a32 AKCp:a69 cmVmdGtu:a56 EAAC:a120 EAAA:a60 SK:h32 sq0atp-:a22
sq0csp-:a43 dapi:h32 dp.pt.:a43 dt0c01.:u24.u64 eyJrIjoi:a80 v1.0-:h24-h146 ops_eyJ:a250 A3-:u6-u30 pat:a14.h64
pat-na1-:h8-h4-h4-h4-h12 oy2:l43 cio:a32 secret_:a43 API-:u26 sk_:h48 access-sandbox-:h8-h4-h4-h4-h12
access_token$production$:h16$h32 sqp_:h40 LTAI:a20 AKID:a32 AQVN:a38 CCIPAT_:a22_h40 CFPAT-:a43 CLOJARS_:h60 EZAK:a54
HRKU-:a60 NRAK-:u27 NRIQ-:a32 NRJS-:h19 PMAK-:h24-h34 aio_:a28 api_org_:a34 bkua_:h40 ddp_:a36 dckr_oat_:a32
duffel_live_:a43 figd_:a40 fio-u-:a64 fm1a_:a100 fo1_:a43 glc_:a60 ico-:a32 lin_oauth_:a60 lsv2_pt_:h32_h10 napi_:a64
nfp_:a36 ntn_:a46 os_v2_app_:a60 p8e-:a32 pcsk_:a60 pnu_:a36 pplx-:a48 pscale_tkn_:a43 pul-:h40 r8_:a37 rdme_:h70
rnd_:a28 s-s4t2ud-:h64 samsara_api_:a28 sb_secret_:a31 sbp_:h40 sgp_:h16_h40 sha256~:a43 shippo_live_:h40
sk-lf-:h8-h4-h4
sm_pat_:a16 sntrys_eyJ:a90 sntryu_:h64 snyk_uat.:h8.a80 tfp_:a59 tk-us-:a48 tskey-auth-:a16-a32 vcp_:a24
xkeysib-:h64-a16 :a3.8Q~:a34 :a14.atlasv1.:a64
"""
SERVICES = [service for line in LISTED.splitlines() for service in line.split()]
ALPHABETS = {
    "a": "FAKE0123456789abcdefGHIJ",
    "h": "fa1e0123456789abcdef",
    "u": "FAKE0123456789ABCDEF",
    "l": "fa1e0123456789xyz",
}


def key_of(service: str) -> str:
    """Write a key as a service would, of letters that nobody drew."""
    begins, _, rest = service.rpartition(":")
    if begins.startswith(":"):
        begins = begins[1:].replace("a14.", ALPHABETS["a"][:14] + ".").replace("a3.8Q~", "abc8Q~")
    form = re.sub(r"([ahul])([0-9]+)", lambda found: (ALPHABETS[found[1]] * 20)[: int(found[2])], rest)
    return begins + form


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "sentence", ["failed for {} today", "{}", "a\\n{}", '{{"note": "x {}"}}', "url=https://x.test/{}"]
)
def test_the_key_of_a_service_is_hidden_wherever_it_stands(service: str, sentence: str) -> None:
    key = key_of(service)
    text = sentence.format(key)
    masked = POLICY.mask_text(text)
    assert HIDDEN in masked
    assert key[-16:] not in masked
    assert TEXT_TRIGGER.search(text)
    assert POLICY.mask_text(masked) == masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('password = """FAKE0001"""', f'password = """{HIDDEN}"""'),
        ("password = r'''\n  FAKE0001\n'''", f"password = r'''\n  {HIDDEN}\n'''"),
        ('password: str = "FAKE0001"', f'password: str = "{HIDDEN}"'),
        ('password = """FAKE0001', f'password = """{HIDDEN}'),
        ('password = """${DB_PASSWORD}"""', 'password = """${DB_PASSWORD}"""'),
    ],
)
def test_code_is_read_past_its_types_and_in_threefold_quotes(text: str, shown: str) -> None:
    assert POLICY.mask_text(text) == shown
    assert POLICY.mask_text(shown) == shown


@pytest.mark.parametrize(
    ("name", "value", "hides"),
    [
        ("tokens_found", 3, False),
        ("secrets_detected", 2, False),
        ("secrets_found", "FAKE-n0t-real", True),
        ("secret_scanned", True, False),
    ],
)
def test_what_was_found_is_counted(name: str, value: object, *, hides: bool) -> None:
    assert POLICY.hides(name, value) is hides
