"""What the recipe says reaches TRL and peft as it is said, and the model is held to it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from peft import LoraConfig  # noqa: E402
from transformers import get_scheduler  # noqa: E402

from tests.training.tiny_run import CARD, run  # noqa: E402
from training.recipe import Expect, RecipeError, read_recipe  # noqa: E402
from training.trainer import check_parameters, lora_config, settings_of  # noqa: E402


def test_the_card_s_adapter_has_the_card_s_parameters() -> None:
    """On the meta device: the real shapes, and not one byte of weights."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, GptOssConfig

    recipe = read_recipe(CARD)
    shape = GptOssConfig(
        num_hidden_layers=24,
        num_local_experts=32,
        vocab_size=201_088,
        hidden_size=2880,
        intermediate_size=2880,
        head_dim=64,
        num_attention_heads=64,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(shape)
        model = get_peft_model(model, lora_config(recipe, LoraConfig))
    assert recipe.expect is not None
    assert check_parameters(model, recipe.expect) == Expect(3_981_312, 20_918_738_496)
    with pytest.raises(RecipeError, match="3,981,311 trainable"):
        check_parameters(model, dataclasses.replace(recipe.expect, trainable=3_981_311))


def test_the_run_itself_asserts_the_number_of_parameters(tiny: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(tiny.read_text("utf-8"))
    content["expect"] = {"trainable": 3_981_312, "all": 20_918_738_496}
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(content), "utf-8")
    ended = run(wrong, tmp_path / "run")
    assert ended.returncode == 2
    assert "parameters: 10,240 trainable of " in ended.stdout
    assert ended.stderr.endswith(
        "The recipe expects 3,981,312 trainable parameters of 20,918,738,496: this is another "
        "base, or another adapter.\n"
    )
    assert not list((tmp_path / "run").glob("checkpoint-*"))


def test_the_trainer_gets_what_the_recipe_says(tmp_path: Path) -> None:
    recipe = read_recipe(CARD)
    config = settings_of(recipe, tmp_path, cuda=False, heldout=True)
    assert config.learning_rate == 5e-5
    assert config.per_device_train_batch_size == 4
    assert config.gradient_accumulation_steps == 4
    assert config.num_train_epochs == 2
    assert config.lr_scheduler_type == "cosine"
    assert [config.get_warmup_steps(steps) for steps in (1_000, 1_200)] == [50, 60]
    assert (config.weight_decay, config.max_grad_norm) == (0.0, 1.0)
    assert (config.seed, config.data_seed) == (42, 42)
    assert (config.gradient_checkpointing, config.eval_steps, config.save_steps) == (True, 100, 1)
    assert (config.packing, config.max_length, config.report_to) == (False, None, [])
    assert (config.router_aux_loss_coef, config.push_to_hub) == (0.0, False)
    assert config.optim.value == "adamw_torch"  # fused is for a GPU
    lora = lora_config(recipe, LoraConfig)
    assert (lora.r, lora.lora_alpha, lora.lora_dropout, lora.bias) == (8, 16, 0.0, "none")
    assert lora.target_modules == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_the_rate_rises_for_a_twentieth_of_the_steps_and_falls_as_a_cosine(tmp_path: Path) -> None:
    config = settings_of(read_recipe(CARD), tmp_path, cuda=False, heldout=False)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    schedule = get_scheduler(
        config.lr_scheduler_type, optimizer, config.get_warmup_steps(1_000), 1_000
    )
    rates: list[float] = []
    for _ in range(1_000):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates[0] == 0.0
    assert rates[25] == pytest.approx(2.5e-5)
    assert rates[50] == max(rates) == pytest.approx(5e-5)
    assert rates[525] == pytest.approx(2.5e-5)  # half-way down
    assert rates[-1] < 1e-9
