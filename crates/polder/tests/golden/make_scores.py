"""Option scores of SmolLM2-135M by `transformers`, the outsider that `real_model.rs` compares with.

    python make_scores.py FOLDER_OF_THE_MODEL FOLDER_OF_THE_DATA > smollm2_scores.json

Scores by hand what MeZO scores: the mean log-probability of each option's tokens after the prompt, one sequence an option,
no padding, in f32. Only numbers of rows and scores are written.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def sst2(row):
    return row["sentence"].strip() + " It was", [" terrible", " great"]


def copa(row):
    premise = row["premise"].rstrip()
    premise = premise[:-1] if premise.endswith(".") else premise
    word = {"cause": " because", "effect": " so"}[row["question"]]

    def lower(choice):
        first, _, rest = choice.partition(" ")
        return " " + (first if first == "I" else first.lower()) + " " + rest

    return premise + word, [lower(row["choice1"]), lower(row["choice2"])]


def score(model, tokenizer, prompt, option):
    ids = tokenizer(prompt + option, return_tensors="pt").input_ids
    count = ids.shape[1] - len(tokenizer(prompt).input_ids)
    log_probs = torch.log_softmax(model(ids).logits[0, :-1].float(), dim=-1)
    return log_probs.gather(1, ids[0, 1:, None])[-count:, 0].mean().item()


def main():
    folder, data = sys.argv[1:]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    out = {}
    with torch.no_grad():
        for task, render, count in [("sst2", sst2, 24), ("copa", copa, 24)]:
            with open(f"{data}/{task}/validation.jsonl") as lines:
                rows = [json.loads(line) for line in lines][:count]
            prompts = [render(row) for row in rows]
            out[task] = [[score(model, tokenizer, prompt, option) for option in options] for prompt, options in prompts]
    json.dump(out, sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
