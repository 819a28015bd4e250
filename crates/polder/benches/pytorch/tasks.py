"""The tasks of the comparison: rows to prompts, options and token ids, and what their losses are made of.

Written apart from polder's own task files, so that a difference between the two shows.
"""

import json
import pathlib
from typing import Callable, NamedTuple


class Example(NamedTuple):
    options: list  # of token ids, prompt and option, one list an option
    scored: list  # how many of an option's last tokens are its own
    gold: int


class Task(NamedTuple):
    folder: str
    render: Callable  # a row's prompt, options and the right option's number
    loss: str  # "options": cross-entropy over mean log-probabilities; "target": of the right option's tokens


def sst2(row):
    return row["sentence"].strip() + " It was", ["terrible", "great"], row["label"]


def lower_first_word(text):
    first, space, rest = text.partition(" ")
    return (first if first == "I" else first.lower()) + space + rest


def copa(row):
    premise = row["premise"].rstrip().removesuffix(".")
    word = {"cause": "because", "effect": "so"}[row["question"]]
    return f"{premise} {word}", [lower_first_word(row["choice1"]), lower_first_word(row["choice2"])], row["label"]


def arc_easy(row):
    choices = row["choices"]
    return f"Question: {row['question']}\nAnswer:", choices["text"], choices["label"].index(row["answerKey"])


def rte(row):
    question = f'Does this mean that "{row["hypothesis"]}" is true? Yes or No?'
    return f"{row['premise']}\n{question}\n", ["Yes", "No"], row["label"]


def cb(row):
    question = f'Can we infer that "{row["hypothesis"]}"? Yes, No, or Maybe?'
    return f"Suppose {row['premise']} {question}\n", ["Yes", "No", "Maybe"], row["label"]


def boolq(row):
    question = row["question"]
    question = question[0].upper() + question[1:] + ("" if question.endswith("?") else "?")
    return f"{row['passage']} {question}\n", ["No", "Yes"], row["label"]


def openbookqa(row):
    choices = row["choices"]
    return row["question_stem"], choices["text"], choices["label"].index(row["answerKey"])


TASKS = {
    "sst2": Task("sst2", sst2, "options"),
    "copa": Task("copa", copa, "target"),
    "arc-easy": Task("arc_easy", arc_easy, "options"),
    "rte": Task("rte", rte, "options"),
    "cb": Task("cb", cb, "options"),
    "boolq": Task("boolq", boolq, "options"),
    "openbookqa": Task("openbookqa", openbookqa, "options"),
}


def rows_file(data, name, split):
    return pathlib.Path(data) / TASKS[name].folder / f"{split}.jsonl"


def read_examples(tokenizer, data, name, split, limit=None):
    """A split's first rows as token ids with all their options."""
    with open(rows_file(data, name, split), encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:limit]
    return [encode(tokenizer, *TASKS[name].render(row)) for row in rows]


def encode(tokenizer, prompt, options, gold):
    prompt_length = len(tokenizer.encode(prompt))
    joint = "" if prompt.endswith("\n") else " "
    ids = [tokenizer.encode(f"{prompt}{joint}{option}") for option in options]
    scored = [len(option) - prompt_length for option in ids]
    assert min(scored) > 0, f"an option of {prompt!r} adds no token"
    return Example(ids, scored, gold)


def right_option_only(example):
    return Example([example.options[example.gold]], [example.scored[example.gold]], 0)


def training_examples(name, examples):
    """The options that the task's loss needs."""
    return [right_option_only(e) for e in examples] if TASKS[name].loss == "target" else examples
