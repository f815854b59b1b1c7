from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.records.ask import Ask
from panopt.records.families import family_of, family_warnings, model_of, same_model

FAMILIES = {
    "o3-mini": "openai",
    "o1": "openai",
    "gpt-4o-2024-08-06": "openai",
    "GPT-4/Vanilla": "openai",
    "ChatGPT-0301/CoT": "openai",
    "gpt_4o": "openai",
    "gpt-oss:20b": "openai",
    "text-davinci-003": "openai",
    "command-r-plus": "cohere",
    "claude-3-5-haiku-latest": "anthropic",
    "gemini-1.5-pro": "google",
    "Gemma-2B": "google",
    "PaLM2/Swap": "google",
    "LLaMA2/Swap_CoT": "meta",
    "mistral-large-2411": "mistral",
    "mixtral-8x7b-instruct": "mistral",
    "ministral-8b": "mistral",
    "Qwen2.5-72B": "alibaba",
    "deepseek-r1-distill-llama-70b": "deepseek",
    "grok-2": "xai",
    "phi-4": "microsoft",
    "nova-pro": "amazon",
    "jamba-1.5-large": "ai21",
    "openai/gpt-4o": "openai",
    "openai:chat:gpt-4o": "openai",
    "openrouter/anthropic/claude-3.5-sonnet:free": "anthropic",
    "bedrock/us.anthropic.claude-3-haiku-20240307-v1:0": "anthropic",
    "bedrock/amazon.nova-lite-v1:0": "amazon",
    "together/meta-llama/Meta-Llama-3.1-70B-Instruct": "meta",
    "azureai/Mistral-Large-2411": "mistral",
    "google:gemini-2.0-flash": "google",
    "vertex:claude-3-5-sonnet@20241022": "anthropic",
    "ollama/qwen2.5": "alibaba",
    "ollama:chat:llama3:8b": "meta",
    "azure:chat:my-gpt-4o-deployment": "openai",
    "mistralai/open-codestral-mamba": "mistral",
    "cohere/a-model-of-next-year": "cohere",
}
UNKNOWN = [
    "neo3-7b",
    "demo3",
    "marco-o1",
    "philosophy",
    "nova_scorer",
    "model_graded_qa",
    "match",
    "includes",
    "ollama",
    "commander",
    "gpticks",
    "judge A",
    "",
]


@pytest.mark.parametrize("name", FAMILIES)
def test_J_14_family_from_the_model_name(name: str) -> None:
    assert family_of(name) == FAMILIES[name]
    assert family_of(name.upper()) == FAMILIES[name]


@pytest.mark.parametrize("name", UNKNOWN)
def test_J_14_names_of_no_known_maker_are_unknown(name: str) -> None:
    assert family_of(name) is None


def test_J_14_override_map_goes_before_the_name() -> None:
    overrides = (("Grader", "Anthropic"), ("gpt-4o", "unknown"))
    assert family_of("grader", overrides) == "anthropic"
    assert family_of("gpt-4o", overrides) is None
    assert family_of("gpt-4o-mini", overrides) == "openai"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("openai:chat:gpt-4o", "openrouter/openai/gpt-4o", True),
        ("anthropic/claude-3-5-sonnet-20241022", "vertex:claude-3-5-sonnet@20241022", True),
        (
            "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            "claude-3.5-sonnet-20241022",
            True,
        ),
        ("together/meta-llama/Meta-Llama-3.1-70B-Instruct", "groq/llama-3.1-70b-instruct", True),
        ("GPT-4/Vanilla", "GPT-4/CoT", True),
        ("hosted/neo3-7b", "neo3-7b", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", False),
        ("gpt-4", "gpt-4-turbo", False),
        ("llama-3.1-8b-instruct", "llama-3.1-70b-instruct", False),
        ("", "", False),
    ],
)
def test_J_14_the_same_weights_behind_two_providers_are_one_model(
    first: str, second: str, *, same: bool
) -> None:
    assert same_model(first, second) is same
    assert same_model(second, first) is same
    if same:
        assert family_of(first) == family_of(second)


def test_J_14_warns_of_a_judge_of_the_family_of_the_system() -> None:
    (warning,) = family_warnings(["gpt-4o", "claude-3-haiku"], ["openai/o3-mini", "grok-2"])
    assert warning.startswith("judge gpt-4o and system openai/o3-mini are both of openai")


def test_J_14_warns_when_all_judges_share_a_family() -> None:
    (warning,) = family_warnings(["gpt-4o", "o3-mini"], ["grok-2"])
    assert warning.startswith("all judges are models of openai")
    (warning,) = family_warnings(["openai/gpt-4o", "azure:chat:gpt-4o"])
    assert warning.startswith("all judges are one model of openai")
    assert family_warnings(["gpt-4o", "grok-2"], ["claude-3-haiku"]) == ()


def test_J_14_unknown_families_never_switch_the_check_off() -> None:
    judges = ["gpt-4o", "neo3-7b", "o3-mini"]
    own, shared = family_warnings(judges, ["gpt-4.1", "neo3-7b"])
    assert own.startswith("judges gpt-4o, o3-mini and system gpt-4.1 are both of openai")
    assert shared.startswith("all 2 judges of known family are models of openai")
    assert family_warnings(["neo3-7b", "neo3-13b"], ["neo3-70b"]) == ()


def test_J_14_one_judge_shares_a_family_with_nobody() -> None:
    assert family_warnings(["gpt-4o"]) == ()
    assert family_warnings([]) == ()


def test_long_lists_are_cut() -> None:
    (warning,) = family_warnings([f"gpt-4-v{i}" for i in range(9)] + ["grok"], ["o3"])
    assert "and 5 more" in warning


def test_the_ask_takes_families() -> None:
    assert Ask(families=(("a", "openai"),)).families == (("a", "openai"),)


@given(st.text(max_size=40))
def test_no_name_breaks_it(name: str) -> None:
    assert family_of(name) is None or isinstance(family_of(name), str)
    assert same_model(name, name) is (model_of(name) != "")
