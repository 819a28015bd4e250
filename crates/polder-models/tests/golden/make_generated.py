"""Greedy continuations by transformers' generate, of every model of this folder: `python make_generated.py`.

For each variant the prompts are the first tokens of its golden sequences (golden.safetensors), of different lengths, and
are continued one by one by up to 11 tokens, in f32 with eager attention. Also kept: by how much the chosen logit leads at
its closest, so that a test can say what it may rely on.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
LENGTHS = [1, 4, 9, 17]


def main():
    found = {}
    for folder in sorted(path for path in HERE.iterdir() if path.is_dir()):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        ids = load_file(folder / "golden.safetensors")["input_ids"].long()
        cases = []
        for number, length in enumerate(LENGTHS):
            prompt = ids[number % len(ids), :length]
            with torch.no_grad():
                out = model.generate(prompt[None], attention_mask=torch.ones(1, length, dtype=torch.long),
                                     do_sample=False, max_new_tokens=11, eos_token_id=None, pad_token_id=0,
                                     output_logits=True, return_dict_in_generate=True)
            best = torch.stack(out.logits).squeeze(1).topk(2).values
            cases.append(dict(prompt=prompt.tolist(), new=out.sequences[0, length:].tolist(),
                              lead=round((best[:, 0] - best[:, 1]).min().item(), 5)))
        found[folder.name] = cases
        print(folder.name, [case["lead"] for case in cases], file=sys.stderr)
    lines = (f' "{name}": {json.dumps(cases)}' for name, cases in found.items())
    (HERE / "generated.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
