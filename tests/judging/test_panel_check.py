"""Panels that share their makers are warned of or refused, by what the models are."""

from __future__ import annotations

import pytest

from panopt.errors import AskError
from panopt.judging import check_panel
from panopt.judging.panel_check import same_weights


def test_J_14_a_judge_of_the_systems_family_is_refused_or_warned_of() -> None:
    told = check_panel(["claude-3-opus", "gpt-4o"], system="openai/o3-mini")
    assert told == (
        (
            "judge gpt-4o and system openai/o3-mini are both of openai: judges tend to favour "
            "their own family's answers"
        ),
    )
    with pytest.raises(AskError, match=r"strict_panel: judge gpt-4o and system openai/o3-mini"):
        check_panel(["claude-3-opus", "gpt-4o"], system="openai/o3-mini", strict=True)


def test_J_14_a_panel_of_one_family() -> None:
    with pytest.raises(AskError, match=r"strict_panel: all judges are models of openai"):
        check_panel(["gpt-4o", "o3-mini"], strict=True)
    assert check_panel(["gpt-4o", "command-r-plus"], strict=True) == ()
    assert check_panel(["gpt-4o"], strict=True) == (), "one judge shares with nobody"


def test_J_14_unknown_families_never_switch_the_check_off() -> None:
    with pytest.raises(AskError, match=r"all 2 judges of known family are models of openai"):
        check_panel(["gpt-4o", "o3-mini", "neo3-7b"], strict=True)
    with pytest.raises(AskError, match=r"judge gpt-4o and system o3-mini"):
        check_panel(["gpt-4o", "neo3-7b"], system="o3-mini", strict=True)
    assert check_panel(["neo3-7b", "gpt-4o"], system="mystery", strict=True) == ()


def test_J_14_the_override_map_goes_before_names() -> None:
    families = {"My-Proxy": "openai", "gpt-4o": "unknown"}
    with pytest.raises(AskError, match="strict_panel: judge my-proxy and system o3-mini"):
        check_panel(["my-proxy", "claude-3-opus"], system="o3-mini", strict=True, families=families)
    assert check_panel(["gpt-4o"], system="o3-mini", strict=True, families=families) == ()
    with pytest.raises(AskError, match="judge a and system b are both of acme"):
        check_panel(["a"], system="b", strict=True, families={"a": "acme/x", "b": "ACME"})


def test_J_14_models_are_looked_at_behind_the_names_of_judges() -> None:
    models = {"strict": "openai/gpt-4o", "lenient": None}
    told = check_panel(["strict", "lenient"], models=models, system="o3-mini")
    assert told[0].startswith("judge strict and system o3-mini are both of openai")


def test_J_14_stand_ins_are_not_of_the_systems_family_either() -> None:
    with pytest.raises(AskError, match=r"judge gpt-4o and system o3-mini"):
        check_panel(
            ["claude-3-opus", "command-r-plus"],
            replacements=["gpt-4o"], system="o3-mini", strict=True,
        )  # fmt: skip
    assert check_panel(["gpt-4o", "command-r"], replacements=["o3-mini"], strict=True) == ()


def test_J_14_the_same_weights_behind_two_providers_are_one_model() -> None:
    judges = ["openai/gpt-4o", "openrouter/openai/gpt-4o", "claude-3-opus"]
    assert same_weights(judges) == (tuple(judges[:2]),)
    told = check_panel(judges)
    assert told[-1].startswith("judges openai/gpt-4o, openrouter/openai/gpt-4o are one model")
    families = {"prod-eu": "openai/gpt-4o", "prod-us": "openai/gpt-4o"}
    assert same_weights(["prod-eu", "prod-us"], families=families) == (("prod-eu", "prod-us"),)
    assert same_weights(["a/judge", "b/judge"]) == (), "names alike prove nothing of unknown models"


def test_bad_override_maps() -> None:
    with pytest.raises(AskError, match=r"families\['a'\] = '' must name a maker, or maker/model"):
        check_panel(["a"], families={"a": ""})
