"""What is hidden, what stays visible, and that nothing else changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.errors import DataWarning, InvalidOption, InvalidPattern
from toolkit.masking import HIDDEN, MaskingPolicy, Secret

FAKE = "FAKE-not-a-real-value-0001"
POLICY = MaskingPolicy()


def names(text: str) -> list[str]:
    return text.split()


SENSITIVE = names("""
    password PASSWORD db_password dbPassword DBPassword smtp-password password1 PASSWORDs DB_PASS POSTGRES_PASSWORD
    SSHPASS PGPASSWORD LDAP_BIND_PW passphrase token refreshToken BOT_TOKENS csrfmiddlewaretoken X-CSRFToken
    PRIVATE-TOKEN id_token AWS_SECRET_ACCESS_KEY secretaccesskey SECRET_KEY_BASE client_secret clientSecrets
    credentials.json DB_CREDS auth DOCKER_AUTH_CONFIG Proxy-Authorization bearerToken jwt_token otp_code card_pin
    pin_number Set-Cookie sentry_dsn session_id PHPSESSID connect.sid webhook_url SLACK_WEBHOOK connectionString
    ConnectionStrings service_account AccountKey apiKeys OPENAI_API_KEY X-Api-Key Ocp-Apim-Subscription-Key
    TRELLO_KEY RAILS_MASTER_KEY FERNET_KEY google_maps_key ssh_key tls.key api.key private_key_pem stripe_key_live
    KEY_OPENAI password_hash mot_de_passe contraseña ПАРОЛЬ 数据库密码 GITHUB_PAT psk spring.datasource.password
    vars.smtp.password fields."a.password" api_token@iter:28:0 webhook.url mfa_code dB_pAsSwOrD
""")

HARMLESS = names("""
    keyboard monkey donkey turkey jockey whiskey keynote keyword keywords hotkey keystroke tokenizer tokenization
    secretary secretariat author authors authority authored authenticity passenger passport passage compass bypass
    surpass passed passive key keys primary_key foreignKeys sortKey partition.key cache_key idempotency-key
    unique_key row_key map_key s3_key Surrogate-Key Sec-WebSocket-Key key_points key_value key_id keyCount
    group_by_key public_key publicKey publickey JWT_PUBLIC_KEY recaptcha_site_key publishable_key accreditation
    incredible obsession possession opinion spinner pinned pinData gpio_pin pass_through api_url access_level
    signing_algorithm webhook_id connection_timeout oauth_provider AUTH0_REGION description status
""")

METADATA: list[tuple[str, Any]] = [
    ("token_count", 1532),
    ("tokens", 120),
    ("session_id_length", 32),
    ("tests/test_login.py::TestLogin::test_wrong_password", "passed"),
    ("token_count@iter:28:0:35:2", 5),
    ("max_tokens", "4096"),
    ("max.tokens", 4096),
    ("token_usage", {"input": 3, "output": 4}),
    ("password.length", 12),
    ("min_password_length", 8),
    ("token_expires_at", "2026-12-01T00:00:00Z"),
    ("token_issued", 1764547200),
    ("tokenExpiresIn", "3600s"),
    ("password_changed", date(2026, 1, 2)),
    ("has_password", "yes"),
    ("token_type", "Bearer"),
    ("auth_method", "oauth2"),
    ("token_scopes", ["read", "write"]),
    ("secret_name", "prod/db/main"),
    ("credential_id", "cred-17"),
    ("kms_key_id", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    ("auth_url", "https://login.example.com/authorize"),
    ("basic_auth_user", "bob"),
    ("service_account_email", "svc@example.com"),
    ("password_file", "/run/secrets/db_password"),
    ("api_key_fingerprint", "aa:bb:cc:dd:ee:ff:00:11"),
    ("pad_token", "[PAD]"),
    ("next_page_token", "CAUQAA"),
    ("nextToken", "page-2"),
    ("PWD", "/home/user/project"),
    ("env.OLDPWD", "/app"),
    ("secretKeyRef", {"name": "db", "key": "password"}),
]

NOT_PROVEN: list[tuple[str, Any]] = [
    ("password", 482913),
    ("password", "true"),
    ("otp", 482913),
    ("pin_number", 1234),
    ("card_number_pin", 1234),
    ("password_reset", 482913),
    ("token_count", FAKE),
    ("max_tokens", FAKE),
    ("has_password", FAKE),
    ("token_expires_at", FAKE),
    ("token_type", FAKE),
    ("secret_name", "FAKE0fake1FAKE2fake3FAKE"),
    ("token_url", f"https://login.example.com/?token={FAKE}"),
    ("session_id", "cred-17"),
    ("next_page_token", "FAKE0fake1FAKE2fake3FAKE"),
    ("next_auth_secret", "page-2"),
    ("page_access_token", "page-2"),
    ("PWD", "FAKE"),
    ("MYSQL_PWD", "/home/user/project"),
    ("pwd", "/FAKE"),
    ("vars.secrets.on", True),
    ("mysql::server::root_password", "FAKE"),
    ("secret_id", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    ("passwords_by_name", {"smtp": "FAKE"}),
    ("tokens_by_id", "FAKE"),
    ("password_user", "FAKE"),
    ("password_public_key", "FAKE"),
    ("vars.tokens.x", 5),
    ("tokens", "482913"),
    ("vars.password.length", 12),
    ("password", "${DB_PASSWORD:-FAKE}"),
]

words = st.sampled_from(["subject", "count", "note", "city", "amount", "städte", "n"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text("abc [{", max_size=6))
sensitive_names = st.sampled_from([name for name in SENSITIVE if "." not in name])
harmless = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=12,
)
steps = st.lists(st.sampled_from(["list", "tuple", "dict", "json", "pair"]), max_size=8)


def wrapped(value: Any, ways: list[str]) -> Any:
    forms: dict[str, Callable[[Any], Any]] = {
        "list": lambda inner: [1, inner],
        "tuple": lambda inner: (inner, "x"),
        "dict": lambda inner: {"note": inner, "n": 1},
        "json": json.dumps,
        "pair": lambda inner: {"name": "note", "value": inner},
    }
    for way in ways:
        value = forms[way](value)
    return value


@pytest.mark.parametrize("name", SENSITIVE)
def test_a_sensitive_name_hides_its_value(name: str) -> None:
    assert POLICY.is_sensitive_name(name)
    assert POLICY.hides(name, FAKE)
    assert POLICY.mask(FAKE, name) == HIDDEN


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_shows_its_value(name: str) -> None:
    assert not POLICY.is_sensitive_name(name)
    assert POLICY.mask(FAKE, name) is FAKE


@pytest.mark.parametrize(("name", "value"), METADATA)
def test_a_metadata_word_and_a_value_of_its_shape_stay_visible(name: str, value: Any) -> None:
    assert not POLICY.hides(name, value)
    assert POLICY.mask({name: value}) == {name: value}


@pytest.mark.parametrize(("name", "value"), NOT_PROVEN)
def test_one_proof_alone_is_not_enough(name: str, value: Any) -> None:
    assert POLICY.hides(name, value)


@pytest.mark.parametrize(
    "value",
    [None, "", [], {}, float("nan"), True, False, "${DB_PASSWORD}", "{{ secrets.x }}", "Bearer {{ $json.token }}"],
)
def test_what_is_unset_a_boolean_or_a_reference_stays_visible(value: Any) -> None:
    assert POLICY.mask(value, "password") is value


@given(st.lists(st.sampled_from(["db", "smtp", "user", "prod"]), min_size=1, max_size=3), st.integers(0, 3), st.data())
def test_the_spelling_of_a_compound_does_not_matter(qualifiers: list[str], position: int, data: st.DataObject) -> None:
    kernel = data.draw(st.sampled_from(["password", "secret", "token", "credentials", "api key", "private key"]))
    parts = [*qualifiers[:position], *kernel.split(), *qualifiers[position:]]
    spellings = [separator.join(parts) for separator in ("_", "-", ".", " ", "/", ":")]
    spellings += ["".join(map(str.title, parts)), parts[0] + "".join(map(str.title, parts[1:]))]
    name = data.draw(st.sampled_from([*spellings, *map(str.upper, spellings[:6]), *map(str.title, spellings[:6])]))
    assert POLICY.is_sensitive_name(name), name


@given(st.sampled_from(["password", "token", "api_key", "secret"]), st.data())
def test_unicode_forms_and_characters_that_nobody_sees_hide_nothing(name: str, data: st.DataObject) -> None:
    invisible = data.draw(st.sampled_from(["\u200b", "\u200d", "\ufeff", "\u00ad", "\u034f", "\ufe0f", "\x00", "\x08"]))
    position = data.draw(st.integers(0, len(name)))
    wide = "".join(chr(ord(char) + 0xFEE0) for char in name)
    assert POLICY.is_sensitive_name(name[:position] + invisible + name[position:])
    assert POLICY.is_sensitive_name(wide)


@given(sensitive_names, steps, steps)
@example("password", ["json", "json", "json"], ["json", "list"])
def test_a_value_under_a_sensitive_name_never_comes_out(name: str, inside: list[str], outside: list[str]) -> None:
    document = wrapped({name: wrapped(FAKE, inside), "n": 1}, outside)
    shown = repr(POLICY.mask(document))
    assert "FAKE" not in shown
    assert HIDDEN in shown


@given(harmless, steps)
def test_values_without_sensitive_names_come_back_as_the_same_object(value: Any, ways: list[str]) -> None:
    document = wrapped(value, ways)
    assert POLICY.mask(document) is document


@given(sensitive_names, harmless, harmless, steps)
def test_masking_twice_is_masking_once_and_changes_no_input(name: str, value: Any, other: Any, ways: list[str]) -> None:
    document = wrapped({name: value, "note": other}, ways)
    before = copy.deepcopy(document)
    once = POLICY.mask(document)
    assert POLICY.mask(once) is once
    assert document == before


def test_everything_below_a_sensitive_name_is_hidden_as_one() -> None:
    assert POLICY.mask({"secrets": {"a": FAKE, "b": [FAKE]}, "n": 1}) == {"secrets": HIDDEN, "n": 1}
    assert POLICY.hides("vars.smtp_credentials.user", "bob")
    assert POLICY.hides("vars.secrets.type", "plain")


def test_a_name_and_its_parent_are_read_together() -> None:
    assert POLICY.mask({"tls": {"key": FAKE, "port": 1}}) == {"tls": {"key": HIDDEN, "port": 1}}
    assert POLICY.mask({"webhook": {"url": FAKE}}) == {"webhook": {"url": HIDDEN}}
    assert POLICY.mask([{"key": FAKE}], "vars.api") == [{"key": HIDDEN}]


def test_the_name_column_of_a_table_is_never_hidden_for_its_name() -> None:
    rows = {"api": [{"key": "email_001", "value": "x"}, {"key": "api_token", "value": FAKE}]}
    assert POLICY.mask(rows) == {"api": [{"key": "email_001", "value": "x"}, {"key": "api_token", "value": HIDDEN}]}


@pytest.mark.parametrize("field", ["var", "name", "key", "field", "Name", "ParameterKey", "variable_name"])
@pytest.mark.parametrize("place", ["old", "new", "value", "Value", "oldValue", "new_value", "default"])
def test_a_record_that_names_a_secret_hides_what_stands_beside_it(field: str, place: str) -> None:
    record = {field: "vars.api_token", place: FAKE, "updated_at": "2026-11-01", "count": 2}
    assert POLICY.mask(record) == {**record, place: HIDDEN}
    ordinary = {field: "vars.subject", place: FAKE}
    assert POLICY.mask(ordinary) is ordinary


def test_a_record_may_say_itself_that_its_value_is_secret() -> None:
    assert POLICY.mask({"name": "x", "sensitive": True, "value": FAKE})["value"] == HIDDEN
    assert POLICY.mask({"name": "x", "type": "password", "default": FAKE})["default"] == HIDDEN
    shown = {"name": "x", "sensitive": False, "type": "string", "value": FAKE}
    assert POLICY.mask(shown) is shown


def test_pairs_and_arguments_are_read_as_name_and_value() -> None:
    headers = [("Authorization", f"Bearer {FAKE}"), ("Accept", "*/*")]
    assert POLICY.mask(headers) == [("Authorization", HIDDEN), ("Accept", "*/*")]
    assert POLICY.mask(["mysql", "--password", FAKE, "-h", "db"]) == ["mysql", "--password", HIDDEN, "-h", "db"]
    columns = ["password", "user"]
    assert POLICY.mask(columns) is columns


class Login(NamedTuple):
    user: str
    password: str


def test_tuples_keep_their_kind_and_fields_are_names() -> None:
    assert POLICY.mask([Login("bob", FAKE)]) == [Login("bob", HIDDEN)]
    assert POLICY.mask({("a",): ({"token": FAKE},)}) == {("a",): ({"token": HIDDEN},)}
    assert POLICY.mask({'{"token": "FAKE"}'}) == {'{"token": "[hidden]"}'}


def test_json_text_keeps_its_numbers_its_keys_and_its_style() -> None:
    text = '{"password": "FAKE", "password": null, "n": [1.10, 1e400, 12345678901234567890123]}'
    assert POLICY.mask(text) == text.replace('"FAKE"', '"[hidden]"')
    assert POLICY.mask('{"token":"FAKE","city":"Ké\\u00e9"}') == '{"token":"[hidden]","city":"Kéé"}'
    for margin in ("\ufeff", " \n", "\xa0"):
        assert POLICY.mask(margin + '[{"token":"FA\nKE"}]' + margin) == '[{"token":"[hidden]"}]'
    assert POLICY.mask('{"token": "FAKE", "n": ' + "9" * 5000 + "}") == '{"token": "[hidden]", "n": ' + "9" * 5000 + "}"


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a":2 }', '{"password" : null}', "[not json}", '{"a": "\\u00e9"}', '"x"', "[1] [2]"]
)
def test_text_without_secrets_is_the_same_text(text: str) -> None:
    assert POLICY.mask(text) is text


@pytest.mark.parametrize("levels", [1000, 1001, 50_000])
def test_what_lies_too_deep_is_hidden(levels: int) -> None:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    masked = POLICY.mask(value)
    assert (masked is value) == (levels <= 1000)
    for _ in range(min(levels, 1000)):
        masked = masked[0]
    assert masked == ("deep" if levels <= 1000 else HIDDEN)


def test_a_secret_below_a_thousand_levels_is_found_and_json_too_deep_is_hidden() -> None:
    value: Any = {"password": FAKE}
    for _ in range(999):
        value = {"a": value}
    masked = POLICY.mask(value)
    for _ in range(999):
        masked = masked["a"]
    assert masked == {"password": HIDDEN}
    assert POLICY.mask("[" * 100_000 + "]" * 100_000) == HIDDEN


def test_a_circle_is_hidden_where_it_closes() -> None:
    circle: dict[str, Any] = {"n": 1}
    circle["self"] = [circle]
    assert POLICY.mask(circle) == {"n": 1, "self": [HIDDEN]}


def test_an_object_at_many_places_is_looked_into_once() -> None:
    value: Any = [{"token": FAKE}]
    for _ in range(300):
        value = [value, value]
    masked = POLICY.mask(value)
    for _ in range(300):
        assert masked[0] is masked[1]
        masked = masked[0]
    assert masked == [{"token": HIDDEN}]


class Broken(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise ValueError(FAKE)

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def test_what_cannot_be_looked_at_is_hidden_with_a_warning_that_does_not_tell_it() -> None:
    with pytest.warns(DataWarning, match="'note' could not be looked at .ValueError.; it is hidden") as caught:
        assert POLICY.mask([Broken()], "note") == HIDDEN
    assert FAKE not in str(caught[0].message)


def test_extra_names_are_always_hidden() -> None:
    policy = MaskingPolicy(extra=("customer_*", "vars.n?", "[x]"))
    assert policy.mask({"Customer_No": 7, "customer": 7, "customer_ok": True, "customer_x": None}) == {
        "Customer_No": HIDDEN,
        "customer": 7,
        "customer_ok": HIDDEN,
        "customer_x": None,
    }
    assert policy.mask({"vars": {"n1": 1, "n": 1}, "n1": 1}) == {"vars": {"n1": HIDDEN, "n": 1}, "n1": 1}
    assert policy.hides("vars.n1", 1)
    assert policy.hides("fields.customer_no.x", "a")
    assert policy.hides("acme.customer_no.x", "a")
    assert policy.is_sensitive_name("[X]")
    assert not policy.is_sensitive_name("x")


def test_allowed_names_are_not_hidden_for_their_name_but_looked_into() -> None:
    policy = MaskingPolicy(allow=("session", "smtp.pass*"))
    document = {"session": {"topic": "x", "token": FAKE}, "smtp": {"password": "a"}, "password": FAKE}
    expected = {"session": {"topic": "x", "token": HIDDEN}, "smtp": {"password": "a"}, "password": HIDDEN}
    assert policy.mask(document) == expected
    assert policy.is_sensitive_name("session_token")
    assert not policy.hides("vars.session", FAKE)
    assert policy.hides("vars.session.token", FAKE)


def test_the_same_names_are_hidden_in_a_document_and_as_paths() -> None:
    document = {"vars": {"api": {"key": FAKE}, "session": FAKE, "count": 1}, "fields": {"a.token": FAKE}}
    masked = POLICY.mask(document)
    for path, value in [
        ("vars.api.key", masked["vars"]["api"]["key"]),
        ("vars.session", masked["vars"]["session"]),
        ("vars.count", masked["vars"]["count"]),
        ('fields."a.token"', masked["fields"]["a.token"]),
    ]:
        assert POLICY.hides(path, FAKE) == (value == HIDDEN)


def test_a_policy_refuses_names_that_would_match_anything_or_nothing() -> None:
    with pytest.raises(InvalidOption, match=r"extra=\('abc',\)"):
        MaskingPolicy(extra="abc")  # type: ignore[arg-type]
    with pytest.raises(InvalidPattern):
        MaskingPolicy(allow=("",))


def test_equal_policies_are_equal_and_lists_are_taken() -> None:
    assert MaskingPolicy(extra=["a"]) == MaskingPolicy(extra=("a",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("db_password", FAKE, "db_password is hidden: the name holds 'password'."),
        ("vars.secrets.a", FAKE, "vars.secrets.a is hidden: it lies below a name that holds 'secrets'."),
        ("password", None, "password is shown: it is not set."),
        ("password", True, "password is shown: a yes or a no is no secret."),
        (
            "token_count",
            3,
            "token_count is shown: the name holds 'token', but also 'count', and the value is a number.",
        ),
        ("city", "x", "city is shown: no word of the name is sensitive."),
        ("webhook_url", FAKE, "webhook_url is hidden: the name holds 'webhook url'."),
    ],
)
def test_explain_names_the_rule(name: str, value: Any, expected: str) -> None:
    assert POLICY.explain(name, value) == expected


@given(sensitive_names | words, st.just(FAKE) | st.just({"token": FAKE}))
def test_explain_is_one_sentence_and_never_tells_the_value(name: str, value: Any) -> None:
    text = POLICY.explain(name, value)
    assert FAKE not in text
    assert text.endswith(".")
    assert "\n" not in text
    assert ("hidden" in text) == (POLICY.mask(value, name) is not value)


def test_a_sealed_value_among_others_is_hidden() -> None:
    assert POLICY.mask({"a": Secret(FAKE)}) == {"a": HIDDEN}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://app:FAKEpw@db.example.com:5432/app", "postgresql://app:[hidden]@db.example.com:5432/app"),
        ("postgresql://app:FAKE@pw@db.example.com/app", "postgresql://app:[hidden]@db.example.com/app"),
        ("redis://:FAKEpw@cache.example.com/0 is down", "redis://:[hidden]@cache.example.com/0 is down"),
        ("see https://example.com:8080/a@b?c=d:e@f", "see https://example.com:8080/a@b?c=d:e@f"),
        ("postgresql://app:${DB_PASSWORD}@db/app", "postgresql://app:${DB_PASSWORD}@db/app"),
    ],
)
def test_the_password_in_a_url_is_hidden_and_its_host_stays_readable(text: str, shown: str) -> None:
    assert MaskingPolicy().mask({"note": [text]}) == {"note": [shown]}
