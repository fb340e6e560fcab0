"""What is hidden in a text goes alone, and a text that only speaks of secrets stays as it is."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import DataWarning, InvalidOption, InvalidPattern
from toolkit.masking import HIDDEN, MaskingPolicy, structure, texts, tokens
from toolkit.masking.values import value_at

POLICY = MaskingPolicy()
FAKE = "FAKE0001"
TEXT_TRIGGER = re.compile(POLICY.text_trigger or "", re.IGNORECASE)
TRIGGER = re.compile(POLICY.trigger or "", re.IGNORECASE)


def lines(text: str) -> list[str]:
    # Strings shaped like those of a provider are written with a sign within.
    return [
        line.replace("§", "").replace("↵", "\n").replace("⇥", "\t").replace("¤", chr(0xFF1A))
        for line in text.strip().splitlines()
    ]


NAMED = lines(r"""
login failed: password=FAKE0001 host=db port=5432
password = FAKE0001
password⇥=⇥FAKE0001
password: str = "FAKE0001"
password: str | None = 'FAKE0001'
token: Final[str] = 'FAKE0001'
let token: &str = "FAKE0001";
token: FAKE0001 url="x"
Password: FAKE0001
password:FAKE0001
"password": "FAKE0001"
'password': 'FAKE0001',
{'user': 'bob', 'password': 'FAKE0001'}
User(name='bob', password='FAKE0001', id=3)
Server=db;Uid=app;Pwd=FAKE0001;Port=5432
AccountName=x;AccountKey=FAKE0001FAKE==;EndpointSuffix=example.net
db_password=FAKE0001, host=db
(password=FAKE0001)
error at token=FAKE0001.
msg="x" token="FAKE0001" level=info
API key = FAKE0001
secret access key: FAKE0001
password => 'FAKE0001'
password := "FAKE0001"
config["password"] = "FAKE0001"
os.environ['DB_PASSWORD'] = 'FAKE0001'
data[password]=FAKE0001
  password: FAKEwithoutdigits
- secret_key: 'FAKE0001'
export API_TOKEN="FAKE0001"
$env:API_KEY = "FAKE0001"
PGPASSWORD=FAKE0001 psql -h db.example.com
-Djavax.net.ssl.keyStorePassword=FAKE0001
//registry.example.org/:_authToken=FAKE0001
passphrase: 'FAKE with some spaces'
password=FAKE,0001
password=FAKE;0001
password=FAKE&0001
password=FAKE"0001
password=FAKE)0001
password=@FAKE0001
password=!FAKE0001
password=$FAKE0001x
Pwd={FAKE0001};Port=1
redirect=https%3A%2F%2Fexample.com%3Ftoken%3DFAKE0001%26page%3D2
passwort=FAKE0001
пароль: FAKE0001
密码¤FAKE0001
secrets={"a": "FAKE0001", "b": ["FAKE0002"]}
tokens: ["FAKE0001", "FAKE0002"]
bad payload {"api_key": "FAKE0001", "n": 1}
request body {"name": "DB_PASSWORD", "value": "FAKE0001"} failed
{\"api_key\": \"FAKE0001\"}
<password>FAKE0001</password>
<add key="ApiKey" value="FAKE0001"/>
<server password="FAKE0001"/>
ALTER ROLE bob WITH PASSWORD 'FAKE0001'
machine example.com login bob password FAKE0001
Key (api_token)=(FAKE0001) already exists.
Key (api_token, email)=(FAKE0001, bob@example.com) already exists.
Key (email, api_token)=(bob@example.com, FAKE0001) already exists.
Key (lower(api_token::text))=(FAKE (0001)) already exists.
""")

HEADERS = lines(r"""
401 for header 'Authorization: Bearer FAKE0001FAKE0001' after 3 tries
Authorization: FAKE0001
Authorization: token FAKE0001
Authorization: Digest username="FAKE", response="FAKE0001"
"Authorization": "Bearer FAKE0001"
Proxy-Authorization: Basic FAKE0001
Cookie: sid=FAKE0001; theme=FAKE2
Set-Cookie: session=FAKE0001; Path=/; HttpOnly
X-Api-Key: FAKE0001
sent Bearer FAKE0001FAKE0001 to the host
""")

COMMANDS = lines(r"""
mysql --password=FAKE0001 -h db
deploy --token FAKE0001 --env prod
--password "FAKE 0001"
java -password FAKE0001
['run', '--token', 'FAKE0001']
curl -u bob:FAKE0001 https://example.com
curl -sS -u 'bob:FAKE 0001' https://example.com
curl -H "X-Api-Key: FAKE0001" https://example.com
mysql -u root -pFAKE0001 app
sshpass -p FAKE0001 ssh host
docker login -u bob -p FAKE0001 registry.example.com
redis-cli -h cache -a FAKE0001 ping
""")

ADDRESSES = lines(r"""
postgresql://app:FAKE0001@db.example.com:5432/app
postgresql://app:FA/KE0001@db.example.com/app
mongodb+srv://app:FAKE%400001@cluster.example.net/app
redis://:FAKE0001@cache.example.com is down
redis://:FAKE1@one.example.com,redis://:FAKE2@two.example.com
https:\/\/bob:FAKE0001@example.com\/x
https://FAKE0001FAKE0001FAKE:x-oauth-basic@git.example.com/o/r.git
https://FAKE0001:@api.example.com/v1
https://FAKE0001FAKE0001FAKE@git.example.com/o/r.git
https://api.example.com/v1?access_token=FAKE0001&page=2
https://example.com/back#id_token=FAKE0001&state=x
https://files.example.net/c?sv=2020&sig=FAKE0001&se=2027
postgresql://db.example.com/app?user=app&password=FAKE0001
jdbc:oracle:thin:scott/FAKE0001@db.example.com:1521:x
https://hooks.sl§ack.com/services/T000/B000/FAKE0001
""")

SHAPES = lines(r"""
uses AK§IAFAKEFAKEFAKEFAKE in eu-west-1
AS§IAFAKEFAKEFAKEFAKE
gh§s_FAKEfakeFAKEfakeFAKEfakeFAKEfake0000
gi§thub_pat_FAKE00FAKE00FAKE00FAKE00_FAKE00FAKE00
gl§pat-FAKEFAKEFAKEFAKEFAKE
xo§xb-000000000000-0000000000000-FAKEfakeFAKEfakeFAKEfake
sk§_test_FAKEfakeFAKEfakeFAKEfake
AI§zaFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAK
sk§-ant-api03-FAKEfakeFAKEfakeFAKEfake
sk§-FAKEfakeFAKEfakeFAKEfake
ey§JGQUtFIjoiRkFLRSJ9.ey§JGQUtFIjoiRkFLRSJ9.FAKEfakeFAKEfakeFAKE
ey§JGQUtFIjoiRkFLRSJ9.ey§JGQUtFIjoiRkFLRSJ9
np§m_FAKEfakeFAKEfakeFAKEfakeFAKEfake0000
hv§s.FAKEfakeFAKEfakeFAKEfake
line\ngh§p_FAKEfakeFAKEfakeFAKEfakeFAKEfake0000
""")

BODY = "↵".join(["FAKE" * 16] * 3)
KEYS = [
    text.replace("↵", "\n").replace("§", "")
    for text in (
        f"--§---BEGIN PRIVATE KEY-----↵{BODY}↵FAKE==↵--§---END PRIVATE KEY-----↵and more",
        f"--§---BEGIN RSA PRIVATE KEY-----↵Proc-Type: 4,ENCRYPTED↵DEK-Info: AES-128-CBC,FAKE↵↵{BODY}",
        f"key: --§---BEGIN EC PRIVATE KEY-----↵{BODY}↵FAKE",
        "--§---BEGIN OPENSSH PRIVATE KEY-----\\nFAKEFAKEFAKE\\n--§---END OPENSSH PRIVATE KEY-----",
        "--§---BEGIN PRIVATE KEY----- " + "FAKE" * 12,
        f"{BODY}↵FAKE==↵--§---END PRIVATE KEY-----↵and more",
        "--§---BEGIN PGP PRIVATE KEY BLOCK-----↵Version: FAKE↵↵FAKEFAKE↵=FAKE↵--§---END PGP PRIVATE KEY BLOCK-----",
    )
]

BLOCKS = [
    "deploy:\n  password:\n    secure: FAKE0001\n  on: main",
    "secrets =\n    FAKEone\n    FAKEtwo\n\n[next]",
    "private_key: |\n  FAKE0001\n  FAKE0002\nn: 1",
    "token: !!binary FAKE0001==",
]

SECRET = [*BLOCKS, *NAMED, *HEADERS, *COMMANDS, *ADDRESSES, *SHAPES, *KEYS]

HARMLESS = lines(r"""
token_count: 5
key: value
the key: value pairs of a table
monkey = banana
author=Jane Roe
sort_key=created_at, cache_key=stats:email:v1
Foreign key: customer_id1
prompt_tokens=812 total_tokens=9120 max_tokens=4096
pass=12 fail=0 skip=3
PASS: tests/test_login.sh
tests/test_auth.py::test_wrong_password FAILED
Unexpected token: }
Unexpected token '<', "<!DOCTYPE "... is not valid JSON
Invalid token: expected identifier
KeyError: 'api_token'
login() missing 1 required positional argument: 'password'
Missing required variable: api_token
password authentication failed for user "app"
Please enter your password: then press enter
Your password expires in 5 days
reset the password for the user
Session: Introduction to 3D
Secret: Santa
Auth: Basic
PIN: see above
password: !secret app_password
connection string: see the wiki
credentials: missing
the --token option is required
use the -password flag with care
docker run -p 8080:80 app
mysql -h db -P 3306 -u app app_db
curl -u bob https://example.com
curl https://example.com -o out.html
Bearer authentication is required
basic understanding of tokens
Authorization header missing
WWW-Authenticate: Basic realm="x"
password=${DB_PASSWORD} user=app
password=$DB_PASSWORD
api_token={{ secrets.api_token }}
password=**** host=db
password=<your password>
token=None api_key=null is_secret=false has_password=True
token = get_token()
password = self.password
secret = os.environ["APP_SECRET"]
def login(user, password: str, token: Optional[str] = None):
password: SecretStr
token_expires_at=2026-12-01T00:00:00Z
auth_url=https://login.example.com/authorize
secret_name=prod/db/main credential_id=cred-17
--key-file /etc/ssl/key.pem
?page=2&next_page_token=CAUQAA
PWD=/home/user/project OLDPWD=/home/user
Key (email)=(bob@example.com) already exists.
<author>Jane Roe</author> <key>name</key>
https://example.com/docs?page=2#auth
https://example.com:8080/a@b
ssh://git@git.example.com/org/repo.git
https://bob@example.com/path
git@git.example.com:org/repo.git
arn:aws:secretsmanager:eu-west-1:000000000000:secret:prod/db-AbCdEf
da39a3ee5e6b4b0d3255bfef95601890afd80709
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
request 3f2504e0-4f89-41d3-9a0c-0305e82c3301 took 12 ms
data:image/png;base64,aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=
task-abcdefghijklmnopqrstuvwxyz1234567890
risk-assessment-of-the-Annual-Report-2026
eyJ2IjoiMiJ9
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
shipping: ground1
password: str = ""
token: str | None = None
sk-learn-estimators-are-fine-by-me-2026-01
pulumi pul-request-2026-01-02-merge
r8_and_more_things_2026_01_02 and rnd_number_generator_2026_seed
aio_http_client_session_2026_closed
tfp_distributions_normal_2026 of nfp_report_2026_01_02_final_version
ddp_training_on_8_gpus_2026_run
API-DOCUMENTATION-OF-2026
access-control-list-of-production-2026
pat-terns.and-more-2026-01-02
secret_manager_client_of_the_project_2026
scores of SK12345678 in stock
bad payload {"subject": "x", "n": 1.10}
{"token_count": 5, "key": "email_001"}
❤️ Zürich, straße, naïve café 👩‍💻
""")

PROSE = lines("""
Two boxes short, please call bob@example.com
see https://www.example.com/orders/17?page=2 for 123456789012345678 of them
2026-11-16T02:00:00Z email_0000017 3f2504e0-4f89-41d3-9a0c-0305e82c3301
The secretary passed the author a keyboard; he said "no".
Zürich, straße, naïve café … 100 €
日本語のテキストと結果
❤️ great work 👩‍💻
C:\\data\\file.txt
""")


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    masked = POLICY.mask_text(text)
    assert HIDDEN in masked
    assert "FAKE" not in masked


@pytest.mark.parametrize("text", HARMLESS + PROSE)
def test_a_text_without_a_secret_comes_back_as_the_same_object(text: str) -> None:
    assert POLICY.mask_text(text) is text
    assert POLICY.mask({"note": [text]}) == {"note": [text]}


@pytest.mark.parametrize("text", SECRET + HARMLESS)
def test_hiding_twice_is_hiding_once(text: str) -> None:
    once = POLICY.mask_text(text)
    assert POLICY.mask_text(once) is once


@pytest.mark.parametrize("text", SECRET)
def test_a_text_with_a_secret_is_never_passed_by_the_quick_look(text: str) -> None:
    assert TEXT_TRIGGER.search(text)
    document = {"note": text}
    for _ in range(3):
        for raw in (json.dumps(document, ensure_ascii=False), json.dumps(document)):
            assert TRIGGER.search(raw)
        document = {"note": json.dumps(document, ensure_ascii=False)}


@pytest.mark.parametrize("text", PROSE)
def test_ordinary_prose_is_passed_by_the_quick_look(text: str) -> None:
    document = json.dumps({"fields": {"subject": text, "size": 12}, "vars": {"label": None}}, ensure_ascii=False)
    assert not TRIGGER.search(document)
    assert not TEXT_TRIGGER.search(text)


def test_arrow_reads_the_quick_look_as_python_does() -> None:
    samples = SECRET + HARMLESS + PROSE
    for trigger, compiled in ((POLICY.trigger, TRIGGER), (POLICY.text_trigger, TEXT_TRIGGER)):
        found = pc.match_substring_regex(pa.array(samples), trigger, ignore_case=True).to_pylist()
        assert found == [compiled.search(text) is not None for text in samples]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login failed: password=FAKE0001 host=db", "login failed: password=[hidden] host=db"),
        ("Server=db;Uid=app;Pwd=FAKE0001;Port=1", "Server=db;Uid=app;Pwd=[hidden];Port=1"),
        ('call(password="FAKE 0001", n=1)', 'call(password="[hidden]", n=1)'),
        ("'Authorization: Bearer FAKE0001' after 3", "'Authorization: Bearer [hidden]' after 3"),
        ("curl -u bob:FAKE0001 https://example.com", "curl -u bob:[hidden] https://example.com"),
        ("deploy --token FAKE0001 --env prod", "deploy --token [hidden] --env prod"),
        ("https://h.example.com/v1?token=FAKE0001&page=2", "https://h.example.com/v1?token=[hidden]&page=2"),
        ("postgresql://app:FAKE@0001@db:5432/app", "postgresql://app:[hidden]@db:5432/app"),
        ("Key (a, token)=(1, FAKE0001) already exists.", "Key (a, token)=(1, [hidden]) already exists."),
        ('got {"password": "FAKE", "n": 1.10} back', 'got {"password": "[hidden]", "n": 1.10} back'),
        ("<password>FAKE</password>", "<password>[hidden]</password>"),
        (BLOCKS[0], "deploy:\n  password:\n    [hidden]\n  on: main"),
        (KEYS[0], "--§---BEGIN PRIVATE KEY-----\n[hidden]\n--§---END PRIVATE KEY-----\nand more".replace("§", "")),
        (f"uses {SHAPES[1]} in eu-west-1", "uses [hidden] in eu-west-1"),
    ],
)
def test_only_the_secret_part_goes(text: str, shown: str) -> None:
    assert POLICY.mask_text(text) == shown


names = st.sampled_from(["password", "api_key", "DB_TOKEN", "clientSecret", "x-auth-token"])
values = st.from_regex(r"\AFAKE[A-Za-z0-9!#$*+/_.-]{4,20}[0-9]\Z")
forms = st.sampled_from(
    ["{n}={v}", "{n}: {v}", '"{n}": "{v}"', "{n}='{v}'", "--{n} {v}", "x={{{n}={v}}}", "?{n}={v}&a=1", "<{n}>{v}</{n}>"]
)
around = st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs", "Po"]), max_size=20)


@given(names, values, forms, around, around)
def test_a_value_beside_its_name_never_comes_out(name: str, value: str, form: str, before: str, after: str) -> None:
    text = f"{before} {form.format(n=name, v=value)} {after}"
    masked = POLICY.mask_text(text)
    assert value not in masked
    assert TEXT_TRIGGER.search(text)
    assert TRIGGER.search(json.dumps({"note": text}, ensure_ascii=False))
    assert POLICY.mask_text(masked) == masked


pieces = st.sampled_from([*"""ab=:{}[]()"'\\<>@/?&;-_. \n\tk1""", "token", "password", "://", " --", "FAKE", HIDDEN])


@given(st.lists(pieces, max_size=40).map("".join))
def test_any_text_is_hidden_once_and_what_the_quick_look_passes_stays(text: str) -> None:
    masked = POLICY.mask_text(text)
    assert masked is text or TEXT_TRIGGER.search(text)
    assert POLICY.mask({"a": text}) == {"a": text} or TRIGGER.search(json.dumps({"a": text}, ensure_ascii=False))


def test_texts_inside_documents_keys_and_bytes_are_judged_too() -> None:
    token = SHAPES[1]
    assert POLICY.mask({token: "x", "n": 1}) == {HIDDEN: "x", "n": 1}
    assert POLICY.mask({token: 1, SHAPES[2]: 2}) == {HIDDEN: 1, f"{HIDDEN} (2)": 2}
    assert POLICY.mask([b"password=FAKE0001", b"plain"]) == [HIDDEN, b"plain"]
    assert POLICY.mask({"name": "subject", "value": f"use {token}"}) == {"name": "subject", "value": f"use {HIDDEN}"}
    assert POLICY.mask(f'{{"a": "{token}"}}') == f'{{"a": "{HIDDEN}"}}'
    assert POLICY.mask({1: "a", "1": token}) == {1: "a", "1": HIDDEN}


def test_a_value_that_its_name_lets_pass_is_still_looked_at() -> None:
    assert POLICY.mask({"token_type": SHAPES[2]}) == {"token_type": HIDDEN}
    assert POLICY.mask({"secret_name": "prod/db"}) == {"secret_name": "prod/db"}


def test_rules_of_ones_own_hide_what_they_match_a_group_or_all() -> None:
    policy = MaskingPolicy(rules={"account": r"\bACC-\d+", "case": r"case (\w+) of (\w+)"})
    assert policy.mask({"note": "see ACC-17, case A1 of B2"}) == {"note": "see [hidden], case [hidden] of [hidden]"}
    assert policy.mask_text("ACC-17") == HIDDEN
    assert policy.mask({"ACC-17": 1}) == {HIDDEN: 1}
    assert policy.trigger is None
    assert policy.explain("note", "see ACC-17").endswith("inside it, what the rule 'account' finds is hidden.")


@pytest.mark.parametrize("rules", [{"a": "("}, {"a": "x*"}, {"a": ""}])
def test_a_rule_that_is_no_expression_or_matches_nothing_is_refused(rules: dict[str, str]) -> None:
    with pytest.raises(InvalidPattern, match="the rule 'a'"):
        MaskingPolicy(rules=rules)


@pytest.mark.parametrize("rules", ["abc", 5, [("a",)], {"a": 1}])
def test_rules_need_a_name_and_an_expression(rules: Any) -> None:
    with pytest.raises(InvalidOption, match="rules takes names"):
        MaskingPolicy(rules=rules)


def test_paths_are_hidden_whole_whatever_they_hold() -> None:
    policy = MaskingPolicy(hide_paths=("fields.body", "vars.customer_*", 'fields."a.b"', "data.raw", "history.detail"))
    document = {
        "fields": {"body": {"a": [1, True]}, "subject": "x", "a.b": "${X}", "note": None},
        "vars": {"customer_no": 7, "Customer_no": 8, "x": {"customer_no": 9}},
        "raw": [1],
        "body": "shown",
        "history": [{"detail": "gone", "node": "n"}],
    }
    assert policy.mask(document) == {
        "fields": {"body": HIDDEN, "subject": "x", "a.b": HIDDEN, "note": None},
        "vars": {"customer_no": HIDDEN, "Customer_no": 8, "x": {"customer_no": 9}},
        "raw": HIDDEN,
        "body": "shown",
        "history": [{"detail": HIDDEN, "node": "n"}],
    }
    assert policy.hides("fields.body.a", 1)
    assert policy.hides("data.raw", 1)
    assert policy.explain("vars.customer_no", 7) == "vars.customer_no is hidden: the policy hides its path."
    assert policy.column(["fields", "body", "a"]).hides_all
    deep: Any = {"detail": 1}
    for _ in range(200):
        deep = {"a": deep}
    policy = MaskingPolicy(hide_paths=(".".join(["a"] * 200) + ".detail",))
    assert HIDDEN in repr(policy.mask(deep))


def test_what_a_text_holds_is_told_without_the_text() -> None:
    told = POLICY.explain("note", "at postgresql://app:FAKE0001@db and password=FAKE0002")
    assert told == (
        "note is shown: no word of the name is sensitive; inside it, the password in an address and "
        "the value of 'password' is hidden."
    )


# Steps are counted, not seconds: a rule that began again at every sign would read the text many times over.
@pytest.mark.parametrize("piece", ["token=", "password='", "://a:b", "secrets={", "--token ", "Key (token)=("])
def test_a_hostile_text_is_read_a_few_times_only(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def counted(text: str, position: int, name: str) -> Any:
        nonlocal read
        value = value_at(text, position, name)
        read += value.end - position if value else 1
        return value

    monkeypatch.setattr(texts, "value_at", counted)
    text = piece * 5_000
    POLICY.mask_text(text)
    assert read <= 3 * len(text)


@pytest.mark.parametrize(
    "pattern", [texts._ASSIGNMENT, texts._NOISE, texts._ELEMENT, tokens._TOKENS, structure._FRAGMENT]
)
def test_no_expression_begins_a_name_in_its_middle_or_repeats_without_a_bound(pattern: re.Pattern[str]) -> None:
    # What repeats without end is possessive, so that nothing is tried twice; anything else has a bound.
    greedy = re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "c", pattern.pattern)
    assert not re.findall(r"(?<![?*+}])(?:[*+]|\{\d+,\})(?![+?])\)(?:[*+]|\{\d+,\})(?!\+)", greedy)


def test_a_megabyte_of_signs_is_read() -> None:
    for sign in ("=", "a=", "\"'", "://", "\\", '\\"', "{", '{"', "[[", "<", "-", "eyJ", "token "):
        text = sign * (1_000_000 // len(sign))
        assert len(POLICY.mask_text(text)) > 0


def test_a_text_that_cannot_be_looked_at_is_hidden_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise ValueError(FAKE)

    monkeypatch.setattr(structure, "find_spans", broken)
    with pytest.warns(DataWarning, match="could not be looked at .ValueError.") as caught:
        assert POLICY.mask_text("password=FAKE0001") == HIDDEN
    assert FAKE not in str(caught[0].message)


def test_a_column_is_decided_once_as_the_walk_decides_each_value() -> None:
    policy = MaskingPolicy(extra=("customer_no",), allow=("session",), hide_paths=("fields.body",))
    paths = [["vars", name] for name in ("api_token", "token_count", "customer_no", "session", "n", "password")]
    paths += [["fields", "body"], ["fields", "db", "password"], ["vars", "secrets", "x"], ["fields", "body", "x"]]
    for path in paths:
        column = policy.column(path)
        assert [column.never, column.hides_all, column.depends].count(True) == 1
        for value in ("FAKE-not-real-0001", 5, True, None, "", "${X}", 1.5, "text"):
            document: Any = value
            for key in reversed(path):
                document = {key: document}
            walked = policy.mask(document)
            for key in path:
                walked = walked if walked == HIDDEN else walked[key]
            decided = HIDDEN if column.hides(value) else policy.mask(value)
            # An object above is hidden whole, also where the value in it is not set.
            is_above = column.hidden_at is not None and column.hidden_at < len(path)
            assert walked == decided or (is_above and value in {None, ""})


def test_counts_below_a_name_are_decided_together() -> None:
    usage = {"vars": {"token_usage": {"input": 3, "output": 4}}}
    assert POLICY.mask(usage) is usage
    assert not POLICY.stands_alone(["vars", "token_usage", "input"])
    assert POLICY.stands_alone(["vars", "api_token"])


@pytest.mark.parametrize("text", ["fails if --passWithNoTests passed", "run --pass-if-empty later"])
def test_an_option_about_passing_tests_is_no_password(text: str) -> None:
    assert MaskingPolicy().mask_text(text) == text
    assert "FAKE-0001" not in MaskingPolicy().mask_text("run --pass FAKE-0001 now")
