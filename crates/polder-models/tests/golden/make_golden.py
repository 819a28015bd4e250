"""Makes the golden logits of this folder with transformers: `python make_golden.py` (torch, transformers, safetensors).

For each variant: a tiny random model whose weights are large enough that logits spread over several units, its
config.json (in the style of transformers 5, or in the older one), its weights in f32, and, for two sequences of random
tokens, the logits of every position, computed in f32 with eager attention.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
    Qwen3Config,
)

HERE = Path(__file__).parent
VOCAB, LENGTH = 61, 20

OPT = dict(vocab_size=VOCAB, hidden_size=24, ffn_dim=40, num_hidden_layers=2, num_attention_heads=3,
           max_position_embeddings=32, dropout=0.0, pad_token_id=1)
LLAMA = dict(vocab_size=VOCAB, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
             max_position_embeddings=2048, pad_token_id=None)
GQA = LLAMA | dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2)

LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=512)

# name -> (configuration, style of config.json, step between positions)
VARIANTS = {
    "opt": (OPTConfig(**OPT), "new", 1),
    "opt-post-norm": (OPTConfig(**OPT, do_layer_norm_before=False, word_embed_proj_dim=16), "old", 1),
    "opt-untied-no-bias": (OPTConfig(**OPT, tie_word_embeddings=False, enable_bias=False), "old", 1),
    "opt-no-final-norm": (OPTConfig(**OPT, _remove_final_layer_norm=True, layer_norm_elementwise_affine=False,
                                    activation_function="gelu"), "new", 1),
    "llama": (LlamaConfig(**LLAMA), "old", 1),
    "llama-gqa-tied": (LlamaConfig(**GQA, tie_word_embeddings=True, rms_norm_eps=1e-5,
                                   rope_parameters=dict(rope_type="default", rope_theta=100000.0)), "new", 1),
    "llama-far": (LlamaConfig(**GQA), "new", 97),
    "llama3-rope": (LlamaConfig(**GQA, rope_parameters=LLAMA3), "new", 1),
    "llama3-rope-old-style": (LlamaConfig(**GQA, rope_parameters=LLAMA3), "old", 3),
    "linear-rope": (LlamaConfig(**GQA, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.5)),
                    "old", 1),
    "yarn-rope": (LlamaConfig(**GQA, rope_parameters=YARN), "new", 1),
    "yarn-rope-mscale": (LlamaConfig(**GQA, rope_parameters=YARN | dict(mscale=1.3, mscale_all_dim=0.7, beta_fast=16,
                                                                         beta_slow=2, truncate=False)), "old", 7),
    "llama-biases": (LlamaConfig(**GQA, attention_bias=True, mlp_bias=True, hidden_act="gelu_pytorch_tanh"), "new", 1),
    "llama-head-dim": (LlamaConfig(**(GQA | dict(head_dim=6))), "new", 1),
    "mistral-window": (MistralConfig(**GQA, sliding_window=5), "old", 1),
    "mistral-no-window": (MistralConfig(**GQA, sliding_window=None), "new", 1),
    "qwen2": (Qwen2Config(**GQA, tie_word_embeddings=True), "old", 1),
    "qwen2-window": (Qwen2Config(**(GQA | dict(num_hidden_layers=3)), use_sliding_window=True, sliding_window=4,
                                 max_window_layers=1), "new", 1),
    "qwen3": (Qwen3Config(**GQA, head_dim=10, rope_parameters=dict(rope_type="default", rope_theta=1e6)), "new", 1),
    "qwen3-old-style": (Qwen3Config(**GQA, head_dim=8, attention_bias=True, tie_word_embeddings=True), "old", 1),
}


def randomise(model, generator):
    """Normal weights: matrices keep the scale of what passes through them, times 1.5; norms lie about 1."""
    for name, param in model.named_parameters():
        noise = torch.randn(param.shape, generator=generator)
        if param.dim() == 1:
            scale = 0.3 * noise
            param.data = 1.0 + scale if "norm" in name and name.endswith("weight") else scale
        elif "embed" in name or "lm_head" in name:
            param.data = 0.7 * noise
        else:
            param.data = 1.5 * noise / param.shape[1] ** 0.5


def old_style(config):
    """The keys as transformers 4 wrote them."""
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = rope if rope.get("rope_type", "default") != "default" else None
    config["torch_dtype"] = config.pop("dtype", "float32")
    return config


def make(name, config, style, step):
    generator = torch.Generator().manual_seed(sum(name.encode()))
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    randomise(model, generator)
    model.tie_weights()
    ids = torch.randint(2, VOCAB, (2, LENGTH), generator=generator)
    positions = torch.arange(LENGTH)[None].expand(2, -1) * step
    with torch.no_grad():
        logits = model(ids, position_ids=positions).logits
    spread = logits.std(-1).mean().item()
    assert 1.0 < spread < 20.0, (name, spread)
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    written = json.loads(config.to_json_string(use_diff=False))
    drop = {"_name_or_path", "transformers_version", "architectures", "id2label", "label2id", "_attn_implementation"}
    written = {k: v for k, v in written.items() if k not in drop}
    written["dtype"] = "float32"
    written = old_style(written) if style == "old" else written
    (folder / "config.json").write_text(json.dumps(written, indent=2) + "\n")
    weights = dict(model.state_dict())
    if config.tie_word_embeddings:
        weights.pop("lm_head.weight")
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "model.safetensors")
    golden = dict(input_ids=ids, positions=positions.contiguous(), logits=logits.contiguous())
    save_file(golden, folder / "golden.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name:24} logits spread {spread:6.2f}  {size / 1000:6.1f} kB")


if __name__ == "__main__":
    print("torch", torch.__version__, "transformers", transformers.__version__)
    for name, variant in VARIANTS.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            make(name, *variant)
