"""What transformers makes of a saved folder: prints one JSON object.

    python see_saved.py FOLDER CONFIG     CONFIG is the JSON of the configuration that was saved

The logits of the folder as `from_pretrained` loads it are compared with those of a model that is made from CONFIG alone
and given the folder's tensors by name, so that neither the saved configuration nor the saved index takes part.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

TEXTS = ["Hello world, it's 1984!", " a  b\n\n12345 cafe\u0301", "<|im_start|>user\nHi<|im_end|>", ""]

folder, reference = Path(sys.argv[1]), json.loads(sys.argv[2])
model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
seen = {
    "dtype": str(model.dtype),
    "missing": sorted(info["missing_keys"]),
    "unexpected": sorted(info["unexpected_keys"]),
}

config = AutoConfig.for_model(**{k: v for k, v in reference.items() if k not in ("dtype", "torch_dtype")})
other = AutoModelForCausalLM.from_config(config, dtype=model.dtype)
tensors = {}
for shard in sorted(folder.glob("*.safetensors")):
    tensors.update(load_file(shard))
result = other.load_state_dict(tensors, strict=False)
assert not result.unexpected_keys, result
other.tie_weights()
ids = torch.arange(3, 3 + 24).remainder(config.vocab_size)[None]
with torch.no_grad():
    a, b = model.eval()(ids).logits, other.eval()(ids).logits
seen["largest_difference"] = (a - b).abs().max().item()
seen["largest_logit"] = b.abs().max().item()

if (folder / "tokenizer.json").exists():
    tokenizer = AutoTokenizer.from_pretrained(folder)
    seen["bos"], seen["eos"] = tokenizer.bos_token, tokenizer.eos_token
    seen["tokens"] = {t: tokenizer(t)["input_ids"] for t in TEXTS}
    seen["chat"] = tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False)
print(json.dumps(seen))
