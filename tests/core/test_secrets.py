"""One redactor: what it takes away, and what it leaves alone."""

import pytest

from src.core.secrets import redacted, redacted_values, secret_in

KEY = "Zq7xK2" * 6


@pytest.mark.parametrize(
    "text",
    [
        f"https://me:{KEY}@host/model.pth",
        f"model.weights=https://{KEY}@host/model.pth",
        f"cannot be fetched: https://host/a.pth?X-Amz-Signature={KEY}&download=true",
        f"https://host/a.pth?download=true&sig={KEY}",
        f"https://host/a.pth#access_token={KEY}",
        f"https://host/a.pth?{KEY}",
        f"ftp://me:{KEY}@host/a",
        f"Authorization: Bearer {KEY}",
        f"{{'Authorization': 'Bearer {KEY}'}}",
        f"bearer {KEY}",
        f"Basic {KEY}==",
        f"api_keys=[{KEY},{KEY}]",
        f"{{'api_keys': ['{KEY}']}}",
        f"token1: {KEY}",
        f'"hubToken": "{KEY}"',
        f"PASSWORD_2={KEY}",
        f"run with hf_{KEY} here",
        f"ghp_{KEY}",
        f"the text {KEY}x of a variable",
        f"outer=api_key={KEY}",
    ],
)
def test_no_key_is_left_in_a_text_and_each_is_noticed(monkeypatch, text):
    monkeypatch.setenv("LAB_PAT", f"{KEY}x")
    clean = redacted(text)
    assert KEY not in clean
    assert secret_in(text)
    assert KEY not in secret_in(text)
    assert redacted(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a.pth?download=true",
        "https://huggingface.co/a/b/resolve/main/c.pth",
        "data.depth_key=distances, depth_scale=0.001",
        "model=ramp data=sample max_tokens=77",
        "git@github.com:x/y 12:30:01 a@b",
        "basic structures, bearer instruments",
        "/data/set.zip|120|1700000000|a.png",
        "token=null, api_keys=[]",
        "use_mask_token: false",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert redacted(text) == text
    assert secret_in(text) == ""


@pytest.mark.parametrize("name", ["CI_PAT", "X_TOKENS", "MY_SECRET", "DB_PASSWORD", "OPENAI_KEY", "KEY_1", "apiKey"])
def test_what_a_variable_named_like_a_key_holds_is_taken_away(monkeypatch, name):
    monkeypatch.setenv(name, "s3cr/et+value")
    assert redacted("a s3cr/et+value, https://h/s3cr%2Fet%2Bvalue") == f"a <{name}>, https://h/<{name}>"
    assert secret_in("s3cr/et+value") == f"the value of {name}"


@pytest.mark.parametrize("name", ["SSH_KEY_PATH", "KEYBOARD", "TOKENIZERS", "PATTERN", "HOME", "PWD"])
def test_other_variables_are_nobodys_secret(monkeypatch, name):
    monkeypatch.setenv(name, "ordinary-value")
    assert redacted("an ordinary-value") == "an ordinary-value"


def test_values_are_cleaned_at_any_depth_and_numbers_stay():
    content = {"a": [{"tokens": {"hub": KEY}}, 1.5, None], "note": f"https://me:{KEY}@h", "n": 3, "api_key": ""}
    clean = {"a": [{"tokens": {"hub": "***"}}, 1.5, None], "note": "https://***@h", "n": 3, "api_key": ""}
    assert redacted_values(content) == clean
