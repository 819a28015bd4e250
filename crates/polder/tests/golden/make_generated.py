"""Greedy continuations of SmolLM2-135M by `transformers`, which `generation_real.rs` compares with.

    python make_generated.py FOLDER_OF_THE_MODEL > smollm2_generated.json

Ten prompts of different lengths, each continued alone by up to 32 tokens in f32 (`generate(do_sample=False)`); `lead` is by
how much the chosen logit leads at its closest. The prompts are written for this test.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

LONG = (
    "The harbour of the small town had been dredged every spring for as long as anyone remembered, and every winter the "
    "sand came back. The council spoke of moving the boats further north, where the water was deep, but the fishermen would "
    "hear nothing of it. "
)
PROMPTS = [
    "The",
    "Water boils at",
    "Once upon a time, a fox",
    "The capital of France is",
    "def add(a, b):\n    return",
    "1, 2, 3, 4, 5, 6,",
    "Question: Why is the sky blue?\nAnswer:",
    "Schöne Grüße aus München! Das heißt auf Englisch:",
    LONG + "So one evening",
    LONG * 4 + "In the end",
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    cases = []
    for prompt in PROMPTS:
        inputs = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            out = model.generate(**inputs, do_sample=False, max_new_tokens=32, output_logits=True,
                                 return_dict_in_generate=True)
        new = out.sequences[0, inputs.input_ids.shape[1]:].tolist()
        best = torch.stack(out.logits).squeeze(1).topk(2).values
        lead = (best[:, 0] - best[:, 1]).min().item()
        text = tokenizer.decode(new, skip_special_tokens=True)
        cases.append(dict(prompt=prompt, tokens=inputs.input_ids.shape[1], new=new, text=text, lead=round(lead, 4)))
        print(len(new), round(lead, 4), repr(text[:60]), file=sys.stderr)
    print("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]")


main()
