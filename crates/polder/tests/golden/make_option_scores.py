"""Option scores of SmolLM2-135M by `transformers`, the outsider that `agreement.rs` compares with.

    python make_option_scores.py FOLDER_OF_THE_MODEL FOLDER_OF_THE_DATA smollm2_option_scores.json

Scores by hand, one sequence an option, no padding, in f32: the sum of the log-probabilities of the option's tokens, which
are those that prompt and option have more than the prompt, each tokenised by itself. `free` holds the same after the prompt
without content, in front of which stands the BOS where it is empty. Demonstrations are drawn by the permutation of
`polder-tasks/tests/permutation.py`. Only numbers are written.
"""

import contextlib
import functools
import importlib.util
import io
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROWS = 20


def permutation(rows, seed):
    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../polder-tasks/tests/permutation.py")
    spec = importlib.util.spec_from_file_location("permutation", place)
    module = importlib.util.module_from_spec(spec)
    with contextlib.redirect_stdout(io.StringIO()):
        spec.loader.exec_module(module)
    return module.permutation(rows, seed, b"shots   ")


# Each gives the prompts (one an option), the texts that follow, the right option and the prompt without content.


def same(prompt, options, gold, free):
    return [prompt] * len(options), options, gold, free


def sst2(row):
    return same(row["sentence"].strip() + " It was", [" terrible", " great"], row["label"], "It was")


def copa(row):
    premise = row["premise"].rstrip()
    premise = premise[:-1] if premise.endswith(".") else premise
    word = {"cause": "because", "effect": "so"}[row["question"]]

    def lower(choice):
        first, _, rest = choice.partition(" ")
        return " " + (first if first == "I" else first.lower()) + " " + rest

    return same(f"{premise} {word}", [lower(row["choice1"]), lower(row["choice2"])], row["label"], word)


def arc(row):
    options = [" " + text for text in row["choices"]["text"]]
    gold = row["choices"]["label"].index(row["answerKey"])
    return same(f"Question: {row['question']}\nAnswer:", options, gold, "Answer:")


def boolq(row):
    question = row["question"][0].upper() + row["question"][1:]
    question += "" if question.endswith("?") else "?"
    return same(f"{row['passage']} {question}\n", ["No", "Yes"], row["label"], "")


def rte(row):
    prompt = f"{row['premise']}\nDoes this mean that \"{row['hypothesis']}\" is true? Yes or No?\n"
    return same(prompt, ["Yes", "No"], row["label"], "")


def cb(row):
    prompt = f"Suppose {row['premise']} Can we infer that \"{row['hypothesis']}\"? Yes, No, or Maybe?\n"
    return same(prompt, ["Yes", "No", "Maybe"], row["label"], "")


def winogrande(row):
    before, after = row["sentence"].split("_", 1)
    prompts = [before + row["option1"], before + row["option2"]]
    return prompts, [" " + after.strip()] * 2, int(row["answer"]) - 1, None


def read(data, folder, split):
    with open(f"{data}/{folder}/{split}.jsonl") as lines:
        return [json.loads(line) for line in lines]


class Scorer:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def __call__(self, prompt, option):
        """Sum of the log-probabilities of the option's tokens, and their number."""
        text = self.tokenizer((prompt + option).strip(" ")).input_ids
        count = len(text) - len(self.tokenizer(prompt.strip(" ")).input_ids)
        if not prompt:
            text = [self.tokenizer.bos_token_id] + text
        # The last token predicts nothing; options of one token after the same prompt so are one sequence.
        log_probs = self.log_probs(tuple(text[:-1]), count)
        scored = [log_probs[place, token] for place, token in enumerate(text[-count:])]
        return float(torch.stack(scored).double().sum()), count

    @functools.cache
    def log_probs(self, ids, last):
        with torch.no_grad():
            logits = self.model(torch.tensor([ids])).logits[0, -last:].float()
        return torch.log_softmax(logits, dim=-1)


def case(score, data, folder, render, shots, calibrate):
    front, numbers = "", []
    if shots:
        train = read(data, folder, "train")
        numbers = permutation(len(train), 0)[:shots]
        for number in numbers:
            prompts, options, gold, _ = render(train[number])
            front += (prompts[gold] + options[gold]).strip() + "\n\n"
    out = {"shots": numbers, "sums": [], "tokens": [], "free": []}
    for row in read(data, folder, "validation")[:ROWS]:
        prompts, options, _, free = render(row)
        found = [score(front + prompt, option) for prompt, option in zip(prompts, options)]
        out["sums"].append([total for total, _ in found])
        out["tokens"].append([count for _, count in found])
        if calibrate:
            out["free"].append([score(front + free, option)[0] for option in options])
    return out


def main():
    folder, data, place = sys.argv[1:]
    score = Scorer(folder)
    cases = [
        ("sst2", "sst2", sst2, 0, True),
        ("copa", "copa", copa, 0, True),
        ("arc-easy", "arc_easy", arc, 0, True),
        ("boolq", "boolq", boolq, 0, False),
        ("rte", "rte", rte, 0, True),
        ("cb", "cb", cb, 0, True),
        ("winogrande", "winogrande", winogrande, 0, False),
        ("sst2", "sst2", sst2, 4, True),
        ("copa", "copa", copa, 4, False),
    ]
    out = []
    for name, folder, render, shots, calibrate in cases:
        out.append({"task": name, **case(score, data, folder, render, shots, calibrate)})
        print(name, shots, file=sys.stderr)
        with open(place, "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(one) for one in out) + "\n]\n")


if __name__ == "__main__":
    main()
